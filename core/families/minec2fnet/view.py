"""How MineC2FNet sees a scene: the bands of its image, as reflectance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...card import Card
from ...scene.grid import Window
from ...scene.scene import Block, Scene
from ...segmentation import orientations
from ...settings import Value

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

    @classmethod
    def of_card(cls, card: Card, settings: Mapping[str, Value]) -> "ImageView":
        """The view of a model's images; a scale in `settings` says that these are others."""
        given = card.architecture if float(settings["reflectance_scale"]) <= 0 else settings
        scale, offset = given.get("reflectance_scale", 1.0), given.get("reflectance_offset", 0.0)
        return cls(len(card.input(ROLE).bands), float(str(scale)), float(str(offset)))

    def read(self, scene: Scene, window: Window) -> Block:
        """The bands (channel, row, column) in `window`, 0 where missing; it may leave the grid."""
        block = scene.read(ROLE, window)
        values = block.values * np.float32(self.scale) + np.float32(self.offset)
        return Block(np.where(block.valid, values, np.float32(0)), block.valid)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """Bands (…, channel, row, column) flipped and rotated; none of them has a direction."""
        return orientations.turned(values, orientation)
