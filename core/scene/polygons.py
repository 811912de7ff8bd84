"""A class raster as polygons, simplified without gaps between neighbours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes, sieve
from rasterio.io import DatasetReader

from ..classes import MapClass
from ..errors import InputError
from ..progress import Progress
from .aside import Together, written_aside
from .grid import Grid, Shape, Window
from .layers import (
    Doubles,
    Polygons,
    areas_in_square_metres,
    driver_of,
    layer_path,
    moved,
    polygons_of,
    write_layer,
)
from .sink import NO_CLASS
from .source import raster_environment

_STRIP_PIXELS = 2**20
_CHUNK = 20_000
# Simplifying takes about 3 kB a polygon; this many stay below a gigabyte.
_MOST_SIMPLIFIED = 300_000


def write_polygons(
    class_raster: str | Path,
    confidence_raster: str | Path | None,
    path: str | Path,
    classes: Sequence[MapClass],
    *,
    progress: Progress,
    tolerance: float = 1.0,
    minimum_area: float = 0.0,
    together: Together | None = None,
) -> int:
    """Write the areas of a class raster as polygons to `path`, and return how many there are.

    Attributes: class_value, class_name, area_m2 and, with `confidence_raster` (on the same grid),
    the mean confidence. `tolerance` is in pixels, about the side of the smallest corner that is
    kept; 0 keeps the pixels' outlines. Parts below `minimum_area` (m²) go to their largest
    neighbour. The format follows the extension; GeoPackage where there is none.

    Raises:
        InputError: the format is unknown, or the folder is not writable.
        ResourceError: the disk is full.
    """
    path = layer_path(path)
    driver = driver_of(path)
    with raster_environment(), rasterio.open(class_raster) as data:
        grid = Grid(
            data.crs.to_wkt() if data.crs else "",
            data.transform,
            Shape(data.height, data.width),
        )
        values, outlines = _outlines(data, grid, _sieve_size(grid, minimum_area), progress)
    confidence = None
    if confidence_raster is not None:
        confidence = _mean_within(outlines, confidence_raster, grid, progress)
    if len(outlines) > _MOST_SIMPLIFIED and tolerance > 0:
        progress.warn(
            f"The map falls into {len(outlines)} polygons, too many to simplify; their outlines "
            "follow the pixels. Give a minimum area to join the small ones to their neighbours."
        )
        tolerance = 0.0
    placed = moved(simplified(outlines, grid.shape, tolerance), grid.transform)
    fields = _fields(values, areas_in_square_metres(placed, grid), confidence, classes)
    with written_aside(path, together) as aside:
        write_layer(aside, path.stem, driver, placed, fields, grid)
    return len(placed)


def _sieve_size(grid: Grid, minimum_area: float) -> int:
    """The smallest number of pixels that make up `minimum_area`; 0 for no limit."""
    return int(np.ceil(minimum_area / grid.gsd**2 - 1e-9)) if minimum_area > 0 else 0


def _outlines(
    data: DatasetReader, grid: Grid, smallest: int, progress: Progress
) -> tuple[NDArray[np.int32], Polygons]:
    """Class values, and polygons along pixel edges in (column, row)."""
    source: Any = rasterio.band(data, 1)
    mask: Any = None
    if smallest > 1:
        array = data.read(1)
        mask = array != NO_CLASS
        source = sieve(array, smallest, connectivity=4, mask=mask)
    values: list[int] = []
    chunks: list[Polygons] = []
    rings: list[list[Any]] = []
    for outline, value in shapes(source, mask, connectivity=4, transform=grid.transform):
        if value != NO_CLASS:
            rings.append(outline["coordinates"])
            values.append(int(value))
        if len(rings) == _CHUNK:
            chunks.append(polygons_of(rings))
            rings = []
            progress.checkpoint()
    chunks.append(polygons_of(rings))
    # A band's own place cannot be switched off, and comes back as whole pixels here.
    exact = moved(np.concatenate(chunks), ~grid.transform, whole=True)
    return np.array(values, dtype=np.int32), exact


def simplified(outlines: Polygons, shape: Shape, tolerance: float) -> Polygons:
    """Polygons along pixel edges, simplified so that neighbours keep sharing their borders.

    Coordinates are (column, row); `tolerance` is in pixels.
    """
    if tolerance <= 0 or not len(outlines):
        return outlines
    result: Polygons = shapely.coverage_simplify(noded(outlines, shape), tolerance)
    return result


def noded(outlines: Polygons, shape: Shape) -> Polygons:
    """The same polygons, with a vertex wherever a neighbour has one.

    GDAL leaves out vertices along straight edges, also where two neighbours meet at the edge; a
    coverage needs them there.
    """
    corners = np.zeros((shape.rows + 1, shape.columns + 1), dtype=bool)
    for start in range(0, len(outlines), _CHUNK):
        points = np.rint(shapely.get_coordinates(outlines[start : start + _CHUNK])).astype(int)
        corners[points[:, 1], points[:, 0]] = True
    chunks = [
        _with_corners(outlines[start : start + _CHUNK], corners)
        for start in range(0, len(outlines), _CHUNK)
    ]
    return np.concatenate(chunks)


def _with_corners(outlines: Polygons, corners: NDArray[np.bool_]) -> Polygons:
    kind, points, offsets = shapely.to_ragged_array(outlines)
    rings = offsets[0]
    lattice = np.rint(points).astype(np.int64)
    # From each vertex to the next in steps of one pixel; the last vertex of a ring only itself.
    step = np.zeros_like(lattice)
    step[:-1] = np.diff(lattice, axis=0)
    step[rings[1:] - 1] = 0
    count = np.maximum(np.abs(step).max(axis=1), 1)
    owner = np.repeat(np.arange(len(lattice)), count)
    first = np.concatenate([[0], np.cumsum(count)])
    along = np.arange(len(owner)) - first[:-1][owner]
    dense = lattice[owner] + np.sign(step)[owner] * along[:, None]
    kept = (along == 0) | corners[dense[:, 1], dense[:, 0]]
    before = np.concatenate([[0], np.cumsum(kept)])
    ring_starts = before[first[rings]]
    result: Polygons = shapely.from_ragged_array(
        kind, dense[kept].astype(np.float64), (ring_starts, *offsets[1:])
    )
    return result


def _mean_within(outlines: Polygons, raster: str | Path, grid: Grid, progress: Progress) -> Doubles:
    """The mean of the raster's valid pixels in each polygon, NaN where there are none.

    Sums over an area bounded by pixel edges follow from its horizontal edges alone: with F(x, y)
    the sum of all pixels above and left of a corner, the edge from x₀ to x₁ adds F(x₁, y) −
    F(x₀, y) (Green's theorem). One pass over the raster is enough, however many polygons.
    """
    ends, owner = _horizontal_edges(outlines)
    order = np.argsort(ends[:, 2], kind="stable")
    ends, owner = ends[order], owner[order]
    total, count = np.zeros(len(outlines)), np.zeros(len(outlines))
    above = np.zeros((2, grid.shape.columns + 1))
    with raster_environment(), rasterio.open(raster) as data:
        if (data.height, data.width) != (grid.shape.rows, grid.shape.columns):
            raise InputError("The confidence raster is on another grid than the class raster.")
        for strip in grid.strips(max(1, _STRIP_PIXELS // max(grid.shape.columns, 1))):
            sums = _corner_sums(data, strip, above)
            above = sums[:, -1]
            # An edge at the upper border of the strip is the lower border of the last one.
            first, last = np.searchsorted(ends[:, 2], [strip.row + 1, strip.end_row + 1])
            start, stop, row = ends[first:last].T
            gained = sums[:, row - strip.row, stop] - sums[:, row - strip.row, start]
            total += np.bincount(owner[first:last], gained[0], minlength=len(total))
            count += np.bincount(owner[first:last], gained[1], minlength=len(count))
            progress.checkpoint()
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0.5)


def _horizontal_edges(outlines: Polygons) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(start column, end column, row) of each horizontal edge, the pixels above it, and owners."""
    if not len(outlines):
        return np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)
    turned = shapely.orient_polygons(outlines, exterior_cw=False)
    points, offsets = shapely.to_ragged_array(turned)[1:]
    lattice = np.rint(points).astype(np.int64)
    level = lattice[:-1, 1] == lattice[1:, 1]
    level[offsets[0][1:-1] - 1] = False  # from the end of a ring to the start of the next
    ring = np.repeat(np.arange(len(offsets[0]) - 1), np.diff(offsets[0]))[:-1][level]
    polygon = np.repeat(np.arange(len(outlines)), np.diff(offsets[1]))[ring]
    # Counter-clockwise with rows growing upwards: the edge at the higher row runs to the left.
    ends = np.stack([lattice[1:, 0], lattice[:-1, 0], lattice[:-1, 1]], axis=1)[level]
    return ends, polygon


def _corner_sums(data: DatasetReader, strip: Window, above: Doubles) -> Doubles:
    """(sum, count) of all valid pixels above and left of each corner of the strip's pixels."""
    place = rasterio.windows.Window(strip.column, strip.row, strip.columns, strip.rows)
    values = data.read(1, window=place).astype(np.float64)
    valid = np.isfinite(values)
    sums = np.zeros((2, strip.rows + 1, strip.columns + 1))
    sums[0, 1:, 1:] = np.where(valid, values, 0)
    sums[1, 1:, 1:] = valid
    np.cumsum(sums, axis=2, out=sums)
    np.cumsum(sums, axis=1, out=sums)
    return sums + above[:, None]


def _fields(
    values: NDArray[np.int32],
    areas: Doubles,
    confidence: Doubles | None,
    classes: Sequence[MapClass],
) -> dict[str, NDArray[Any]]:
    names = {one.value: one.name for one in classes}
    spoken = [names.get(value, f"class {value}") for value in values.tolist()]
    fields: dict[str, NDArray[Any]] = {
        "class_value": values,
        "class_name": np.array(spoken, dtype=object),
        "area_m2": np.round(areas, 3),
    }
    if confidence is not None:
        fields["confidence"] = np.round(confidence, 4)
    return fields
