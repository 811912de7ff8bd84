"""The rise of an elevation model that is coarser than the working grid, derived on its own grid."""

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import transform as transform_points

from ...scene.grid import Grid, Window
from ...scene.source import Image
from .terrain import Doubles, Gradient, horn

_LATTICE = 16


def native_gradient(image: Image, grid: Grid, window: Window) -> Gradient:
    """How the ground of `image` rises on `grid` (row, column of `window`), in its unit a pixel.

    Derived between the elevation model's own pixels, interpolated, and turned into the picture of
    `grid` through the Jacobian of the map between both. So it needs no pixel sizes: in degrees or
    in metres, turned or not, the answer is the rise along one pixel of `grid`, which is metric.
    `window` may leave the grid; the ground goes on there.
    """
    columns, rows = _where(image.grid, grid, window.grown(1))
    needed = _around(rows, columns)
    found = horn(*_read(image, needed))
    row, column = rows - needed.row - 1.5, columns - needed.column - 1.5
    right, up, valid = _interpolated(found, row, column)
    inner = (slice(1, -1), slice(1, -1))
    column_right, row_right = _step(columns, 1), _step(rows, 1)
    column_up, row_up = -_step(columns, 0), -_step(rows, 0)
    # right and up are rises along a column to the right and a row upwards of the own grid.
    return Gradient(
        np.where(valid[inner], right[inner] * column_right - up[inner] * row_right, 0.0),
        np.where(valid[inner], right[inner] * column_up - up[inner] * row_up, 0.0),
        valid[inner],
    )


def _step(places: Doubles, axis: int) -> Doubles:
    """How far `places` move from one pixel to the next along `axis`; without the margin."""
    return np.asarray(np.gradient(places, axis=axis)[1:-1, 1:-1])


def _where(source: Grid, target: Grid, window: Window) -> tuple[Doubles, Doubles]:
    """The (column, row) on `source` of the pixels' centres in `window` of `target`.

    Between different coordinate systems every 16th place is computed and the others are between
    them; the lattice is fixed to the grid, so that windows agree.
    """
    if source.same_crs(target):
        ys, xs = np.mgrid[window.row : window.end_row, window.column : window.end_column] + 0.5
        return _mapped(~source.transform @ target.transform, xs, ys)
    row, column = window.row // _LATTICE * _LATTICE, window.column // _LATTICE * _LATTICE
    ys = np.arange(row, window.end_row + _LATTICE + 1, _LATTICE) + 0.5
    xs = np.arange(column, window.end_column + _LATTICE + 1, _LATTICE) + 0.5
    map_x, map_y = _mapped(target.transform, *np.meshgrid(xs, ys))
    there = transform_points(
        target.projection, source.projection, map_x.ravel().tolist(), map_y.ravel().tolist()
    )
    places = (np.array(one, dtype=np.float64).reshape(map_x.shape) for one in there[:2])
    columns, rows = _mapped(~source.transform, *places)
    fine_y = (np.arange(window.row, window.end_row) - row) / _LATTICE
    fine_x = (np.arange(window.column, window.end_column) - column) / _LATTICE
    at_y, at_x = np.broadcast_arrays(fine_y[:, None], fine_x[None, :])
    return _bilinear(columns, at_y, at_x), _bilinear(rows, at_y, at_x)


def _mapped(transform: Affine, xs: Doubles, ys: Doubles) -> tuple[Doubles, Doubles]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * xs + b * ys + c, d * xs + e * ys + f


def _around(rows: Doubles, columns: Doubles) -> Window:
    """The pixels of the own grid that interpolation and 3×3 neighbourhoods reach."""
    finite = np.isfinite(rows) & np.isfinite(columns)
    if not finite.any():
        return Window(0, 0, 4, 4)
    row, column = int(np.floor(rows[finite].min())) - 2, int(np.floor(columns[finite].min())) - 2
    end_row, end_column = int(np.ceil(rows[finite].max())) + 3, int(np.ceil(columns[finite].max()))
    return Window(row, column, end_row - row, end_column + 3 - column)


def _read(image: Image, window: Window) -> tuple[Doubles, NDArray[np.bool_]]:
    """Heights and validity in `window`; what lies outside the image is missing."""
    values = np.zeros((window.rows, window.columns))
    valid = np.zeros(values.shape, dtype=bool)
    inside = window.clipped(image.grid.shape)
    if inside is not None:
        rows, columns = inside.shifted(-window.row, -window.column).slices
        found, known = image.read(inside)
        values[rows, columns], valid[rows, columns] = found[0], known
    return values, valid


def _interpolated(
    found: Gradient, row: Doubles, column: Doubles
) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
    """The rise at fractional pixels; missing ones have no part, half the weight must be there."""
    rows, columns = found.valid.shape
    inside = (row >= 0) & (column >= 0) & (row <= rows - 1) & (column <= columns - 1)
    row, column = np.where(inside, row, 0.0), np.where(inside, column, 0.0)
    weight = np.where(inside, _bilinear(found.valid.astype(np.float64), row, column), 0.0)
    share = np.maximum(weight, 1e-12)
    right = _bilinear(found.right, row, column) / share
    up = _bilinear(found.up, row, column) / share
    return right, up, np.asarray(weight >= 0.499)


def _bilinear(values: Doubles, row: Doubles, column: Doubles) -> Doubles:
    top = np.clip(np.floor(row).astype(np.intp), 0, values.shape[0] - 2)
    left = np.clip(np.floor(column).astype(np.intp), 0, values.shape[1] - 2)
    down, right = row - top, column - left
    upper = values[top, left] * (1 - right) + values[top, left + 1] * right
    lower = values[top + 1, left] * (1 - right) + values[top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)
