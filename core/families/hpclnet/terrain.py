"""Terrain from elevation: slope, direction, shade and relative height; nothing keeps the height.

Directions are those of the picture: up is towards the first row, right towards the last column. On
a north-up grid these are north and east. All of it works in float64, because heights of thousands
of metres carry differences of millimetres.
Source: B. K. P. Horn, Hill shading and the reflectance map, Proceedings of the IEEE 69(1), 1981.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

AZIMUTHS = (45.0, 135.0, 225.0, 315.0)
"""Flips and quarter turns take this set to itself, so the mean shade turns with the ground."""

_RELIEF_AZIMUTHS = (225.0, 270.0, 315.0, 360.0)
_ALTITUDE = math.radians(45.0)
_LEAST_WIDE, _MOST_WIDE = 16, 1024


@dataclass(frozen=True, slots=True)
class Gradient:
    """How the ground rises: `right` and `up` (row, column), metres a metre; and where it is known.

    Unknown pixels are 0.
    """

    right: Doubles
    up: Doubles
    valid: Mask


def horn(elevation: Doubles, valid: Mask) -> Gradient:
    """The rise from pixel to pixel, from the 3×3 pixels around each.

    `elevation` (row, column) brings one more pixel on every side than the answer has; its unit is
    that of the answer, a pixel's edge. A pixel with a missing neighbour is not known.
    """
    known = np.where(valid, elevation, 0.0)
    rows, columns = known.shape
    part = {
        (i, j): known[1 + i : rows - 1 + i, 1 + j : columns - 1 + j]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    right = sum((2 - abs(i)) * (part[i, 1] - part[i, -1]) for i in (-1, 0, 1)) / 8.0
    up = sum((2 - abs(j)) * (part[-1, j] - part[1, j]) for j in (-1, 0, 1)) / 8.0
    whole = _everywhere(valid)
    return Gradient(np.where(whole, right, 0.0), np.where(whole, up, 0.0), whole)


def _everywhere(valid: Mask) -> Mask:
    """Where all of 3×3 pixels are valid; one pixel less on every side."""
    across = valid[:, :-2] & valid[:, 1:-1] & valid[:, 2:]
    return np.asarray(across[:-2] & across[1:-1] & across[2:])


def slope_degrees(gradient: Gradient) -> Doubles:
    """The steepness (row, column), 0 where flat to 90."""
    steepness: Doubles = np.degrees(np.arctan(np.hypot(gradient.right, gradient.up)))
    return steepness


def aspect_degrees(gradient: Gradient) -> Doubles:
    """Where the ground falls to (row, column), clockwise from up, 0 to 360; NaN where flat."""
    flat = (gradient.right == 0) & (gradient.up == 0)
    direction = np.degrees(np.arctan2(-gradient.right, -gradient.up)) % 360.0
    facing: Doubles = np.where(flat, np.nan, direction)
    return facing


def facing(gradient: Gradient) -> tuple[Doubles, Doubles]:
    """cos(aspect)·sin(slope) and sin(aspect)·sin(slope): the lean upwards and to the right."""
    length = np.sqrt(1.0 + gradient.right**2 + gradient.up**2)
    return -gradient.up / length, -gradient.right / length


def shade(gradient: Gradient, azimuth: float) -> Doubles:
    """How light the ground is (row, column), 0 to 1, under a sun at 45° above `azimuth`."""
    angle = math.radians(azimuth)
    towards = gradient.right * math.sin(angle) + gradient.up * math.cos(angle)
    length = np.sqrt(1.0 + gradient.right**2 + gradient.up**2)
    light = (math.sin(_ALTITUDE) - math.cos(_ALTITUDE) * towards) / length
    return np.asarray(np.clip(light, 0.0, 1.0))


def hillshade(gradient: Gradient) -> Doubles:
    """The mean shade (row, column) of four suns, unchanged by flips and quarter turns."""
    return np.asarray(sum(shade(gradient, azimuth) for azimuth in AZIMUTHS) / len(AZIMUTHS))


def relief(gradient: Gradient) -> Doubles:
    """The shade (row, column) under four suns from left to up, for the eye; flat ground is 0.71.

    Each sun counts where the ground faces it or turns away from it, so that valleys of all
    directions show. Source: R. K. Mark, Multidirectional, oblique-weighted, shaded-relief image of
    the Island of Hawaii, USGS Open-File Report 92-422, 1992, with the weights as `gdaldem hillshade
    -multidirectional` has them.
    """
    aspect = np.arctan2(-gradient.right, -gradient.up)
    total = np.zeros_like(aspect)
    for azimuth in _RELIEF_AZIMUTHS:
        weight = np.cos(aspect - math.radians(azimuth)) ** 2
        total += weight * shade(gradient, azimuth)
    # The squares of cosines at four angles an eighth of a turn apart add up to 2.
    return total / 2


def wide_radius(metres: float, gsd: float) -> int:
    """How far, in pixels, a wide mean over `metres` reaches: 16 to 1024 pixels wide.

    The least keeps landforms in, the most keeps the memory for a block of pixels bounded.
    """
    return min(max(_LEAST_WIDE, round(metres / gsd)), _MOST_WIDE) // 2


def relative_elevation(elevation: Doubles, valid: Mask, radius: int) -> Doubles:
    """Height above the mean of the square of ±`radius` pixels around, missing pixels left out.

    `elevation` (row, column) brings `radius` more pixels on every side than the answer has. Where
    the pixel itself is missing the answer is 0.
    """
    # Sums of differences from some height round less than sums of heights.
    ground = float(elevation[valid].mean()) if valid.any() else 0.0
    known = np.where(valid, elevation - ground, 0.0)
    total, count = _box_sum(known, radius), _box_sum(valid.astype(np.float64), radius)
    rows, columns = known.shape
    middle = (slice(radius, rows - radius), slice(radius, columns - radius))
    mean = total / np.maximum(count, 1.0)
    return np.asarray(np.where(valid[middle], known[middle] - mean, 0.0))


def _box_sum(values: Doubles, radius: int) -> Doubles:
    size = 2 * radius + 1
    for axis in (0, 1):
        before = np.zeros_like(values.take([0], axis))
        sums = np.concatenate([before, values.cumsum(axis)], axis)
        count = sums.shape[axis]
        values = sums.take(range(size, count), axis) - sums.take(range(count - size), axis)
    return values


def smoothing_radius(sigma: float) -> int:
    """How far, in pixels, `smoothed` looks; 0 where smoothing would change next to nothing."""
    return 0 if sigma < 0.25 else math.ceil(3 * sigma)


def smoothed(elevation: Doubles, valid: Mask, sigma: float) -> Doubles:
    """A Gaussian mean with `sigma` pixels that leaves missing pixels out.

    `elevation` (row, column) brings `smoothing_radius(sigma)` more pixels on every side than the
    answer has. Missing pixels stay missing: the answer means nothing there.
    """
    radius = smoothing_radius(sigma)
    if radius == 0:
        return elevation
    ground = float(elevation[valid].mean()) if valid.any() else 0.0
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    total = _weighted(np.where(valid, elevation - ground, 0.0), kernel)
    weight = _weighted(valid.astype(np.float64), kernel)
    return np.asarray(total / np.maximum(weight, 1e-12) + ground)


def _weighted(values: Doubles, kernel: Doubles) -> Doubles:
    """`values` under `kernel` along both axes; pairs are added first, so that it turns exactly."""
    radius = len(kernel) // 2
    for axis in (0, 1):
        count = values.shape[axis] - 2 * radius
        total = kernel[radius] * values.take(range(radius, radius + count), axis)
        for step in range(1, radius + 1):
            before = values.take(range(radius - step, radius - step + count), axis)
            after = values.take(range(radius + step, radius + step + count), axis)
            total = total + kernel[radius + step] * (before + after)
        values = total
    return values
