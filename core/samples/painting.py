"""A landscape in the making: what covers each fine pixel, its colour and its height."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import EllipsisType

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, Mask

Part = tuple[slice, slice] | EllipsisType


class Cover(IntEnum):
    """The classes of the land-cover sample."""

    WATER = 1
    TREES = 2
    GRASS = 3
    CROPS = 4
    SOIL = 5
    ORCHARD = 6
    ROAD = 7
    BUILDING = 8


def spectrum(*bands: float) -> Floats:
    """Reflectances in blue, green, red and near infrared, ready to fill an area."""
    return np.asarray(bands, np.float32)[:, None]


@dataclass(frozen=True, slots=True)
class Painting:
    """Layers on one canvas: `cover`, `colour` (4 bands, row, column; reflectance), `height` (m)."""

    canvas: Canvas
    cover: NDArray[np.uint8]
    colour: Floats
    height: Floats

    @classmethod
    def blank(cls, canvas: Canvas) -> "Painting":
        """An empty painting."""
        shape = (canvas.rows, canvas.columns)
        return cls(canvas, np.zeros(shape, np.uint8), np.zeros((4, *shape), np.float32),
                   np.zeros(shape, np.float32))  # fmt: skip

    def fill(
        self, where: Mask, cover: Cover | None, colour: Floats, height: float | Floats = 0.0,
        part: Part = ...,
    ) -> None:  # fmt: skip
        """Cover the pixels `where` (within `part`); `colour` is (4, 1) or (4, pixel)."""
        if cover is not None:
            self.cover[part][where] = cover
        here = self.colour[(slice(None), *part)] if part is not ... else self.colour
        here[:, where] = colour
        self.height[part][where] = height

    def tint(self, where: Mask, factor: float | Floats, part: Part = ...) -> None:
        """Brighten or darken what is there."""
        here = self.colour[(slice(None), *part)] if part is not ... else self.colour
        here[:, where] *= factor

    def blend(self, where: Mask, colour: Floats, strength: Floats) -> None:
        """Mix `colour` (4, 1) into what is there, by `strength` (pixel) from 0 to 1."""
        self.colour[:, where] += (colour - self.colour[:, where]) * strength


def varied(base: Floats, *changes: Floats, bands: Sequence[float] = (1, 1, 1, 1)) -> Floats:
    """A spectrum (4, 1 or pixel) times 1 + the sum of `changes` (pixel), weighted by band."""
    total = sum(changes[1:], start=changes[0])
    weights = np.asarray(bands, np.float32)[:, None]
    return np.asarray(base * np.clip(1 + weights * total, 0.1, None), np.float32)
