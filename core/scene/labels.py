"""Labels on the pixels of a scene: polygons, points or a class raster, inside what was surveyed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.features import rasterize

from ..classes import MapClass
from ..errors import InputError
from ..job import Features, Source
from ..progress import Progress
from ..words import counted
from .grid import Grid, Window
from .placement import Placed
from .source import Image, Mask, quiet_about, raster_environment
from .vectors import (
    Numbers,
    Outlines,
    count_points,
    described_classes,
    read_attributes,
    read_outlines,
    readable,
)

UNLABELLED = 0
BACKGROUND = -1
"""What `LabelMap.read` gives where somebody looked and found none of the classes."""

_STRIP_PIXELS = 2**22
_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class LabelledPixels:
    """All labelled pixels: `rows`, `columns` and class `values`, three arrays of one length."""

    rows: Numbers
    columns: Numbers
    values: Numbers

    @property
    def counts(self) -> dict[int, int]:
        """How many pixels each value has."""
        found, counts = np.unique(self.values, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))


class _Labels(Protocol):
    """Where class values come from: 0 is unlabelled, `BACKGROUND` none of the classes."""

    def read(self, window: Window) -> tuple[Numbers, int]:
        """Values (row, column) of a window within the grid, and how many pixels conflict."""


class LabelMap:
    """Class values on the pixels of `grid`; see `open_labels`."""

    def __init__(
        self,
        grid: Grid,
        classes: tuple[MapClass, ...],
        title: str,
        labels: _Labels,
        area: "_Area | None",
        *,
        required: bool = True,
    ) -> None:
        """`classes` are those of the whole layer, whether the scene shows them or not."""
        self.grid = grid
        self.classes = classes
        self.title = title
        self._labels = labels
        self._area = area
        self._required = required

    def read(self, window: Window) -> Numbers:
        """Class values (row, column) as int32; 0 is unlabelled, and so is all off the grid."""
        return self._read(window)[0]

    def _read(self, window: Window) -> tuple[Numbers, int]:
        values = np.zeros((window.rows, window.columns), dtype=np.int32)
        inside = window.clipped(self.grid.shape)
        if inside is None:
            return values, 0
        rows, columns = inside.shifted(-window.row, -window.column).slices
        found, conflicts = self._labels.read(inside)
        if self._area is not None:
            found = np.where(self._area.read(inside), found, UNLABELLED)
        values[rows, columns] = found
        return values, conflicts

    def pixels(self, progress: Progress) -> LabelledPixels:
        """All labelled pixels, row by row; says how many were left out as contradictory.

        Raises:
            InputError: no pixel has a label, and this scene has to have some.
        """
        rows, columns, values, conflicts = [], [], [], 0
        total = max(self.grid.shape.rows, 1)
        for strip in self.grid.strips(max(1, _STRIP_PIXELS // max(self.grid.shape.columns, 1))):
            found, overlapping = self._read(strip)
            conflicts += overlapping
            row, column = np.nonzero(found)
            rows.append((row + strip.row).astype(np.int32))
            columns.append(column.astype(np.int32))
            values.append(found[row, column])
            progress.update(strip.end_row / total)
        pixels = LabelledPixels(
            np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
        )
        if conflicts:
            progress.warn(
                f"{counted(conflicts, 'pixel')} of {self.title} "
                f"{'lies' if conflicts == 1 else 'lie'} in features of different classes; "
                f"{'it is' if conflicts == 1 else 'they are'} ignored."
            )
        if self._required and not len(pixels.values):
            raise InputError(
                f"No pixel of the scene gets a label from {self.title}: its features lie between "
                "the pixels' centres, outside the area that was surveyed, or contradict each "
                "other. Draw larger polygons, or check the area."
            )
        return pixels


class _Drawn:
    """Labels from polygons (a pixel belongs to one that holds its centre) and points."""

    def __init__(self, outlines: Outlines, *, background: bool) -> None:
        self._outlines = outlines
        self._tree = shapely.STRtree(outlines.areas)
        self._background = background

    def read(self, window: Window) -> tuple[Numbers, int]:
        """The class of each pixel; those claimed by two classes are unlabelled, and counted."""
        high, low = self._burnt(window)
        self._mark_points(window, high, low)
        conflict = high != low
        values = np.where(conflict, UNLABELLED, high)
        if self._background:
            values[(high == 0) & ~conflict] = BACKGROUND
        return values, int(conflict.sum())

    def _burnt(self, window: Window) -> tuple[Numbers, Numbers]:
        """The highest and the lowest class over each pixel; 0 where there is none."""
        near = np.sort(self._tree.query(_box(window)))
        if not len(near):
            blank = np.zeros((window.rows, window.columns), dtype=np.int32)
            return blank, blank.copy()
        areas, values = self._outlines.areas[near], self._outlines.area_values[near]
        order = np.argsort(values, kind="stable")
        # What is burnt last wins, so both orders together show where classes overlap.
        return _burn(areas[order], values[order], window), _burn(
            areas[order[::-1]], values[order[::-1]], window
        )

    def _mark_points(self, window: Window, high: Numbers, low: Numbers) -> None:
        spots = np.floor(self._outlines.points).astype(np.int64) - (window.column, window.row)
        inside = (
            (spots >= 0).all(axis=1) & (spots[:, 0] < window.columns) & (spots[:, 1] < window.rows)
        )
        rows, columns = spots[inside, 1], spots[inside, 0]
        values = self._outlines.point_values[inside]
        free = low[rows, columns] == 0
        low[rows[free], columns[free]] = np.iinfo(np.int32).max
        np.minimum.at(low, (rows, columns), values)
        np.maximum.at(high, (rows, columns), values)


class _Area:
    """What was surveyed, as polygons."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._tree = shapely.STRtree(outlines.areas)

    def read(self, window: Window) -> Mask:
        """Which pixels have their centres in the area."""
        near = self._tree.query(_box(window))
        if not len(near):
            return np.zeros((window.rows, window.columns), dtype=bool)
        burnt = _burn(self._outlines.areas[near], self._outlines.area_values[near], window)
        return np.asarray(burnt > 0)


