"""How an image that lies on a grid of its own is seen on another one."""

import math

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform as transform_points

from ..errors import ResourceError
from .grid import Grid, Window
from .source import Floats, Image, Mask

Doubles = NDArray[np.float64]

TOLERANCE = 0.01
"""How far, in pixels, two grids may be apart anywhere and still count as one."""

_PIECE = 1024
_PIECE_VALUES = 2**24
# At half-pixel shifts a corner pixel has a quarter of its weight inside the image; a hair less,
# because rounding must not decide about it.
_ENOUGH = 0.249
# GDAL wants some coordinate system, even where both arrays are in the same one.
_FLAT = "EPSG:3857"


def relation(source: Grid, target: Grid) -> Affine:
    """What takes (column, row) on `target` to (column, row) on `source`, in one CRS."""
    between: Affine = ~source.transform @ target.transform
    return between


def offset(source: Grid, target: Grid) -> tuple[int, int] | None:
    """The (row, column) of the target's first pixel on the source, where both line up.

    Lined up means: same coordinate system, same pixel size, whole-pixel offset, all within
    `TOLERANCE` of a pixel over the whole target.
    """
    if not source.same_crs(target):
        return None
    between = relation(source, target)
    column, row = round(between.c), round(between.f)
    for x in (0, target.shape.columns):
        for y in (0, target.shape.rows):
            found_x, found_y = between @ (x, y)
            if max(abs(found_x - x - column), abs(found_y - y - row)) > TOLERANCE:
                return None
    return row, column


def reason(source: Grid, target: Grid, owner: str = "the result") -> str:
    """Why an image on `source` has to be resampled to be seen on `target`, in words.

    `owner` is whose grid the target is.
    """
    if not source.same_crs(target):
        return f"it is in {source.crs_name}, {owner} in {target.crs_name}"
    between = relation(source, target)
    if max(abs(between.b), abs(between.d)) > 1e-9 or between.a < 0 or between.e < 0:
        return f"it is turned or mirrored against {owner}'s grid"
    drift = max(abs(between.a - 1) * target.shape.columns, abs(between.e - 1) * target.shape.rows)
    if drift > TOLERANCE:
        times = 1 / between.a
        if abs(between.a / between.e - 1) < 1e-3 and not 0.9 < times < 1.1:
            how = f"{times:.3g} times as large" if times > 1 else f"{1 / times:.3g} times as fine"
            return f"its pixels are {how} as those of {owner}'s grid"
        return (
            f"its pixels are {1 / between.a:.7g} × {1 / between.e:.7g} times as large as those "
            f"of {owner}'s grid"
        )
    return (
        f"its pixels are shifted by {between.c - round(between.c):+.2f} columns and "
        f"{between.f - round(between.f):+.2f} rows"
    )


def _mapped(transform: Affine, xs: Doubles, ys: Doubles) -> tuple[Doubles, Doubles]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * xs + b * ys + c, d * xs + e * ys + f


