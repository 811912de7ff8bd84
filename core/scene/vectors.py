"""Features from vector files: their class values, and their shapes on the pixels of a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FieldError, GeometryError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as transform_points

from ..classes import NAME_FIELDS, MapClass, palette_color
from ..errors import InputError
from ..job import Features
from ..words import counted
from .grid import Grid

Numbers = NDArray[np.int32]
Shapes = NDArray[Any]

_TROUBLE = (DataSourceError, DataLayerError, FieldError, GeometryError)
_AREAS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
_POINTS = (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT)
# Edges on pixel centres belong to one side only, however the polygon runs, when nudged.
_NUDGE = 1e-7


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a layer's features are called: one class value a feature (0: none), and the classes."""

    values: Numbers
    classes: tuple[MapClass, ...]


@dataclass(frozen=True, slots=True)
class Outlines:
    """Shapes in pixels of a grid (column, row), and the class value of each.

    `areas` are polygons, `points` (x, y) single places.
    """

    areas: Shapes
    area_values: Numbers
    points: NDArray[np.float64]
    point_values: Numbers
    notes: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not len(self.areas) and not len(self.points)


def read_attributes(features: Features) -> Attributes:
    """The class value of every feature of the layer, wherever it lies.

    Whole numbers keep their values; texts are numbered from 1 in sorted order, so that the same
    layer gives the same classes with every scene.

    Raises:
        InputError: the layer or the field is missing, or its values cannot be classes.
    """
    info = _info(features)
    fields = [str(field) for field in info["fields"]]
    if not features.field:
        raise InputError(
            f"Choose the field of {features.title} that holds the class; it has {_listed(fields)}."
        )
    if features.field not in fields:
        raise InputError(
            f"{features.title} has no field “{features.field}”; it has {_listed(fields)}."
        )
    if int(info["features"]) == 0:
        raise InputError(f"{features.title} holds no features; draw some first.")
    spoken = next((f for name in NAME_FIELDS for f in fields if f.casefold() == name), "")
    wanted = [features.field] + ([spoken] if spoken not in ("", features.field) else [])
    columns = _columns(features, wanted)
    column = columns[features.field]
    if column.dtype.kind in "iuf":
        return _numbered(features, column, columns.get(spoken))
    return _named(features, column)


def field_naming(features: Features, name: str) -> tuple[str, list[str]]:
    """A field of texts that holds `name` among others, whatever the case, and what it holds.

    Empty where the layer has none.

    Raises:
        InputError: the layer is missing.
    """
    info = _info(features)
    fields = [
        str(field)
        for field, kind in zip(info["fields"], info["dtypes"], strict=True)
        if str(kind) == "object"
    ]
    for field, column in (_columns(features, fields) if fields else {}).items():
        found = sorted({one.strip() for one in column.tolist() if isinstance(one, str)} - {""})
        if len(found) > 1 and name.casefold() in {one.casefold() for one in found}:
            return field, found
    return "", []


def readable(features: Features) -> bool:
    """Whether the file can be read as a vector layer."""
    try:
        pyogrio.read_info(features.path)
    except _TROUBLE:
        return False
    return True


def _layers(features: Features) -> list[str]:
    """The layers of the file that hold shapes, the one that is read first."""
    if features.layer:
        return [features.layer]
    try:
        found = pyogrio.list_layers(features.path)
    except _TROUBLE:
        return []
    return [str(name) for name, kind in found if kind is not None] or [
        str(name) for name, _ in found[:1]
    ]


def _layer(features: Features) -> str | None:
    return next(iter(_layers(features)), None)


def _taken(features: Features) -> list[str]:
    """That the first of several layers was taken, since none was named."""
    first, *others = _layers(features) or [""]
    if not others:
        return []
    names = ", ".join(f"“{one}”" for one in others)
    return [
        f"{features.title} holds several layers; “{first}” was taken, and not {names}. Save the "
        "one that you mean as a file of its own, or name it (in QGIS: path|layername=…)."
    ]


