"""The fine grid that synthetic scenes are painted on, and the noise they are painted with."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.integer[Any]]
Mask: TypeAlias = NDArray[np.bool_]

# Root of the mean of the squared cubic B-spline weights: what interpolation takes off the
# standard deviation of a lattice of independent normal values, along one axis.
_SPLINE_DEVIATION = math.sqrt(151 / 315)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A grid of square pixels, `gsd` metres wide; x grows to the right and y downwards."""

    rows: int
    columns: int
    gsd: float

    @property
    def width(self) -> float:
        """Metres from the left edge to the right one."""
        return self.columns * self.gsd

    @property
    def height(self) -> float:
        """Metres from the upper edge to the lower one."""
        return self.rows * self.gsd

    @property
    def x(self) -> Floats:
        """The x of the pixel centres in metres, (1, column)."""
        return ((np.arange(self.columns, dtype=np.float32) + 0.5) * self.gsd)[None, :]

    @property
    def y(self) -> Floats:
        """The y of the pixel centres in metres, (row, 1)."""
        return ((np.arange(self.rows, dtype=np.float32) + 0.5) * self.gsd)[:, None]

    def zeros(self) -> Floats:
        """A layer of zeros, (row, column)."""
        return np.zeros((self.rows, self.columns), np.float32)

    def around(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """The pixels within `reach` metres of a point along both axes, as an index."""

        def span(centre: float, length: int) -> slice:
            low = math.floor((centre - reach) / self.gsd)
            high = math.floor((centre + reach) / self.gsd) + 1
            return slice(min(max(low, 0), length), min(max(high, 0), length))

        return span(y, self.rows), span(x, self.columns)


def smooth_noise(rng: np.random.Generator, canvas: Canvas, wavelength: float) -> Floats:
    """Noise of mean 0 and deviation 1 whose hills are about `wavelength` metres apart."""
    step = max(wavelength / 2, canvas.gsd) / canvas.gsd
    across_rows = _spline_weights(canvas.rows, step)
    across_columns = _spline_weights(canvas.columns, step)
    lattice = rng.standard_normal((across_rows.shape[1], across_columns.shape[1]), np.float32)
    field = across_rows @ lattice @ across_columns.T
    return np.asarray(field / _SPLINE_DEVIATION**2, np.float32)


def fractal_noise(
    rng: np.random.Generator,
    canvas: Canvas,
    wavelength: float,
    octaves: int,
    persistence: float = 0.5,
) -> Floats:
    """Octaves of smooth noise, each half as wide and `persistence` times as strong; deviation 1."""
    field, power = canvas.zeros(), 0.0
    for octave in range(octaves):
        strength = persistence**octave
        field += np.float32(strength) * smooth_noise(rng, canvas, wavelength / 2**octave)
        power += strength**2
    return np.asarray(field / np.float32(math.sqrt(power)))


def _spline_weights(length: int, step: float) -> Floats:
    """Cubic B-spline weights of a lattice `step` pixels wide, (pixel, lattice point)."""
    position = (np.arange(length) + 0.5) / step
    points = np.arange(math.ceil(length / step) + 3) - 1
    t = np.abs(position[:, None] - points)
    inner = 2 / 3 - t**2 + t**3 / 2
    outer = np.clip(2 - t, 0, None) ** 3 / 6
    return np.asarray(np.where(t < 1, inner, outer).astype(np.float32))


def blurred(field: Floats, sigma: float) -> Floats:
    """`field` (…, row, column) under a Gaussian of `sigma` pixels, edges mirrored."""
    reach = math.ceil(3 * sigma)
    if reach == 0:
        return field
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (-2, -1):
        field = _convolved(field, taps, axis)
    return field


def _convolved(field: Floats, taps: Floats, axis: int) -> Floats:
    reach, length = len(taps) // 2, field.shape[axis]
    widths = [(0, 0)] * field.ndim
    widths[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(field, widths, mode="symmetric"), axis, 0)
    total = np.zeros_like(padded[:length])
    for k, tap in enumerate(taps):
        total += tap * padded[k : k + length]
    return np.moveaxis(total, 0, axis)


def block_mean(field: Floats, ratio: int) -> Floats:
    """The means of blocks of `ratio` × `ratio` pixels of `field` (…, row, column)."""
    *leading, rows, columns = field.shape
    blocks = field.reshape(*leading, rows // ratio, ratio, columns // ratio, ratio)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float32))


def shifted(field: Floats, rows: int, columns: int) -> Floats:
    """What each pixel sees `rows` below and `columns` to its right, edges repeated."""
    row = np.clip(np.arange(field.shape[0]) + rows, 0, field.shape[0] - 1)
    column = np.clip(np.arange(field.shape[1]) + columns, 0, field.shape[1] - 1)
    return field[row[:, None], column[None, :]]


def step_between(field: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, a smooth step between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@dataclass(frozen=True, slots=True)
class Crowns:
    """Tree crowns: the height of the canopy in metres, and a number 0–1 that each tree has."""

    height: Floats
    tree: Floats


def grow_crowns(
    rng: np.random.Generator,
    u: Floats,
    v: Floats,
    spacing: tuple[float, float],
    radius: tuple[float, float],
    height: tuple[float, float],
    jitter: float,
    keep: Callable[[Floats, Floats], Mask] = lambda u, v: np.ones(u.shape, bool),
) -> Crowns:
    """Domed crowns around the points of a jittered lattice in the coordinates u, v (metres).

    `radius` and `height` are ranges in metres; `keep` says at which stems (u, v) a tree grows.
    """
    tall, tree = np.zeros_like(u), np.zeros_like(u)
    table = rng.random((5, 64, 64), np.float32)
    column, row = np.floor(u / spacing[0]), np.floor(v / spacing[1])
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            i, j = row + down, column + right
            du, dv, size, vigour, kind = table[:, i.astype(int) % 64, j.astype(int) % 64]
            stem_u = (j + 0.5 + jitter * (du - 0.5)) * np.float32(spacing[0])
            stem_v = (i + 0.5 + jitter * (dv - 0.5)) * np.float32(spacing[1])
            r = radius[0] + (radius[1] - radius[0]) * size
            top = height[0] + (height[1] - height[0]) * (0.6 * size + 0.4 * vigour)
            inside = 1 - ((u - stem_u) ** 2 + (v - stem_v) ** 2) / r**2
            dome = top * (0.45 + 0.55 * np.sqrt(np.clip(inside, 0, None)))
            wins = (inside > 0) & (dome > tall)
            wins[wins] = keep(stem_u[wins], stem_v[wins])
            tall = np.where(wins, dome, tall).astype(np.float32)
            tree = np.where(wins, kind, tree)
    return Crowns(tall, tree)
