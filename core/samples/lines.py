"""Rivers and roads: curved lines, and the pixels along them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corridor:
    """What lies along a line: metres from it (inf beyond the reach), and metres along it."""

    distance: Floats
    along: Floats


def corridor(canvas: Canvas, lines: Sequence[Points], reach: float) -> Corridor:
    """The pixels within `reach` metres of the nearest of some lines (point, x and y)."""
    distance = np.full((canvas.rows, canvas.columns), np.inf, np.float32)
    along = canvas.zeros()
    walked = 0.0
    for start, end in (piece for line in lines for piece in pairwise(line)):
        length = math.dist(start, end)
        middle = (start + end) / 2
        part = canvas.around(middle[0], middle[1], length / 2 + reach)
        dx, dy = canvas.x[:, part[1]] - start[0], canvas.y[part[0]] - start[1]
        tx, ty = (end - start) / length
        t = np.clip(dx * tx + dy * ty, 0, length)
        d = np.hypot(dx - t * tx, dy - t * ty)
        nearer = (d < distance[part]) & (d <= reach)
        distance[part][nearer] = d[nearer]
        along[part][nearer] = walked + t[nearer]
        walked += length
    return Corridor(distance, along)


def crossing_line(
    rng: np.random.Generator,
    canvas: Canvas,
    through: tuple[float, float],
    angle: float,
    bend: float,
    bend_length: float,
) -> Points:
    """A line that swings across the whole canvas, through a point, along `angle` (radians).

    `bend` is how far it swings to either side, `bend_length` the length of one swing, in metres.
    """
    reach = math.hypot(canvas.width, canvas.height)
    t = np.arange(-reach, reach, 4.0)
    aside = np.zeros_like(t)
    for stretch, share in ((1.0, 0.7), (0.47, 0.2), (2.3, 0.35)):
        phase = rng.uniform(0, 2 * math.pi)
        wave = 2 * math.pi * t / (bend_length * stretch)
        aside += share * bend * (np.sin(wave + phase) - math.sin(phase))
    across, down = math.cos(angle), math.sin(angle)
    points = np.stack(
        [through[0] + t * across - aside * down, through[1] + t * down + aside * across], axis=1
    )
    margin = 60.0
    inside = (
        (points[:, 0] > -margin) & (points[:, 0] < canvas.width + margin)
        & (points[:, 1] > -margin) & (points[:, 1] < canvas.height + margin)
    )  # fmt: skip
    kept = np.flatnonzero(inside)
    return points[kept[0] : kept[-1] + 1]


def branch(
    rng: np.random.Generator, start: Points, angle: float, length: float, curl: float
) -> Points:
    """A side line from `start`, leaving along `angle`, turning by at most `curl` on its way."""
    steps = max(2, math.ceil(length / 4))
    turn = np.linspace(0, 1, steps) * rng.uniform(-curl, curl)
    turn += 0.15 * np.sin(np.linspace(0, rng.uniform(3, 8), steps))
    moves = np.stack([np.cos(angle + turn), np.sin(angle + turn)], axis=1) * (length / steps)
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def headings(line: Points) -> NDArray[np.float64]:
    """The angle in radians at which a line goes on from each of its points."""
    moves = np.diff(line, axis=0, append=2 * line[-1:] - line[-2:-1])
    return np.arctan2(moves[:, 1], moves[:, 0])
