"""Sunlight on a surface of heights: the slope towards the sun, and cast shadows."""

import math
from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Floats, shifted


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun stands: azimuth clockwise from north and elevation, in degrees."""

    azimuth: float = 155.0
    elevation: float = 44.0

    @property
    def east(self) -> float:
        """The horizontal direction to the sun, eastward part."""
        return math.sin(math.radians(self.azimuth))

    @property
    def south(self) -> float:
        """The horizontal direction to the sun, southward part."""
        return -math.cos(math.radians(self.azimuth))

    @property
    def climb(self) -> float:
        """Metres that a ray to the sun rises for one metre over ground."""
        return math.tan(math.radians(self.elevation))


def slope_light(canvas: Canvas, heights: Floats, sun: Sun, steepest: float = 1.3) -> Floats:
    """Lambert's cosine relative to level ground; slopes above `steepest` count as that."""
    down, right = np.gradient(heights, canvas.gsd)
    down, right = (np.clip(part, -steepest, steepest) for part in (down, right))
    facing = sun.climb - right * sun.east - down * sun.south
    light = facing / (sun.climb * np.sqrt(1 + down**2 + right**2))
    return np.asarray(np.clip(light, 0, None), np.float32)


def sunlit(canvas: Canvas, heights: Floats, sun: Sun, softness: float = 0.5) -> Floats:
    """1 where the sun reaches a pixel, 0 in the shadow of `heights` (m), between at its rim."""
    tallest = float(heights.max() - heights.min())
    horizon = np.full_like(heights, -np.inf)
    for k in range(1, math.ceil(tallest / sun.climb / canvas.gsd) + 1):
        seen = shifted(heights, round(k * sun.south), round(k * sun.east))
        np.maximum(horizon, seen - np.float32(k * canvas.gsd * sun.climb), out=horizon)
    return np.clip(1 - (horizon - heights) / softness, 0, 1).astype(np.float32)
