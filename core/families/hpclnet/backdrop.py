"""The elevation as a shaded relief on the image's grid, to lay a map of probabilities over."""

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform as transform_points

from ...scene.grid import Grid, Window
from ...scene.scene import Scene
from .native import native_gradient
from .terrain import Doubles, Gradient, horn, relief, smoothed, smoothing_radius
from .view import COARSE, DEM


def shaded_relief(scene: Scene, window: Window, metres: float) -> NDArray[np.uint8]:
    """The relief (row, column) in a window of the scene's delivery grid: 1 to 255, 0 is missing.

    `metres` is what one unit of the elevation model is worth. The light comes from the upper left
    of the picture, however it lies.
    """
    grid = scene.delivery
    rise = _rise(scene, window)
    across, down = pixel_metres(grid, scene.grid, window)
    sloping = Gradient(rise.right * metres / across, rise.up * metres / down, rise.valid)
    shade = np.rint(1 + 254 * relief(sloping))
    return np.where(rise.valid, shade, 0).astype(np.uint8)


def _rise(scene: Scene, window: Window) -> Gradient:
    """The rise in units of the elevation model from one pixel of the delivery grid to the next."""
    grid = scene.delivery
    ratio = scene.facts(DEM).gsd / grid.gsd
    if ratio > COARSE:
        return native_gradient(scene.placed(DEM).image, grid, window)
    sigma = 0.5 * ratio
    rim = smoothing_radius(sigma)
    # The elevation goes on beyond the image; with it, the outermost pixels have slopes, too.
    margin = 1 + rim
    placed = scene.placed(DEM, grid.cropped(grid.window.grown(margin)))
    values, valid = placed.read(window.grown(margin).shifted(margin, margin))
    rows, columns = valid.shape
    heights = smoothed(values[0].astype(np.float64), valid, sigma)
    return horn(heights, valid[rim : rows - rim, rim : columns - rim])


def pixel_metres(grid: Grid, metric: Grid, window: Window) -> tuple[Doubles, Doubles]:
    """How many metres a pixel of `grid` is across and down, (row, 1) in the rows of `window`.

    `metric` is a grid of square metres around the same ground; each row is measured in the middle
    of `grid`.
    """
    if grid.same_crs(metric):
        return (np.full((window.rows, 1), grid.gsd),) * 2
    rows: Doubles = np.arange(window.row, window.end_row, dtype=np.float64) + 0.5
    middle = np.full(len(rows), grid.shape.columns / 2)
    sides = [
        _moved(grid, metric, middle + x, rows + y)
        for x, y in ((-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5))
    ]
    across = np.hypot(*(sides[1] - sides[0]))[:, None]
    down = np.hypot(*(sides[3] - sides[2]))[:, None]
    return across, down


def _moved(grid: Grid, metric: Grid, columns: Doubles, rows: Doubles) -> Doubles:
    """Places of `grid` in the metres of `metric`: (x and y, place)."""
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    xs, ys = a * columns + b * rows + c, d * columns + e * rows + f
    there = transform_points(grid.projection, metric.projection, xs.tolist(), ys.tolist())
    return np.array(there[:2], dtype=np.float64)
