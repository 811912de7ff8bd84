"""Training polygons as an analyst draws them: small convex outlines well inside objects."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Mask

Ring = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A convex outline, (corner, x and y) in pixels of the map, and the class inside."""

    value: int
    ring: Ring


def draw_polygons(
    rng: np.random.Generator, cover: NDArray[np.uint8], per_class: int, largest: int = 60
) -> list[Polygon]:
    """About `per_class` polygons for each class of a map (row, column), spread over the map.

    Every pixel whose centre a polygon holds has its class. A polygon has at most about `largest`
    pixels; none overlap. A class without an object wide enough gets outlines of single pixels.
    """
    free = cover > 0
    polygons = []
    for value in np.unique(cover[cover > 0]):
        mine = cover == value
        # Two thirds start well inside an object, the others anywhere, so that narrow ones count.
        inside = _eroded(mine)
        for where, count in ((inside, 2 * per_class // 3), (mine, per_class - 2 * per_class // 3)):
            for seed in _spread(rng, (where if where.any() else mine) & free, count):
                ring = _outline(rng, seed, mine & free, largest)
                polygons.append(Polygon(int(value), ring))
                part, held = _held(ring, cover.shape, margin=2.0)
                free[part] &= ~held
    return polygons


def _eroded(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.asarray(np.logical_and.reduce(parts), bool)


def _spread(rng: np.random.Generator, where: Mask, count: int) -> list[tuple[int, int]]:
    """Random pixels of a mask, each the one of 12 candidates that is farthest from the others."""
    rows, columns = np.nonzero(where)
    chosen: list[tuple[int, int]] = []
    for _ in range(min(count, len(rows))):
        some = rng.integers(len(rows), size=12)
        gaps = [
            min((math.dist((rows[k], columns[k]), other) for other in chosen), default=0.0)
            for k in some
        ]
        best = int(some[int(np.argmax(gaps))])
        if chosen and max(gaps) < 3:
            continue
        chosen.append((int(rows[best]), int(columns[best])))
    return chosen


def _outline(rng: np.random.Generator, seed: tuple[int, int], allowed: Mask, largest: int) -> Ring:
    """The largest of a number of random outlines around a pixel that hold allowed pixels only."""
    centre = np.array([seed[1] + 0.5, seed[0] + 0.5])
    best, size = centre + 0.42 * _square(), 1
    for _ in range(60):
        aspect = rng.choice([1.3, 2.2, 5.0, 9.0])
        area = rng.uniform(4, largest)
        ring = centre + _shape(rng, math.sqrt(area * aspect), math.sqrt(area / aspect))
        part, held = _held(ring, allowed.shape)
        pixels = int(held.sum())
        whole = ring.min() >= 0 and bool((ring <= allowed.shape[::-1]).all())
        if whole and pixels > size and not (held & ~allowed[part]).any():
            best, size = ring, pixels
    return np.asarray(np.round(best, 2))


def _square() -> Ring:
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)


def _shape(rng: np.random.Generator, length: float, width: float) -> Ring:
    """Five to seven corners on an ellipse, or four on a leaning rectangle, at a random angle."""
    if rng.random() < 0.45:
        ring = _square() * (length / 2, width / 2)
        ring[:, 0] += rng.uniform(-0.15, 0.15) * ring[:, 1]
    else:
        corners = int(rng.integers(5, 8))
        t = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * math.pi / corners
        ring = np.stack([np.cos(t) * length, np.sin(t) * width], axis=1) / 1.7
    angle = rng.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(ring @ turn)


def _held(
    ring: Ring, shape: tuple[int, ...], margin: float = 0.0
) -> tuple[tuple[slice, slice], Mask]:
    """A part of the map, and its pixels whose centres lie less than `margin` outside a ring."""
    reach = math.ceil(margin) + 1
    low = np.maximum(np.floor(ring.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(ring.max(axis=0)).astype(int) + reach, shape[::-1])
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    x = np.arange(low[0], high[0]) + 0.5
    y = (np.arange(low[1], high[1]) + 0.5)[:, None]
    inside = np.ones((y.size, x.size), bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        inside &= side >= -margin * math.hypot(x1 - x0, y1 - y0)
    return part, inside