class _ClassRaster:
    """Labels from a raster of class values; the nearest pixel counts."""

    def __init__(self, image: Image, grid: Grid, *, background: bool) -> None:
        self._placed = Placed(image, grid, nearest=True)
        self._background = background

    def read(self, window: Window) -> tuple[Numbers, int]:
        """The class of each pixel."""
        values, valid = self._placed.read(window)
        numbers = values[0].astype(np.int32)
        if self._background:
            numbers[valid & (numbers == 0)] = BACKGROUND
        return numbers, 0


def _box(window: Window) -> shapely.Geometry:
    return shapely.box(window.column, window.row, window.end_column, window.end_row)


def _burn(areas: NDArray[np.object_], values: Numbers, window: Window) -> Numbers:
    """The value of the last polygon over each pixel's centre, 0 where there is none."""
    shift = rasterio.Affine.translation(window.column, window.row)
    pairs = zip(areas, values.tolist(), strict=True)
    burnt: Numbers = rasterize(
        pairs, (window.rows, window.columns), fill=0, transform=shift, dtype="int32"
    )
    return burnt


def open_labels(
    features: Features,
    grid: Grid,
    area: Features | None = None,
    *,
    progress: Progress | None = None,
    background: bool = False,
    required: bool = True,
) -> LabelMap:
    """The labels of a layer on the pixels of `grid`.

    Polygons label the pixels whose centres they hold, points their pixel, a class raster of any
    grid by the nearest pixel. Outside `area` nothing is labelled. With `background`, pixels
    inside the area that no feature covers (in a raster: those of value 0) are `BACKGROUND`, and
    a layer without a class field makes all its features class 1. `required=False` accepts a layer
    that does not reach this scene, as happens with several scenes.

    Raises:
        InputError: the layer, its class field, its values or its place do not fit.
    """
    raster = is_raster(features)
    with raster_environment():
        if raster:
            labels, classes = _raster_labels(features, grid, background=background)
        else:
            labels, classes = _drawn_labels(features, grid, progress, background, required)
    if len(classes) < 2 and not background:
        where = f" in the field “{features.field}”" if features.field else ""
        only = f"only the class “{classes[0].name}”" if classes else "no class"
        raise InputError(
            f"{features.title} holds {only}{where}; at least two classes are needed to tell them "
            "apart."
        )
    surveyed = None if area is None else _surveyed(area, grid, progress, required)
    return LabelMap(grid, classes, features.title, labels, surveyed, required=required)


