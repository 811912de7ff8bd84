"""The grid that a network works on: square metres, at a pixel size that suits the objects."""

import math

from affine import Affine
from rasterio.crs import CRS

from ..scene.grid import Grid, Shape

_SAME = 0.05


def working_grid(grid: Grid, gsd: float) -> Grid:
    """The ground of `grid` in pixels of `gsd` metres, in a metric coordinate system.

    0 keeps the pixel size of the image. A grid that already is metric and within 5 % of `gsd` is
    returned as it is; a metric one keeps origin and axes; any other (degrees, Web Mercator away
    from the equator) is worked in the UTM zone of its middle. Without a coordinate system, map
    units count as metres.
    """
    wanted = gsd or grid.gsd
    if _metric(grid):
        ratio = wanted / grid.gsd
        return grid if abs(ratio - 1) <= _SAME else _coarser(grid, ratio)
    west, south, east, north = grid.bounds_in(CRS.from_epsg(4326).to_wkt())
    crs = CRS.from_epsg(_zone((west + east) / 2, (south + north) / 2)).to_wkt()
    west, south, east, north = grid.bounds_in(crs)
    columns = max(1, math.ceil((east - west) / wanted - 1e-6))
    rows = max(1, math.ceil((north - south) / wanted - 1e-6))
    return Grid(crs, Affine(wanted, 0, west, 0, -wanted, north), Shape(rows, columns))


def _metric(grid: Grid) -> bool:
    """Whether map units are metres (or some other length, true to scale), with square pixels."""
    a, b, _, d, e, _ = tuple(grid.transform)[:6]
    across, down = math.hypot(a, d), math.hypot(b, e)
    if abs(across / down - 1) > _SAME:
        return not grid.crs
    if not grid.crs:
        return True
    projection = CRS.from_wkt(grid.crs)
    if projection.is_geographic:
        return False
    nominal = math.sqrt(across * down) * float(projection.units_factor[1])
    return abs(grid.gsd / nominal - 1) <= 0.01


def _coarser(grid: Grid, ratio: float) -> Grid:
    shape = Shape(
        max(1, math.ceil(grid.shape.rows / ratio - 1e-6)),
        max(1, math.ceil(grid.shape.columns / ratio - 1e-6)),
    )
    return Grid(grid.crs, grid.transform @ Affine.scale(ratio), shape)


def _zone(longitude: float, latitude: float) -> int:
    """The EPSG code of the UTM zone (WGS 84) around a place in degrees."""
    zone = min(60, max(1, int((longitude + 180) // 6) + 1))
    return (32600 if latitude >= 0 else 32700) + zone
