"""A map and its reference, read side by side on the map's grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import rasterize

from ..classes import MapClass
from ..errors import InputError
from ..job import Features, Job, Source
from ..progress import Progress
from ..scene.grid import Grid, Window
from ..scene.labels import BACKGROUND, LabelMap, open_labels
from ..scene.sink import states_background
from ..scene.source import Image, raster_environment
from ..scene.vectors import Outlines, read_attributes, read_outlines, readable
from ..settings import Value
from .matching import Matched, chosen_target, match_classes, read_legend

Ints = NDArray[np.int64]

_STRIP_PIXELS = 2**21
_LARGEST_VALUE = 65535
_NONE = -1


@dataclass(frozen=True, slots=True)
class Pixels:
    """One window: class positions of the reference and the map (−1: none), and the polygon.

    All are (row, column). `piece` is 0 where no single polygon is.
    """

    window: Window
    reference: Ints
    mapped: Ints
    piece: Ints

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where both have a class."""
        return (self.reference >= 0) & (self.mapped >= 0)


class Comparison:
    """A map and a reference with joint classes; see `open_comparison`."""

    def __init__(
        self,
        map_labels: LabelMap,
        reference: LabelMap,
        matched: Matched,
        pieces: "_Pieces | None",
        *,
        points: bool,
        stated: bool = False,
    ) -> None:
        """`points` tells that the reference consists of points only.

        `stated` tells that the map itself says where it found none of its classes.
        """
        self.states_background = stated
        self.grid = map_labels.grid
        self.matched = matched
        self.points = points
        self.has_pieces = pieces is not None
        self._map = map_labels
        self._reference = reference
        self._pieces = pieces
        self._of_map = _table(matched.of_map, matched.background)
        self._of_reference = _table(matched.of_reference, matched.background)

    @property
    def classes(self) -> tuple[MapClass, ...]:
        """The joint classes; positions refer to them."""
        return self.matched.classes

    @property
    def title(self) -> str:
        """What to call the reference."""
        return self._reference.title

    def count_empty_as_background(self) -> None:
        """Take the map's nodata for background, because it has no other way to say it."""
        background = self.matched.background
        self._of_map[0] = _NONE if background is None else background

    def read(self, window: Window) -> Pixels:
        """The pixels of a window, which may leave the grid."""
        piece = self._pieces.read(window) if self._pieces else None
        return Pixels(
            window,
            self._of_reference[self._reference.read(window)],
            self._of_map[self._map.read(window)],
            np.zeros((window.rows, window.columns), np.int64) if piece is None else piece,
        )

    def mapped(self, window: Window) -> Ints:
        """Class positions of the map alone."""
        found: Ints = self._of_map[self._map.read(window)]
        return found

    def strips(self, progress: Progress) -> Iterator[Pixels]:
        """The whole map from top to bottom, in strips of bounded size."""
        rows = max(1, _STRIP_PIXELS // max(self.grid.shape.columns, 1))
        for window in self.grid.strips(rows):
            yield self.read(window)
            progress.update(window.end_row / self.grid.shape.rows)


def _table(places: Mapping[int, int], background: int | None) -> Ints:
    """Positions by class value; the last entry serves `BACKGROUND`, which is −1."""
    table = np.full(_LARGEST_VALUE + 2, _NONE, np.int64)
    for value, place in places.items():
        table[value] = place
    if background is not None:
        table[BACKGROUND] = background
    return table


class _Pieces:
    """The polygon or point of the reference at each pixel, numbered from 1 on."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._tree = shapely.STRtree(outlines.areas)

    def read(self, window: Window) -> Ints:
        """Numbers of the pieces (row, column), 0 where there is none."""
        box = shapely.box(window.column, window.row, window.end_column, window.end_row)
        near = np.sort(self._tree.query(box))
        shape = (window.rows, window.columns)
        numbers: Ints = np.zeros(shape, np.int64)
        if len(near):
            pairs = zip(
                self._outlines.areas[near], self._outlines.area_values[near].tolist(), strict=True
            )
            shift = Affine.translation(window.column, window.row)
            numbers = rasterize(pairs, shape, transform=shift, dtype="int32").astype(np.int64)
        spots = np.floor(self._outlines.points).astype(np.int64) - (window.column, window.row)
        inside = (spots >= 0).all(1) & (spots < (window.columns, window.rows)).all(1)
        numbers[spots[inside, 1], spots[inside, 0]] = self._outlines.point_values[inside]
        return numbers


def open_map(job: Job, progress: Progress) -> LabelMap:
    """The class raster of the job as labels on its own grid, within the surveyed area.

    Its valid zeros are `BACKGROUND`; names and colours come from the file, or the job.

    Raises:
        InputError: there is no class raster, or it is none.
    """
    sources = job.inputs.get("CLASSES", ())
    if len(sources) != 1:
        raise InputError("Choose one class raster (CLASSES) to work on.")
    source = sources[0]
    with raster_environment(), Image(Source(source.path, source.name)) as image:
        grid = image.grid
    classes = source.classes or read_legend(source.path)
    known = Features(source.path, source.title, classes=classes)
    return open_labels(known, grid, job.area, progress=progress, background=True)


def _marks_one_class(features: Features) -> bool:
    """Whether the reference has no class field, or one that holds a single class.

    One that holds several may say itself where there is none of the map's class.
    """
    if not features.field or not readable(features):
        return not features.field
    return len(read_attributes(features).classes) == 1


def open_comparison(job: Job, settings: dict[str, Value], progress: Progress) -> Comparison:
    """Map and reference of the job, with their classes matched.

    Raises:
        InputError: one of them is missing or does not fit the other.
    """
    if job.labels is None:
        raise InputError("Choose reference polygons, points or a class raster to compare with.")
    on_map = open_map(job, progress)
    stated = states_background(job.inputs["CLASSES"][0].path)
    wanted = str(settings["unmarked"])
    complete = wanted == "background" or (
        wanted == "auto" and stated and _marks_one_class(job.labels)
    )
    grid = on_map.grid
    features, target = job.labels, None
    fieldless = complete and not features.field and readable(features)
    if fieldless:
        target = chosen_target(on_map.classes, str(settings["target"]), features.title)
        features = replace(features, classes=(replace(target, value=1),))
    if not features.classes and not readable(features):
        features = replace(features, classes=read_legend(features.path))
    reference = open_labels(features, grid, job.area, progress=progress, background=complete)
    matched = match_classes(
        _with_legend(job.inputs["CLASSES"][0], on_map.classes),
        (target,) if target else reference.classes,
        complete=complete,
        stated=stated,
        values_mean_something=not _has_texts(features),
    )
    if target:
        matched = replace(matched, of_reference={1: matched.of_reference[target.value]})
    drawn = readable(features) and (bool(features.field) or fieldless)
    pieces = _opened_pieces(features, grid) if drawn and not complete else None
    points = pieces is not None and _only_points(features)
    return Comparison(on_map, reference, matched, pieces, points=points, stated=stated)


def _with_legend(source: Source, found: tuple[MapClass, ...]) -> tuple[MapClass, ...]:
    """The map's classes, those too that no pixel has: their values are the map's to give."""
    legend = source.classes or read_legend(source.path)
    known = {one.value: one for one in (*legend, *found)}
    return tuple(known[value] for value in sorted(known))


def _opened_pieces(features: Features, grid: Grid) -> _Pieces:
    info = pyogrio.read_info(features.path, layer=features.layer or None, force_feature_count=True)
    numbers = np.arange(1, int(info["features"]) + 1, dtype=np.int32)
    return _Pieces(read_outlines(features, grid, numbers))


def _only_points(features: Features) -> bool:
    info = pyogrio.read_info(features.path, layer=features.layer or None)
    return "point" in str(info["geometry_type"]).lower()


def _has_texts(features: Features) -> bool:
    """Whether the class field holds texts rather than numbers."""
    if not features.field or not readable(features):
        return False
    info = pyogrio.read_info(features.path, layer=features.layer or None)
    kinds = dict(zip(map(str, info["fields"]), map(str, info["dtypes"]), strict=True))
    return kinds.get(features.field, "") in ("object", "str", "string")