class Placed:
    """An image as seen on `grid`: read directly where it lines up, else resampled on the fly.

    Resampling is bilinear, and the mean of all pixels where the image is over twice as fine. A
    pixel is valid when a quarter of the weight behind it is, and missing pixels have no part in
    the value (normalised convolution). Values do not depend on the window they are read in,
    because pieces have fixed columns, and GDAL works row by row.
    """

    def __init__(self, image: Image, grid: Grid, *, nearest: bool = False) -> None:
        """`image` and `grid` are in one coordinate system, or both have one.

        `nearest` takes the nearest pixel, as class values need it.
        """
        self.image = image
        self._nearest = nearest
        self.grid = grid
        self.offset = offset(image.grid, grid)
        self._mean = False
        if self.offset is None:
            self._prepare()

    @property
    def resampled(self) -> bool:
        """Whether values are interpolated."""
        return self.offset is None

    @property
    def method(self) -> str:
        """How values are found, in a word: bilinear, average or nearest."""
        return str(self._resampling.name)

    @property
    def _resampling(self) -> Resampling:
        if self._nearest:
            return Resampling.nearest
        return Resampling.average if self._mean else Resampling.bilinear

    def _prepare(self) -> None:
        image = self.image.grid
        if image.same_crs(self.grid):
            between = relation(image, self.grid)
            across = math.hypot(between.a, between.d)
            down = math.hypot(between.b, between.e)
        else:
            across = down = self.grid.gsd / image.gsd
        self._ratio = max(across, down)
        self._mean = self._ratio > 2
        # Without fixed scales GDAL derives the kernel's width from each piece anew.
        self._scales = {
            "XSCALE": 1 / across if across > 1.05 else 1.0,
            "YSCALE": 1 / down if down > 1.05 else 1.0,
        }
        edge = math.sqrt(_PIECE_VALUES / (len(self.image.indexes) + 1)) / max(self._ratio, 1.0)
        self._piece = min(_PIECE, max(16, 2 ** int(math.log2(edge))))

    def read(self, window: Window) -> tuple[Floats, Mask]:
        """Values (band, row, column) and validity (row, column) of a window within the grid.

        Invalid pixels are 0; what lies outside the image is invalid.
        """
        bands = len(self.image.indexes)
        values = np.zeros((bands, window.rows, window.columns), dtype=np.float32)
        valid = np.zeros((window.rows, window.columns), dtype=bool)
        if self.offset is not None:
            there = window.shifted(*self.offset)
            inside = there.clipped(self.image.grid.shape)
            if inside is not None:
                if inside == there:
                    return self.image.read(there)
                rows, columns = inside.shifted(-there.row, -there.column).slices
                values[:, rows, columns], valid[rows, columns] = self.image.read(inside)
            return values, valid
        for piece in self._pieces(window):
            here = piece.intersection(window)
            if here is None:
                continue
            found = self._warped(Window(here.row, piece.column, here.rows, piece.columns))
            if found is None:
                continue
            taken = slice(here.column - piece.column, here.end_column - piece.column)
            rows, columns = here.shifted(-window.row, -window.column).slices
            values[:, rows, columns] = found[0][:, :, taken]
            valid[rows, columns] = found[1][:, taken]
        return values, valid

    def _pieces(self, window: Window) -> list[Window]:
        """The pieces of the grid, at fixed places, that make up `window`."""
        size = self._piece
        row, column = window.row // size * size, window.column // size * size
        cover = Window(row, column, window.end_row - row, window.end_column - column)
        pieces = cover.blocks(size, size)
        whole = (Window(one.row, one.column, size, size) for one in pieces)
        return [one for one in (w.clipped(self.grid.shape) for w in whole) if one is not None]

    def _warped(self, piece: Window) -> tuple[Floats, Mask] | None:
        needed = self._behind(piece)
        if needed is None:
            return None
        stacked = self._weighted(needed)
        result = np.zeros((len(stacked), piece.rows, piece.columns), dtype=np.float32)
        try:
            reproject(
                stacked,
                result,
                **self._frames(needed, piece),
                resampling=self._resampling,
                warp_mem_limit=512,
                tolerance=TOLERANCE,
                **self._scales,
            )
        except (RasterioError, CPLE_BaseError) as error:
            raise ResourceError(
                f"{self.image.title} cannot be resampled to {self.grid.crs_name}: {error}. "
                "Reproject it in QGIS first."
            ) from error
        share = result[-1]
        mask = share >= _ENOUGH
        warped = np.divide(result[:-1], share, out=np.zeros_like(result[:-1]), where=mask)
        return warped, mask

    def _weighted(self, needed: Window) -> Floats:
        """Values (0 where missing) and, as the last band, weights; outside the image both are 0.

        With the surroundings included, the edge of an image acts like the edge of its nodata.
        """
        shape = (len(self.image.indexes) + 1, needed.rows, needed.columns)
        stacked = np.zeros(shape, dtype=np.float32)
        inside = needed.clipped(self.image.grid.shape)
        if inside is not None:
            rows, columns = inside.shifted(-needed.row, -needed.column).slices
            stacked[:-1, rows, columns], stacked[-1, rows, columns] = self.image.read(inside)
        return stacked

    def _frames(self, needed: Window, piece: Window) -> dict[str, object]:
        """Where both arrays lie; in one CRS in pixels, which rounds less than in map units."""
        image = self.image.grid
        if image.same_crs(self.grid):
            corner = Affine.translation(piece.column, piece.row)
            return {
                "src_transform": Affine.translation(needed.column, needed.row),
                "dst_transform": relation(image, self.grid) * corner,
                "src_crs": _FLAT,
                "dst_crs": _FLAT,
            }
        return {
            "src_transform": image.cropped(needed).transform,
            "dst_transform": self.grid.cropped(piece).transform,
            "src_crs": image.projection,
            "dst_crs": self.grid.projection,
        }

    def _behind(self, piece: Window) -> Window | None:
        """The window of the image that decides about `piece`, with the kernel's margin."""
        steps = np.linspace(0.0, 1.0, 22)
        xs = np.concatenate([steps, steps, np.zeros(22), np.ones(22)]) * piece.columns
        ys = np.concatenate([np.zeros(22), np.ones(22), steps, steps]) * piece.rows
        transform = self.grid.transform @ Affine.translation(piece.column, piece.row)
        map_x, map_y = _mapped(transform, xs, ys)
        image = self.image.grid
        if not image.same_crs(self.grid):
            found_x, found_y = transform_points(
                self.grid.projection, image.projection, map_x.tolist(), map_y.tolist()
            )
            map_x, map_y = np.array(found_x), np.array(found_y)
        columns, rows = _mapped(~image.transform, map_x, map_y)
        usable = np.isfinite(columns) & np.isfinite(rows)
        if not usable.any():
            return None
        margin = math.ceil(2 * max(self._ratio, 1.0)) + 2
        first_row = math.floor(rows[usable].min()) - margin
        first_column = math.floor(columns[usable].min()) - margin
        return Window(
            first_row,
            first_column,
            math.ceil(rows[usable].max()) + margin - first_row,
            math.ceil(columns[usable].max()) + margin - first_column,
        ).intersection(image.window.grown(margin))
