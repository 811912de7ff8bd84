"""How a segmenting family sees a scene, and what its trained network answers."""

from typing import Protocol

from torch import Tensor

from ..scene.grid import Window
from ..scene.scene import Block, Scene


class View(Protocol):
    """How a family sees a scene: its channels before any network and any statistics."""

    @property
    def channels(self) -> int:
        """How many channels `read` gives."""

    def read(self, scene: Scene, window: Window) -> Block:
        """The channels in `window`, in their own numbers (bands as in the file, terrain derived).

        The window may leave the grid. Channels that need their surroundings (slope, relative
        elevation) read them, so that the answer does not depend on how a scene is cut up.
        """

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """Channels (…, channel, row, column) of the same ground, flipped and rotated.

        `orientation` is one of the eight of `orientations.turned`. Directions that a channel
        carries (aspect) turn with the picture: the result is what `read` would give for a scene
        that is turned itself.
        """


class Segmenter(View, Protocol):
    """A view with a trained network behind it."""

    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        """The probability of the class (b, row, column), float32 from 0 to 1.

        `values` (b, channel, row, column) as `read` gives them, 0 where not `valid` (b, row,
        column); rows and columns are those of the model's window.
        """
