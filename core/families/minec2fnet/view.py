"""How MineC2FNet sees a scene: the bands of its image, as reflectance."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...scene.grid import Window
from ...scene.scene import Block, Scene
from ...segmentation import orientations

ROLE = "IMAGE"


@dataclass(frozen=True, slots=True)
class ImageView:
    """The bands of the image, each times `scale`, plus `offset`.

    With the defaults they are the raster's own numbers. Scale and offset belong to the product,
    not to the network: they bring products that are written differently to one reflectance.
    """

    channels: int
    scale: float = 1.0
    offset: float = 0.0

    def read(self, scene: Scene, window: Window) -> Block:
        """The bands (channel, row, column) in `window`, 0 where missing; it may leave the grid."""
        block = scene.read(ROLE, window)
        values = block.values * np.float32(self.scale) + np.float32(self.offset)
        return Block(np.where(block.valid, values, np.float32(0)), block.valid)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """Bands (…, channel, row, column) flipped and rotated; none of them has a direction."""
        return orientations.turned(values, orientation)
