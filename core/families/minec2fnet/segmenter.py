"""A trained MineC2FNet as the shared prediction asks for it."""

import torch
from torch import Tensor, nn

from ...scene.grid import Window
from ...scene.scene import Block, Scene
from .statistics import Statistics
from .view import ImageView


class MineC2FSegmenter:
    """A view with a trained network behind it."""

    def __init__(self, view: ImageView, network: nn.Module, statistics: Statistics) -> None:
        """`network` gives logits (b, row, column); it is put into evaluation mode."""
        self._view = view
        self._network = network.eval()
        self._statistics = statistics

    @property
    def channels(self) -> int:
        """How many bands the network sees."""
        return self._view.channels

    def read(self, scene: Scene, window: Window) -> Block:
        """The bands in `window`; see `ImageView`."""
        return self._view.read(scene, window)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """The bands of the same ground, flipped and rotated."""
        return self._view.turned(values, orientation)

    @torch.inference_mode()
    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        """The probability of the class (b, row, column), float32, on the device of `values`.

        `values` (b, band, row, column) as `read` gives them and `valid` (b, row, column).
        """
        device = next(self._network.parameters()).device
        bands = self._statistics.standardised(values.to(device), valid.to(device))
        logits: Tensor = self._network(bands)
        return torch.sigmoid(logits.float()).to(values.device)