def _info(features: Features) -> dict[str, Any]:
    try:
        found: dict[str, Any] = pyogrio.read_info(
            features.path, layer=_layer(features), force_feature_count=True
        )
    except _TROUBLE as error:
        raise InputError(
            f"{features.title} cannot be read as a vector layer: {error}. Open it in QGIS, or "
            "save it as GeoPackage."
        ) from error
    return found


def _columns(features: Features, wanted: list[str]) -> dict[str, NDArray[Any]]:
    try:
        meta, _, _, data = pyogrio.raw.read(
            features.path, layer=_layer(features), columns=wanted, read_geometry=False
        )
    except _TROUBLE as error:
        raise InputError(f"{features.title} cannot be read: {error}.") from error
    return dict(zip((str(name) for name in meta["fields"]), data, strict=True))


def _numbered(features: Features, column: NDArray[Any], names: NDArray[Any] | None) -> Attributes:
    numbers = column.astype(np.float64)
    there = ~np.isnan(numbers)  # a NULL among whole numbers arrives as NaN
    odd = numbers[there & (numbers != np.floor(numbers))]
    if len(odd):
        raise InputError(
            f"The field “{features.field}” of {features.title} holds fractions such as {odd[0]:g}; "
            "choose a field of whole numbers or texts."
        )
    wrong = numbers[there & ((numbers < 1) | (numbers > 65535))]
    if len(wrong):
        raise InputError(
            f"The field “{features.field}” of {features.title} holds {wrong[0]:.0f}; class values "
            "go from 1 to 65535, and 0 stands for no class."
        )
    values = np.where(there, numbers, 0).astype(np.int32)
    spoken = _spoken_names(values, names)
    found = [int(one) for one in np.unique(values) if one]
    return Attributes(values, described_classes(found, features.classes, spoken))


def _spoken_names(values: Numbers, names: NDArray[Any] | None) -> dict[int, str]:
    """What a field of names beside the numbers calls each class, where it is unambiguous."""
    if names is None or names.dtype.kind != "O":
        return {}
    pairs = {(int(v), str(n).strip()) for v, n in zip(values, names, strict=True) if v and n}
    spoken = dict(pairs)
    unambiguous = len(spoken) == len(pairs) == len(set(spoken.values()))
    return spoken if unambiguous else {}


def _named(features: Features, column: NDArray[Any]) -> Attributes:
    texts = ["" if one is None or one != one else str(one).strip() for one in column.tolist()]
    names = sorted({text for text in texts if text})
    if len(names) > 65535:
        raise InputError(
            f"The field “{features.field}” of {features.title} holds {len(names)} different "
            "texts; choose the field that holds the class."
        )
    number = {name: index for index, name in enumerate(names, 1)}
    values = np.array([number.get(text, 0) for text in texts], dtype=np.int32)
    colors = {one.name: one.color for one in features.classes}
    classes = tuple(
        MapClass(index, name, colors.get(name, palette_color(index - 1)))
        for name, index in number.items()
    )
    return Attributes(values, classes)


def described_classes(
    values: Sequence[int], known: Sequence[MapClass], names: dict[int, str] | None = None
) -> tuple[MapClass, ...]:
    """Classes for `values`, with names and colours from where they are known."""
    given = {one.value: one for one in known}
    spoken = names or {}
    return tuple(
        given.get(value) or MapClass(value, spoken.get(value, f"class {value}"), palette_color(i))
        for i, value in enumerate(values)
    )


def read_outlines(features: Features, grid: Grid, values: Numbers | None) -> Outlines:
    """The layer's shapes that may touch `grid`, in its pixels.

    `values` has the class of every feature of the layer, in order; None makes all of them 1.

    Raises:
        InputError: the layer is missing, has no coordinate system while the scene has one, or
            holds lines.
    """
    shapes, crs = _shapes(features)
    if values is None:
        values = np.ones(len(shapes), dtype=np.int32)
    notes = _taken(features)
    blank = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    unclassed = (values == 0) & ~blank
    if blank.any():
        notes.append(f"{_many(blank)} of {features.title} without a geometry are skipped.")
    if unclassed.any():
        notes.append(f"{_many(unclassed)} of {features.title} without a class are skipped.")
    shapes, values = shapes[~blank & (values != 0)], values[~blank & (values != 0)]
    _refuse_lines(features, shapes)
    invalid = ~shapely.is_valid(shapes)
    if invalid.any():
        shapes[invalid] = shapely.make_valid(shapes[invalid])
        notes.append(f"{_many(invalid)} of {features.title} with invalid geometries are repaired.")
    placed = shapely.transform(shapes, lambda points: _to_pixels(points, crs, grid, features))
    return _split(placed, values, grid, notes)


