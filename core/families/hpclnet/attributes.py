"""What a hazard geologist wants to know about the terrain under one landslide."""

import math
from dataclasses import astuple, dataclass

import numpy as np

from ...scene.grid import Grid
from ...scene.scene import Block
from .terrain import Doubles, Gradient, Mask, horn, slope_degrees


@dataclass(frozen=True, slots=True)
class TerrainAttributes:
    """The terrain under a polygon; metres and degrees, None where too little is known.

    `aspect` is the circular mean of the directions the ground falls to, clockwise from north,
    weighed by how steeply; `aspect_concentration` tells from 0 (all directions) to 1 (one) how much
    it means. `length` is the extent along that direction, on the map, and `width` the extent across
    it: a slide that is wider than long is so on its slope.
    """

    elevation_min: float | None
    elevation_max: float | None
    elevation_mean: float | None
    relief: float | None
    slope_mean: float | None
    slope_max: float | None
    aspect: float | None
    aspect_concentration: float | None
    length: float | None
    width: float | None


_UNKNOWN = TerrainAttributes(*[None] * 10)

FIELDS = (
    "elev_min",
    "elev_max",
    "elev_mean",
    "relief_m",
    "slope_mean",
    "slope_max",
    "aspect",
    "aspect_conc",
    "length_m",
    "width_m",
)
"""The attributes of `TerrainAttributes` as a layer names them."""


def described(block: Block, inside: Mask, grid: Grid, metres: float) -> dict[str, float]:
    """The value of each of `FIELDS`, NaN where it is unknown.

    `block` is the elevation in units of `metres`, on pixels of `grid` (square metres) with one more
    around the pixels `inside` the polygon.
    """
    a, b, _, d, e, _ = tuple(grid.transform)[:6]
    found = terrain_attributes(
        block.values[0].astype(np.float64) * metres,
        block.valid,
        inside,
        grid.gsd,
        north=math.degrees(math.atan2(-b, -e)),
        mirrored=a * e - b * d > 0,
    )
    values = (math.nan if one is None else one for one in astuple(found))
    return {field: round(one, 4) for field, one in zip(FIELDS, values, strict=True)}


def terrain_attributes(
    elevation: Doubles,
    valid: Mask,
    inside: Mask,
    gsd: float,
    *,
    north: float = 0.0,
    mirrored: bool = False,
) -> TerrainAttributes:
    """The attributes of the pixels `inside` a polygon.

    `elevation` in metres, `valid` and `inside` are (row, column) with square pixels of `gsd` metres
    and one more pixel around the polygon on every side, so that its rim has slopes. `north` is the
    direction of the picture's upper edge, in degrees clockwise from north; in a `mirrored` one
    east is to its left.
    """
    known = inside & valid
    if not known.any():
        return _UNKNOWN
    heights = elevation[known].astype(np.float64)
    rise = horn(np.asarray(elevation, dtype=np.float64), valid)
    rise = Gradient(rise.right / gsd, rise.up / gsd, rise.valid)
    sloping = inside[1:-1, 1:-1] & rise.valid
    steepness = slope_degrees(rise)[sloping]
    right, up = -rise.right[sloping], -rise.up[sloping]
    picture, concentration = _mean_direction(right, up)
    length = _extent(inside, picture, gsd)
    return TerrainAttributes(
        elevation_min=float(heights.min()),
        elevation_max=float(heights.max()),
        elevation_mean=float(heights.mean()),
        relief=float(heights.max() - heights.min()),
        slope_mean=float(steepness.mean()) if len(steepness) else None,
        slope_max=float(steepness.max()) if len(steepness) else None,
        aspect=None if picture is None else (north + (-picture if mirrored else picture)) % 360.0,
        aspect_concentration=concentration,
        length=length,
        width=None if picture is None else _extent(inside, picture + 90.0, gsd),
    )


def _mean_direction(right: Doubles, up: Doubles) -> tuple[float | None, float | None]:
    """The circular mean in degrees clockwise from up, and its concentration; None where flat."""
    weight = float(np.hypot(right, up).sum())
    if weight <= 0:
        return None, None
    east, north = float(right.sum()) / weight, float(up.sum()) / weight
    concentration = min(1.0, math.hypot(east, north))
    if concentration < 1e-9:
        return None, 0.0
    return math.degrees(math.atan2(east, north)) % 360.0, concentration


def _extent(inside: Mask, direction: float | None, gsd: float) -> float | None:
    """How far the pixels reach along `direction` (degrees clockwise from up), in metres."""
    if direction is None:
        return None
    rows, columns = np.nonzero(inside)
    east, north = math.sin(math.radians(direction)), math.cos(math.radians(direction))
    along = columns * east - rows * north
    # From the far side of the first pixel to that of the last.
    return float((along.max() - along.min() + abs(east) + abs(north)) * gsd)
