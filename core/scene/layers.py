"""Polygons on their way into a layer: from rings, onto the ground, into a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points

from ..errors import InputError
from .grid import Grid

Polygons = NDArray[Any]
Doubles = NDArray[np.float64]

_TROUBLE = (DataSourceError, DataLayerError, FeatureError, GeometryError)


def layer_path(path: str | Path) -> Path:
    """The path with an extension: GeoPackage where there is none."""
    path = Path(path)
    return path if path.suffix else path.with_suffix(".gpkg")


def driver_of(path: Path) -> str:
    """The name of the vector format that the extension of `path` stands for.

    Raises:
        InputError: it stands for none.
    """
    try:
        driver: str = pyogrio.detect_write_driver(str(path))
    except ValueError as error:
        raise InputError(
            f"No vector format is known for {path.name}; use the extension .gpkg, .geojson, .fgb "
            "or .shp."
        ) from error
    return driver


def polygons_of(rings: Sequence[Sequence[Any]]) -> Polygons:
    """Polygons from lists of rings of (x, y), all at once, which is much faster than singly."""
    if not rings:
        return np.empty(0, dtype=object)
    lengths = [len(ring) for one in rings for ring in one]
    points = np.array([point for one in rings for ring in one for point in ring], dtype=np.float64)
    offsets = (
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([[0], np.cumsum([len(one) for one in rings])]),
    )
    result: Polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, offsets)
    return result


def moved(polygons: Polygons, transform: Affine, *, whole: bool = False) -> Polygons:
    """The polygons seen through `transform`, on whole numbers if asked for."""
    if not len(polygons):
        return polygons
    a, b, c, d, e, f = tuple(transform)[:6]
    matrix, shift = np.array([[a, d], [b, e]]), np.array([c, f])

    def move(points: Doubles) -> Doubles:
        moved = points @ matrix + shift
        return np.asarray(np.rint(moved) if whole else moved, dtype=np.float64)

    result: Polygons = shapely.transform(polygons, move)
    return result


def areas_in_square_metres(polygons: Polygons, grid: Grid) -> Doubles:
    """Areas on the ground, NaN where there is no measure; see `in_metres`."""
    return np.asarray(shapely.area(in_metres(polygons, grid)), dtype=np.float64)


def in_metres(polygons: Polygons, grid: Grid) -> Polygons:
    """The polygons in coordinates that are metres on the ground; None where there is no measure.

    None for all without a coordinate system. Where the map's own scale is off by more than 1 %
    (degrees, Web Mercator), in an equal-area projection around the middle of the grid.
    """
    projection = grid.projection
    if projection is None:
        return np.full(len(polygons), None, dtype=object)
    if not projection.is_geographic:
        metres = float(projection.units_factor[1])
        nominal = np.sqrt(abs(grid.transform.determinant)) * metres
        if abs(grid.gsd / nominal - 1) < 1e-9:
            return polygons if metres == 1 else moved(polygons, Affine.scale(metres))
    equal_area = _equal_area(grid)

    def project(points: Doubles) -> Doubles:
        xs, ys = transform_points(
            projection, equal_area, points[:, 0].tolist(), points[:, 1].tolist()
        )
        return np.stack([xs, ys], axis=1)

    try:
        result: Polygons = shapely.transform(polygons, project)
    except (RasterioError, CPLE_BaseError):
        return np.full(len(polygons), None, dtype=object)  # another planet: no measure at hand
    return result


def pixel_areas(grid: Grid) -> Doubles:
    """The area on the ground (m²) of a pixel in each row, measured in the middle of the row.

    Without a coordinate system map units count as metres.
    """
    rows = np.unique(np.linspace(0, grid.shape.rows - 1, 257).astype(np.int64))
    if grid.projection is None:
        return np.full(grid.shape.rows, abs(grid.transform.determinant))
    column = grid.shape.columns // 2
    boxes = moved(shapely.box(column, rows, column + 1, rows + 1), grid.transform)
    found = areas_in_square_metres(boxes, grid)
    if not np.isfinite(found).all():
        return np.full(grid.shape.rows, grid.gsd**2)
    areas: Doubles = np.interp(np.arange(grid.shape.rows), rows, found)
    return areas


def _equal_area(grid: Grid) -> CRS:
    west, south, east, north = grid.bounds_in("EPSG:4326")
    middle = {"lon_0": (west + east) / 2, "lat_0": (south + north) / 2}
    return CRS.from_dict({"proj": "laea", "datum": "WGS84", "units": "m", **middle})


def write_layer(
    aside: Path,
    layer: str,
    driver: str,
    polygons: Polygons,
    fields: Mapping[str, NDArray[Any]],
    grid: Grid,
) -> None:
    """Write polygons and their attributes to the new file `aside` as `layer`.

    Raises:
        OSError: something of it did not arrive.
    """
    # A shapefile is its layer, and takes the name of its file.
    named = {} if driver == "ESRI Shapefile" else {"layer": layer}
    try:
        pyogrio.raw.write(
            aside,
            geometry=np.array(shapely.to_wkb(polygons), dtype=object),
            field_data=list(fields.values()),
            fields=list(fields),
            geometry_type="Polygon",
            crs=grid.crs or None,
            driver=driver,
            # Older versions of QGIS warn about the newest version of the format.
            dataset_options={"VERSION": "1.2"} if driver == "GPKG" else {},
            **named,
        )
        # A full disk may go unnoticed until the file is looked at again.
        written = int(pyogrio.read_info(aside, force_feature_count=True)["features"])
    except _TROUBLE as error:
        raise OSError(str(error)) from error
    if written != len(polygons):
        raise OSError(f"only {written} of {len(polygons)} polygons arrived")
