"""Rivers, ponds and roads."""

import math

import numpy as np

from .canvas import Canvas, Floats, Mask, step_between
from .farmland import Texture
from .lines import Corridor
from .painting import Cover, Painting, spectrum, varied

_DEEP = spectrum(0.034, 0.038, 0.024, 0.012)
_SHALLOW = spectrum(0.056, 0.080, 0.064, 0.034)
_BANK = spectrum(0.050, 0.088, 0.072, 0.290)
_SAND = spectrum(0.138, 0.168, 0.198, 0.246)
_ASPHALT = spectrum(0.094, 0.102, 0.110, 0.130)
_OLD_ASPHALT = spectrum(0.124, 0.136, 0.146, 0.172)
_GRAVEL = spectrum(0.150, 0.178, 0.204, 0.244)
_PAINT = spectrum(0.40, 0.41, 0.41, 0.42)
_CONCRETE = spectrum(0.235, 0.255, 0.270, 0.295)


def pond_depth(
    canvas: Canvas, centre: tuple[float, float], radius: float, ripple: Floats
) -> Floats:
    """Metres from the shore of a rounded pond, negative on land."""
    dx, dy = canvas.x - centre[0], canvas.y - centre[1]
    stretched = np.hypot(dx + 0.35 * dy, 1.25 * dy)
    return np.asarray(radius * (1 + 0.13 * ripple) - stretched, np.float32)


def flood(painting: Painting, depth: Floats, texture: Texture) -> None:
    """Water where `depth` (metres from the shore) is positive, a bank around it."""
    bank = (depth > -5 + 1.5 * texture.patch) & (depth <= 0)
    painting.fill(bank, Cover.GRASS, varied(_BANK, 0.12 * texture.tuft[bank]))
    sand = bank & (depth > -4.5) & (texture.sweep > 0.55)
    painting.fill(sand, Cover.SOIL, varied(_SAND, 0.05 * texture.grain[sand]))
    water = depth > 0
    shallow = 1 - step_between(depth[water] + 1.2 * texture.patch[water], 0.5, 7.0)
    colour = _DEEP + (_SHALLOW - _DEEP) * np.clip(shallow + 0.08 * texture.sweep[water], 0, 1)
    painting.fill(water, Cover.WATER, varied(colour, 0.05 * texture.tuft[water]))


def pave_road(
    painting: Painting, road: Corridor, width: float, texture: Texture, water: Mask, main: bool
) -> None:
    """A road of `width` metres with verges; a main road has markings, and railings on a bridge."""
    d = road.distance
    verge = (d < width / 2 + 2.2) & ~water
    painting.fill(verge, Cover.GRASS, varied(_BANK, 0.10 * texture.tuft[verge]))
    on = d < width / 2
    base = _ASPHALT if main else _OLD_ASPHALT
    worn = 0.05 * texture.sweep[on] + 0.03 * texture.patch[on] + 0.02 * texture.grain[on]
    lanes = 0.06 * np.cos(2 * math.pi * d[on] / (width / 2)) if main else np.zeros(1, np.float32)
    painting.fill(on, Cover.ROAD, varied(base, worn, lanes))
    if main:
        half = max(0.25, painting.canvas.gsd / 2)
        dashes = on & (d < half) & (road.along % 12 < 5)
        lines = on & (np.abs(d - (width / 2 - 0.6)) < half * 0.8)
        for paint in (dashes, lines):
            painting.blend(paint, _PAINT, np.full(int(paint.sum()), 0.55, np.float32))
    bridge = water & (d < width / 2 + 1.2)
    railing = bridge & ~on
    painting.fill(bridge & ~on, Cover.ROAD, _CONCRETE)
    painting.height[bridge] = 3.0
    painting.height[railing] = 4.0


def lay_track(painting: Painting, where: Mask, distance: Floats, texture: Texture) -> None:
    """A gravel track with grass between the wheels."""
    painting.fill(where, Cover.ROAD, varied(_GRAVEL, 0.06 * texture.grain[where]))
    middle = where & (distance < 0.35)
    painting.blend(middle, _BANK, np.full(int(middle.sum()), 0.6, np.float32))
