"""Whole pixels on a georeferenced grid: shapes, windows and the grid itself."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as transform_points, transform_bounds

from ..errors import InputError
from ..job import Extent

Bounds = tuple[float, float, float, float]
"""West, south, east, north (least x, least y, greatest x, greatest y)."""

_WGS84_RADIUS = 6378137.0
_WGS84_ECCENTRICITY_2 = 0.00669437999014


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rows and columns of pixels there are."""

    rows: int
    columns: int

    def scaled(self, n: int) -> "Shape":
        """The shape where every pixel is cut into n × n."""
        return Shape(self.rows * n, self.columns * n)

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels on a grid; it may leave the grid."""

    row: int
    column: int
    rows: int
    columns: int

    @property
    def end_row(self) -> int:
        """The first row below the window."""
        return self.row + self.rows

    @property
    def end_column(self) -> int:
        """The first column right of the window."""
        return self.column + self.columns

    @property
    def shape(self) -> Shape:
        """The rows and columns of the window."""
        return Shape(self.rows, self.columns)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The window as an index into an array of the whole grid; it must lie within."""
        return slice(self.row, self.end_row), slice(self.column, self.end_column)

    def grown(self, halo: int) -> "Window":
        """The window with `halo` more pixels on every side; it may leave the grid."""
        return Window(
            self.row - halo, self.column - halo, self.rows + 2 * halo, self.columns + 2 * halo
        )

    def shifted(self, rows: int, columns: int) -> "Window":
        """The window moved down by `rows` and right by `columns`."""
        return Window(self.row + rows, self.column + columns, self.rows, self.columns)

    def scaled(self, n: int) -> "Window":
        """The same ground on a grid whose pixels are n times finer."""
        return Window(self.row * n, self.column * n, self.rows * n, self.columns * n)

    def within(self, shape: Shape) -> bool:
        """Whether the window lies on a grid of `shape` entirely."""
        return (
            self.row >= 0
            and self.column >= 0
            and self.end_row <= shape.rows
            and self.end_column <= shape.columns
        )

    def intersection(self, other: "Window") -> "Window | None":
        """The pixels in both windows, or None where there are none."""
        row, column = max(self.row, other.row), max(self.column, other.column)
        rows = min(self.end_row, other.end_row) - row
        columns = min(self.end_column, other.end_column) - column
        return Window(row, column, rows, columns) if rows > 0 and columns > 0 else None

    def clipped(self, shape: Shape) -> "Window | None":
        """The part on a grid of `shape`, or None where there is none."""
        return self.intersection(Window(0, 0, shape.rows, shape.columns))

    def blocks(self, rows: int, columns: int) -> Iterator["Window"]:
        """The window cut into blocks of at most `rows` × `columns`, row by row."""
        for row in range(self.row, self.end_row, rows):
            for column in range(self.column, self.end_column, columns):
                yield Window(
                    row,
                    column,
                    min(rows, self.end_row - row),
                    min(columns, self.end_column - column),
                )

    def strips(self, rows: int) -> Iterator["Window"]:
        """The window cut into strips of at most `rows` rows, from top to bottom."""
        return self.blocks(rows, max(self.columns, 1))


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels on the ground.

    `crs` is WKT, or empty where nothing is known about the place; `transform` takes (column, row)
    at a pixel's upper left corner to map coordinates.
    """

    crs: str
    transform: Affine
    shape: Shape

    @property
    def projection(self) -> CRS | None:
        """The coordinate system, or None."""
        return CRS.from_wkt(self.crs) if self.crs else None

    @property
    def crs_name(self) -> str:
        """The coordinate system as one says it: EPSG:32631, or its name."""
        return _crs_name(self.crs)

    @property
    def window(self) -> Window:
        """The window that is the whole grid."""
        return Window(0, 0, self.shape.rows, self.shape.columns)

    @property
    def bounds(self) -> Bounds:
        """The box around the grid, in its own coordinate system."""
        corners = [
            self.transform @ (column, row)
            for row in (0, self.shape.rows)
            for column in (0, self.shape.columns)
        ]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def gsd(self) -> float:
        """Metres on the ground along the edge of a pixel in the middle of the grid.

        The geometric mean of both edges; where the map's scale is off by more than 1 % (degrees,
        Web Mercator) it is measured on the ellipsoid. Without a coordinate system: map units.
        """
        return _ground_edge(self.crs, self.transform, self.shape)

    def refined(self, n: int) -> "Grid":
        """The grid with every pixel cut into n × n."""
        return Grid(self.crs, self.transform @ Affine.scale(1 / n), self.shape.scaled(n))

    def cropped(self, window: Window) -> "Grid":
        """The grid of the pixels in `window`."""
        corner = Affine.translation(window.column, window.row)
        return Grid(self.crs, self.transform @ corner, window.shape)

    def strips(self, rows: int) -> Iterator[Window]:
        """Windows of the full width and at most `rows` rows, from top to bottom."""
        return self.window.strips(rows)

    def blocks(self, rows: int, columns: int) -> Iterator[Window]:
        """Windows of at most `rows` × `columns`, row by row."""
        return self.window.blocks(rows, columns)

    def same_crs(self, other: "Grid") -> bool:
        """Whether both grids are in the same coordinate system, however it is written."""
        return self.crs == other.crs or (
            bool(self.crs and other.crs) and self.projection == other.projection
        )

    def bounds_in(self, crs: str) -> Bounds:
        """The box around the grid in the coordinate system `crs` (WKT).

        Raises:
            InputError: the place has no coordinates there.
        """
        return _bounds_between(self.bounds, self.crs, crs)

    def window_of(self, extent: Extent) -> Window:
        """The pixels that `extent` touches, clipped to the grid.

        Raises:
            InputError: the extent lies outside, or its coordinate system is unknown.
        """
        box = extent.west, extent.south, extent.east, extent.north
        if extent.crs and self.crs:
            box = _bounds_between(box, extent.crs, self.crs)
        window = self.window_of_bounds(box)
        if window is None:
            raise InputError(
                f"The extent {_box_text(box)} lies outside the scene {_box_text(self.bounds)}; "
                "choose an extent that overlaps the scene, or leave it empty."
            )
        return window

    def window_of_bounds(self, box: Bounds) -> Window | None:
        """The pixels that a box in the grid's own coordinates touches, or None."""
        inverse = ~self.transform
        corners = [inverse @ (x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
        columns, rows = [c for c, _ in corners], [r for _, r in corners]
        # An extent copied from the raster misses pixel edges by rounding; a thousandth is no touch.
        slack = 1e-3
        first_row, first_column = math.floor(min(rows) + slack), math.floor(min(columns) + slack)
        last_row, last_column = math.ceil(max(rows) - slack), math.ceil(max(columns) - slack)
        return Window(
            first_row,
            first_column,
            max(last_row - first_row, 1),
            max(last_column - first_column, 1),
        ).clipped(self.shape)


@lru_cache(maxsize=64)
def _crs_name(crs: str) -> str:
    if not crs:
        return "no coordinate system"
    projection = CRS.from_wkt(crs)
    authority = projection.to_authority(confidence_threshold=70)
    if authority:
        return ":".join(authority)
    return projection.to_wkt().split('"')[1] or "a coordinate system without a name"


def _box_text(box: Bounds) -> str:
    return f"({', '.join(f'{side:.8g}' for side in box)})"


def _bounds_between(box: Bounds, source: str, target: str) -> Bounds:
    try:
        from_crs, to_crs = CRS.from_user_input(source), CRS.from_user_input(target)
    except CRSError as error:
        raise InputError(
            f"The coordinate system “{source[:60]}” is not known; give an EPSG code."
        ) from error
    if from_crs == to_crs:
        return box
    try:
        found: Bounds = transform_bounds(from_crs, to_crs, *box, densify_pts=21)
    except (RasterioError, CPLE_BaseError) as error:
        raise InputError(
            f"The box {_box_text(box)} cannot be expressed in {_crs_name(to_crs.to_wkt())}; "
            "check the coordinate systems of the layers."
        ) from error
    if not all(math.isfinite(side) for side in found):
        raise InputError(
            f"The box {_box_text(box)} has no place in {_crs_name(to_crs.to_wkt())}; "
            "check the coordinate systems of the layers."
        )
    return found


@lru_cache(maxsize=64)
def _ground_edge(crs: str, transform: Affine, shape: Shape) -> float:
    nominal = math.sqrt(abs(transform.determinant))
    if not crs:
        return nominal
    projection = CRS.from_wkt(crs)
    column, row = shape.columns / 2, shape.rows / 2
    points = [transform @ spot for spot in ((column, row), (column + 1, row), (column, row + 1))]
    if projection.is_geographic:
        degrees = math.degrees(projection.units_factor[1])
        return _edge_in_metres([(x * degrees, y * degrees) for x, y in points])
    nominal *= float(projection.units_factor[1])
    try:
        xs, ys = transform_points(
            projection, CRS.from_epsg(4326), [x for x, _ in points], [y for _, y in points]
        )
    except (RasterioError, CPLE_BaseError):
        return nominal  # a local or extraterrestrial system: its own metres are all there is
    measured = _edge_in_metres(list(zip(xs, ys, strict=True)))
    off = abs(measured / nominal - 1) if math.isfinite(measured) and measured > 0 else 0.0
    return measured if off > 0.01 else nominal


def _edge_in_metres(points: list[tuple[float, float]]) -> float:
    """The geometric mean edge of the pixel with corners (lon, lat) in degrees, on WGS 84."""
    (lon, lat), *others = points
    sine2 = math.sin(math.radians(lat)) ** 2
    root = math.sqrt(1 - _WGS84_ECCENTRICITY_2 * sine2)
    north_south = _WGS84_RADIUS * (1 - _WGS84_ECCENTRICITY_2) / root**3
    east_west = _WGS84_RADIUS / root * math.cos(math.radians(lat))
    (ax, ay), (bx, by) = (
        (math.radians(x - lon) * east_west, math.radians(y - lat) * north_south) for x, y in others
    )
    return math.sqrt(abs(ax * by - ay * bx))