def refuse_points(features: Features) -> None:
    """Refuse a layer of points where the ground that things take up is to be learnt.

    Raises:
        InputError: it holds points, or cannot be read.
    """
    with raster_environment():
        if is_raster(features):
            return
    count = count_points(features)
    if count:
        raise InputError(
            f"{features.title} holds {counted(count, 'point')}; this family learns outlines, so "
            "choose polygons around the whole of each object, or a class raster."
        )


def is_raster(features: Features) -> bool:
    """Whether the labels are a raster; a GeoPackage may hold both, then the field tells."""
    if features.layer or (features.field and readable(features)):
        return False
    try:
        with quiet_about(NotGeoreferencedWarning), rasterio.open(features.path) as data:
            return bool(data.count)
    except (RasterioError, CPLE_BaseError):
        return False


def _drawn_labels(
    features: Features, grid: Grid, progress: Progress | None, background: bool, required: bool
) -> tuple[_Labels, tuple[MapClass, ...]]:
    if background and not features.field:
        values, classes = None, described_classes([1], features.classes[:1])
    else:
        attributes = read_attributes(features)
        values, classes = attributes.values, attributes.classes
    outlines = read_outlines(features, grid, values)
    _say(outlines, progress)
    if outlines.empty and required:
        raise InputError(
            f"No feature of {features.title} lies in the scene (in {grid.crs_name}, "
            f"{_sides(grid)}); choose labels of the same place, and check their coordinate system."
        )
    return _Drawn(outlines, background=background), classes


def _surveyed(area: Features, grid: Grid, progress: Progress | None, required: bool) -> _Area:
    outlines = read_outlines(area, grid, None)
    _say(outlines, progress)
    if not len(outlines.areas) and required:
        raise InputError(
            f"No polygon of {area.title}, the surveyed area, lies in the scene; choose another "
            "area, or leave it empty."
        )
    return _Area(outlines)


def _say(outlines: Outlines, progress: Progress | None) -> None:
    if progress is not None:
        for note in outlines.notes:
            progress.warn(note)


def _sides(grid: Grid) -> str:
    west, south, east, north = grid.bounds
    return f"{west:.7g}–{east:.7g} east, {south:.7g}–{north:.7g} north"


def _raster_labels(
    features: Features, grid: Grid, *, background: bool
) -> tuple[_Labels, tuple[MapClass, ...]]:
    image = Image(Source(features.path, features.name))
    if len(image.indexes) != 1:
        raise InputError(
            f"{features.title} has {len(image.indexes)} bands; a class raster has a single one."
        )
    if bool(image.grid.crs) != bool(grid.crs):
        raise InputError(
            f"{features.title} is in {image.grid.crs_name}, the scene in {grid.crs_name}; assign "
            "the missing coordinate system."
        )
    found = _raster_values(image)
    known = features.classes or image.palette(found)
    return _ClassRaster(image, grid, background=background), described_classes(found, known)


def _raster_values(image: Image) -> list[int]:
    """The class values that occur, in order."""
    found: set[int] = set()
    for window in _readable(image.grid):
        values, valid = image.read(window)
        here = np.unique(values[0][valid])
        odd = here[(here != np.floor(here)) | (here < 0) | (here > 65535)]
        if len(odd):
            raise InputError(
                f"{image.title} holds the value {odd[0]:g}; a class raster has whole numbers from "
                "1 to 65535, and 0 for no class."
            )
        found.update(int(one) for one in here)
        if len(found) > _MOST_CLASSES:
            raise InputError(
                f"{image.title} holds over {_MOST_CLASSES} different values; choose a class "
                "raster, not an image."
            )
    return sorted(found - {UNLABELLED})


def _readable(grid: Grid) -> Iterator[Window]:
    return grid.strips(max(1, _STRIP_PIXELS // max(grid.shape.columns, 1)))
