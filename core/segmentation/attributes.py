"""What is said about each area of a map: how sure, how large, how whole."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.warp import transform as transform_points

from ..scene.grid import Grid, Window
from ..scene.layers import Doubles, Polygons, in_metres, moved
from ..scene.scene import Scene
from .cleaning import NODATA, Bytes
from .parts import Mask, labelled


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A connected area of the map, within the pixels around it.

    `window` is where it lies on the scene's `delivery` grid and `grid` the pixels of the window;
    `mask` and `probabilities` are (row, column) there, NaN where there is no data. `outline` is in
    map coordinates, along the pixels' edges.
    """

    window: Window
    grid: Grid
    mask: Mask
    probabilities: NDArray[np.float32]
    outline: shapely.Polygon

    def on(self, grid: Grid, margin: int = 1) -> tuple[Window, Mask]:
        """The area on another grid: a window, which may leave it, and its pixels (row, column).

        There are `margin` pixels around it, and at least one within: the one in its middle.
        """
        there = self.outline
        if not self.grid.same_crs(grid):
            there = shapely.transform(
                there,
                lambda points: np.stack(
                    transform_points(self.grid.projection, grid.projection, *points.T.tolist()),
                    axis=1,
                ),
            )
        there = moved(np.array([there], dtype=object), ~grid.transform)[0]
        left, top, right, bottom = there.bounds
        row, column = math.floor(top), math.floor(left)
        window = Window(
            row, column, max(math.ceil(bottom) - row, 1), max(math.ceil(right) - column, 1)
        ).grown(margin)
        inside = rasterize(
            [(there, 1)],
            (window.rows, window.columns),
            transform=Affine.translation(window.column, window.row),
            dtype="uint8",
        ).astype(bool)
        if not inside.any():
            middle = there.representative_point()
            inside[math.floor(middle.y) - window.row, math.floor(middle.x) - window.column] = True
        return window, inside


@dataclass(frozen=True, slots=True)
class OwnAttributes:
    """What a family has to say about an area, beside what all say.

    `describe` gives a number for each of `fields`, NaN where it is unknown. It may read the
    scene's images where the part lies, on the image's grid by
    `scene.placed(role, scene.delivery).read(part.window)`, or on the network's, in square metres,
    by `window, inside = part.on(scene.grid)` and `scene.read(role, window)`.
    """

    fields: tuple[str, ...]
    describe: Callable[[Scene, Part], Mapping[str, float]]


def confidence_word(mean: float, threshold: float) -> str:
    """How sure the model is of an area: low, medium or high, by its mean probability.

    The span from the threshold to 1 is cut into thirds; below the threshold, which happens with
    hysteresis, it is low.
    """
    share = (mean - threshold) / max(1 - threshold, 1e-9)
    return "high" if share >= 2 / 3 else "medium" if share >= 1 / 3 else "low"


def said_of(part: Part, around: Bytes, threshold: float) -> dict[str, object]:
    """What the pixels of an area tell.

    `around` is the map in the part's window and one pixel more on every side.
    """
    inside = part.probabilities[part.mask]
    mean = float(inside.mean())
    whole = filled(part.mask)
    missing = around[1:-1, 1:-1] == NODATA
    return {
        "mean_prob": round(mean, 4),
        "max_prob": round(float(inside.max()), 4),
        "p90_prob": round(float(np.percentile(inside, 90)), 4),
        "confidence": confidence_word(mean, threshold),
        "nodata_share": round(float(missing[whole].mean()), 4),
        "touches_edge": bool((_neighbours(part.mask) & (around == NODATA)).any()),
    }


def filled(mask: Mask) -> Mask:
    """The pixels of an area and of all its holes."""
    labels, _ = labelled(np.pad(~mask, 1, constant_values=True), diagonal=False)
    return np.asarray(labels != labels[0, 0])[1:-1, 1:-1]


def _neighbours(mask: Mask) -> Mask:
    """The pixels of an area and those around them, one pixel further on every side."""
    rows, columns = mask.shape
    grown = np.zeros((rows + 2, columns + 2), dtype=bool)
    for down in range(3):
        for right in range(3):
            grown[down : down + rows, right : right + columns] |= mask
    return grown


def measures_of(outlines: Polygons, grid: Grid) -> dict[str, Doubles]:
    """What outlines in map coordinates measure on the ground; NaN where there is no measure.

    `compactness` is 4πA/P² (Polsby and Popper): 1 for a circle, near 0 for a thin line.
    """
    metric = in_metres(outlines, grid)
    area = np.asarray(shapely.area(metric), dtype=np.float64)
    perimeter = np.asarray(shapely.length(metric), dtype=np.float64)
    shown = np.where(np.isnan(area), outlines, metric)
    flat, around = shapely.area(shown), shapely.length(shown)
    compactness = np.divide(
        4 * np.pi * flat, around**2, out=np.full(len(flat), np.nan), where=around > 0
    )
    return {
        "area_m2": area.round(3),
        "area_ha": (area / 1e4).round(5),
        "perimeter_m": perimeter.round(3),
        "compactness": compactness.round(4),
    }
