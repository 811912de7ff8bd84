"""The grid that a network works on: square metres, at a pixel size that suits the objects."""

import math

from affine import Affine
from rasterio.crs import CRS

from ..errors import InputError
from ..progress import Progress
from ..scene.grid import Grid, Shape
from ..scene.source import RasterFacts

_SAME = 0.05
_COARSEST = 1.5
_WARN_COARSER = 1.05


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


def check_working_gsd(facts: RasterFacts, gsd: float, progress: Progress) -> None:
    """Warn where the image is coarser than the pixels that the model works at.

    Raises:
        InputError: it is over 1.5 times coarser.
    """
    if not facts.grid.crs:
        progress.warn(
            f"{facts.title} has no coordinate system, so its map units are taken for metres, and "
            f"its pixels are worked as {gsd:.3g} m."
        )
    ratio = facts.gsd / gsd
    if ratio > _COARSEST:
        raise InputError(
            f"{facts.title} has pixels of {facts.gsd:.3g} m; the model works at {gsd:.3g} m and "
            "cannot see in this image what it has learnt to see. Choose an image of at most "
            f"{_COARSEST * gsd:.3g} m, or train a model with a larger working pixel size."
        )
    if ratio > _WARN_COARSER:
        progress.warn(
            f"{facts.title} has pixels of {facts.gsd:.3g} m; the model works at {gsd:.3g} m. What "
            "is smaller than a pixel of the image cannot be found, which may cost accuracy."
        )


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
