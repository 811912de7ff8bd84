"""Rounded, irregular outlines, such as nature and excavators leave."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from .canvas import Canvas, Floats

Part = tuple[slice, slice]
_HARMONICS = (2, 3, 4, 5, 7)


@dataclass(frozen=True, slots=True)
class Blob:
    """A wobbly ellipse around x, y (metres); `angle` is the direction of its length.

    `taper` below 0 makes the end in that direction wider than the other one, above 0 narrower.
    """

    x: float
    y: float
    angle: float
    length: float
    width: float
    taper: float
    amplitudes: NDArray[np.float64]
    phases: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """A radius, in metres, that holds the whole outline."""
        wobble = 1 + float(np.abs(self.amplitudes).sum())
        return max(self.length, self.width) / 2 * wobble * (1 + abs(self.taper))

    def ratio(self, canvas: Canvas, part: Part) -> tuple[Floats, Floats]:
        """How far out each pixel lies: 0 at the centre, 1 on the outline; and along the length.

        The second is −0.5 at the rear end and 0.5 at the front end.
        """
        dx, dy = canvas.x[:, part[1]] - self.x, canvas.y[part[0]] - self.y
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        a = (dx * cos + dy * sin) / self.length
        b = (dy * cos - dx * sin) / self.width
        angle = np.arctan2(b, a)
        return np.hypot(a, b) * 2 / self._radius(angle), a

    def outline(self, corners: int = 72) -> NDArray[np.float64]:
        """The outline (corner, x and y) in metres."""
        angle = np.arange(corners) * 2 * math.pi / corners
        radius = self._radius(angle) / 2
        a, b = radius * np.cos(angle) * self.length, radius * np.sin(angle) * self.width
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.stack([self.x + a * cos - b * sin, self.y + a * sin + b * cos], axis=1)

    def polygon(self, gsd: float) -> shapely.Polygon:
        """The outline in pixels (column, row) of a grid of `gsd` metres."""
        return shapely.Polygon(self.outline() / gsd)

    def _radius(self, angle: Floats) -> Floats:
        radius = 1 - self.taper * np.cos(angle) * np.sin(angle) ** 2 * 1.6
        for harmonic, amplitude, phase in zip(
            _HARMONICS, self.amplitudes, self.phases, strict=True
        ):
            radius = radius + amplitude * np.cos(harmonic * angle + phase)
        return np.asarray(radius)


def draw_blob(
    rng: np.random.Generator, x: float, y: float, angle: float, length: float, width: float,
    taper: float = 0.0, wobble: float = 0.06,
) -> Blob:  # fmt: skip
    """A blob with random wobbles of about `wobble` of its radius."""
    strength = wobble / np.sqrt(np.array(_HARMONICS) - 1)
    return Blob(x, y, angle, length, width, taper, strength * rng.uniform(-1, 1, len(_HARMONICS)),
                rng.uniform(0, 2 * math.pi, len(_HARMONICS)))  # fmt: skip


def scatter_places(
    rng: np.random.Generator, canvas: Canvas, count: int, gap: float, worth: Floats,
    taken: list[tuple[float, float]],
) -> list[tuple[float, float]]:  # fmt: skip
    """At most `count` places x, y where `worth` is positive, `gap` metres from each other.

    They also keep that distance from the places in `taken`.
    """
    rows, columns = np.nonzero(worth > 0)
    found: list[tuple[float, float]] = []
    for k in rng.permutation(len(rows))[: 400 * count]:
        place = ((columns[k] + 0.5) * canvas.gsd, (rows[k] + 0.5) * canvas.gsd)
        if all(math.dist(place, other) >= gap for other in (*found, *taken)):
            found.append(place)
        if len(found) == count:
            break
    return found
