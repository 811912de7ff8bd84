"""How HPCL-Net sees a scene: the image's bands, and five pictures of the terrain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ...scene.grid import Window
from ...scene.scene import Block, Scene, mirrored
from ...scene.source import Floats
from ...segmentation.orientations import turned
from .native import native_gradient
from .terrain import (
    Doubles,
    Gradient,
    Mask,
    facing,
    hillshade,
    horn,
    relative_elevation,
    slope_degrees,
    smoothed,
    smoothing_radius,
    wide_radius,
)

IMAGE, DEM = "IMAGE", "DEM"
RELATIVE, SLOPE, UPWARDS, RIGHTWARDS, SHADE = range(5)
"""The terrain channels, in the order in which they follow the image's bands."""

TERRAIN = 5
METRES: Mapping[str, float] = {
    "metre": 1.0,
    "decimetre": 0.1,
    "centimetre": 0.01,
    "foot": 0.3048,
    "us-foot": 1200 / 3937,
}
"""The vertical units, in metres."""

COARSE = 1.5
_Picture = TypeVar("_Picture", Doubles, Mask)


@dataclass(frozen=True, slots=True)
class TerrainView:
    """The image's `bands`, then relative elevation in metres, slope/90, the lean, the shade.

    The lean is cos(aspect)·sin(slope) and sin(aspect)·sin(slope), upwards and to the right in the
    picture. A pixel is valid where the image is, and the elevation with all its neighbours.
    `wide` is the width in metres of the mean that elevation is relative to; `metres` what one unit
    of the elevation model is worth.
    """

    bands: int
    wide: float = 250.0
    metres: float = 1.0

    @property
    def channels(self) -> int:
        """The bands and the terrain."""
        return self.bands + TERRAIN

    def read(self, scene: Scene, window: Window) -> Block:
        """The channels in `window` of a scene with the roles IMAGE and DEM."""
        image = scene.read(IMAGE, window)
        ratio = scene.facts(DEM).gsd / scene.grid.gsd
        terrain = self._terrain(scene, window, ratio)
        valid = image.valid & terrain.valid
        values = np.concatenate([image.values, terrain.values])
        return Block(np.where(valid, values, np.float32(0)), valid)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """Channels (…, channel, row, column) turned; the lean turns with the picture."""
        picture = turned(values, orientation)
        up, right = self.bands + UPWARDS, self.bands + RIGHTWARDS
        north, east = picture.select(-3, up), picture.select(-3, right)
        if orientation >= 4:
            east = -east
        for _ in range(orientation % 4):
            north, east = east, -north
        channels = list(picture.unbind(-3))
        channels[up], channels[right] = north, east
        return torch.stack(channels, -3)

    def _terrain(self, scene: Scene, window: Window, ratio: float) -> Block:
        gsd = scene.grid.gsd
        wide = wide_radius(self.wide, gsd)
        sigma = 0.5 * ratio
        rim = max(1, wide) + smoothing_radius(sigma)
        dem = scene.read(DEM, window.grown(rim))
        heights = dem.values[0].astype(np.float64) * self.metres
        soft = smoothed(heights, dem.valid, sigma)
        known = _cropped(dem.valid, smoothing_radius(sigma))
        relative = relative_elevation(soft, known, wide)
        if ratio > COARSE:
            rise = _scaled(_native(scene, window), self.metres / gsd)
        else:
            margin = wide - 1
            rise = _scaled(horn(_cropped(soft, margin), _cropped(known, margin)), 1.0 / gsd)
        return terrain_channels(relative, rise, _cropped(known, wide))


def terrain_channels(relative: Doubles, rise: Gradient, known: Mask) -> Block:
    """The five channels (5, row, column) from relative elevation in metres and the rise."""
    up, right = facing(rise)
    stacked = np.stack([relative, slope_degrees(rise) / 90.0, up, right, hillshade(rise)])
    valid = rise.valid & known
    values: Floats = np.where(valid, stacked, 0.0).astype(np.float32)
    return Block(values, valid)


def _cropped(values: _Picture, margin: int) -> _Picture:
    rows, columns = values.shape
    return values[margin : rows - margin, margin : columns - margin]


def _scaled(rise: Gradient, factor: float) -> Gradient:
    return Gradient(rise.right * factor, rise.up * factor, rise.valid)


def _native(scene: Scene, window: Window) -> Gradient:
    """The rise on the elevation model's own grid, mirrored at the scene's edges as all is."""
    shape = scene.grid.shape
    rows = mirrored(window.row, window.rows, shape.rows)
    columns = mirrored(window.column, window.columns, shape.columns)
    row, column = int(rows.min()), int(columns.min())
    source = Window(row, column, int(rows.max()) + 1 - row, int(columns.max()) + 1 - column)
    found = native_gradient(scene.placed(DEM).image, scene.grid, source)
    index = (rows[:, None] - row, columns[None, :] - column)
    across = _sense(window.column, window.columns, shape.columns)
    down = _sense(window.row, window.rows, shape.rows)
    return Gradient(
        found.right[index] * across, found.up[index] * down[:, None], found.valid[index]
    )


def _sense(first: int, count: int, length: int) -> Doubles:
    """1 where the scene goes forward, -1 where it is mirrored, 0 where it turns, off the grid."""
    places = mirrored(first - 1, count + 2, length).astype(np.float64)
    inside = np.arange(first, first + count)
    turning = np.clip((places[2:] - places[:-2]) / 2, -1.0, 1.0)
    return np.where((inside >= 0) & (inside < length), 1.0, turning)