def _shapes(features: Features) -> tuple[Shapes, str]:
    try:
        meta, _, binary, _ = pyogrio.raw.read(
            features.path, layer=_layer(features), columns=[], force_2d=True
        )
    except _TROUBLE as error:
        raise InputError(f"{features.title} cannot be read: {error}.") from error
    if binary is None:
        raise InputError(f"{features.title} is a table without geometries; choose a map layer.")
    shapes = shapely.from_wkb(binary, on_invalid="ignore")
    return np.asarray(shapes, dtype=object), features.crs or str(meta["crs"] or "")


def count_points(features: Features) -> int:
    """How many features of a layer are points.

    Raises:
        InputError: the layer is missing or a table without geometries.
    """
    shapes, _ = _shapes(features)
    return int(np.isin(shapely.get_type_id(shapes), [int(kind) for kind in _POINTS]).sum())


def _refuse_lines(features: Features, shapes: Shapes) -> None:
    kinds = shapely.get_type_id(shapes)
    allowed = [int(kind) for kind in (*_AREAS, *_POINTS, shapely.GeometryType.GEOMETRYCOLLECTION)]
    lines = ~np.isin(kinds, allowed)
    if lines.any():
        raise InputError(
            f"{features.title} holds {_many(lines)} with lines; use polygons or points "
            "(Processing ▸ Buffer makes polygons of lines)."
        )


def _to_pixels(
    points: NDArray[np.float64], crs: str, grid: Grid, features: Features
) -> NDArray[np.float64]:
    """Map coordinates (n, 2) as (column, row); a grid without a CRS takes them as they are."""
    xs, ys = points[:, 0], points[:, 1]
    if grid.crs:
        if not crs:
            raise InputError(
                f"{features.title} has no coordinate system, while the scene is in "
                f"{grid.crs_name}; assign one to the layer."
            )
        try:
            source = CRS.from_user_input(crs)
            if source != grid.projection:
                found = transform_points(source, grid.projection, xs.tolist(), ys.tolist())
                xs, ys = np.array(found[0]), np.array(found[1])
        except (CRSError, RasterioError, CPLE_BaseError) as error:
            raise InputError(
                f"{features.title} cannot be brought into {grid.crs_name}: {error}. Reproject the "
                "layer in QGIS first."
            ) from error
    a, b, c, d, e, f = tuple(~grid.transform)[:6]
    pixels = np.stack([a * xs + b * ys + c, d * xs + e * ys + f], axis=1) + _NUDGE
    return np.asarray(pixels, dtype=np.float64)


def _split(shapes: Shapes, values: Numbers, grid: Grid, notes: list[str]) -> Outlines:
    """Polygons and points apart, those that may touch the grid only."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    # Collections come out of repairs; their own parts may be collections of parts again.
    parts, inner = shapely.get_parts(parts, return_index=True)
    numbers = values[owner[inner]]
    west, south, east, north = shapely.bounds(parts).T
    with np.errstate(invalid="ignore"):
        near = (east >= 0) & (west < grid.shape.columns) & (north >= 0) & (south < grid.shape.rows)
    kinds = shapely.get_type_id(parts)
    areas = near & (kinds == int(shapely.GeometryType.POLYGON))
    points = near & (kinds == int(shapely.GeometryType.POINT))
    return Outlines(
        areas=parts[areas],
        area_values=numbers[areas],
        points=shapely.get_coordinates(parts[points]),
        point_values=numbers[points],
        notes=tuple(notes),
    )


def _many(which: NDArray[np.bool_]) -> str:
    return counted(int(which.sum()), "feature")


def _listed(fields: Sequence[str]) -> str:
    return ", ".join(fields) if fields else "no fields"
