"""The outputs of a prediction, which all families share: class raster, confidence, polygons."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from .classes import MapClass
from .errors import InputError
from .job import Job
from .progress import Progress
from .scene.aside import Together
from .scene.grid import Grid, Window
from .scene.polygons import write_polygons
from .scene.sink import ClassSink, RasterSink, ValueSink

_DRAWING_SHARE = 0.1
_PAINTING_SHARE = 0.2
# What is derived from elevation takes some hundred bytes a pixel. A multiple of a file's tiles.
_PAINTED = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A finished part of a scene.

    `probabilities` (row, column, class) float32, in the order of the classes; `valid` (row,
    column) tells where there is data. `decided` (row, column) has the class values, 0 for none of
    the classes, where more than the highest probability decides.
    """

    window: Window
    probabilities: NDArray[np.float32]
    valid: NDArray[np.bool_]
    decided: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A grey picture that is written beside the map; see `family.ExtraOutput`.

    `paint` gives its pixels (row, column) uint8 in a window of the scene, 0 where there are none.
    """

    key: str
    paint: Callable[[Window], NDArray[np.uint8]]


class Draw(Protocol):
    """Writes the polygons of a finished map, and returns how many there are."""

    def __call__(
        self, classes: Path, confidence: Path | None, path: str, together: Together
    ) -> int:
        """Write to `path`; both rasters lie where they are until they take their places."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: classified pixels, and polygons where they were asked for."""

    pixels: int
    polygons: int | None


def write_results(
    job: Job,
    grid: Grid,
    region: Window,
    classes: Sequence[MapClass],
    classify: Callable[[Window], Strip],
    progress: Progress,
    *,
    block: tuple[int, int],
    tags: Mapping[str, str],
    last_words: Callable[[], Mapping[str, str]] = dict,
    minimum_area: float = 0.0,
    background: bool = False,
    draw: Draw | None = None,
    backdrops: Sequence[Backdrop] = (),
) -> Written:
    """Classify `region` of `grid` block after block into the job's outputs.

    `block` is the rows and columns of a block; `classify` is asked for the blocks row by row.
    `last_words` are further tags for the class raster, asked for when all is classified. With a
    `background`, pixels may be none of the classes. `draw` writes the polygons; without it they
    are those of all classes, the ones below `minimum_area` (m²) joined to their neighbours. Of the
    `backdrops` those are painted that the job names. All outputs take their places together at the
    end, or none does.

    Raises:
        InputError: no class raster was asked for, or an output cannot be written.
        Cancelled: at the user's wish; old files stay as they were.
    """
    if not job.output("CLASSES"):
        raise InputError("No output was named for CLASSES; name the class raster to write.")
    part = grid.cropped(region)
    wanted = [one for one in backdrops if job.output(one.key)]
    share = 1.0 - (_DRAWING_SHARE if job.output("POLYGONS") else 0.0)
    with Together() as together:
        raster = ClassSink(
            job.output("CLASSES"),
            part,
            classes,
            background=background,
            tags=tags,
            together=together,
        )
        sure = (
            ValueSink(
                job.output("CONFIDENCE"),
                part,
                description="probability" if background else "confidence",
                see_through=background,
                tags=tags,
                together=together,
            )
            if job.output("CONFIDENCE")
            else None
        )
        with ExitStack() as stack:
            stack.enter_context(raster)
            if sure:
                stack.enter_context(sure)
            with progress.stage("Classifying", share * (1.0 - _PAINTING_SHARE * bool(wanted))):
                pixels = _fill(raster, sure, region, classes, classify, progress, block)
            raster.describe(last_words())
        for one in wanted:
            with progress.stage("Shading", share * _PAINTING_SHARE / len(wanted)):
                _paint(one, job.output(one.key), part, region, progress, tags, together)
        if not job.output("POLYGONS"):
            return Written(pixels, None)
        with progress.stage("Drawing polygons", 1.0):
            if draw is None:
                draw = partial(_draw, classes=classes, minimum_area=minimum_area, progress=progress)
            where = sure.whereabouts if sure else None
            polygons = draw(raster.whereabouts, where, job.output("POLYGONS"), together)
    return Written(pixels, polygons)


def _draw(
    raster: Path,
    confidence: Path | None,
    path: str,
    together: Together,
    *,
    classes: Sequence[MapClass],
    minimum_area: float,
    progress: Progress,
) -> int:
    return write_polygons(
        raster,
        confidence,
        path,
        classes,
        minimum_area=minimum_area,
        progress=progress,
        together=together,
    )


def _paint(
    backdrop: Backdrop,
    path: str,
    part: Grid,
    region: Window,
    progress: Progress,
    tags: Mapping[str, str],
    together: Together,
) -> None:
    """Write a backdrop of `region`, whose pixels are those of the grid `part`."""
    done = 0
    with RasterSink(
        path,
        part,
        "uint8",
        0,
        Resampling.average,
        description=backdrop.key.lower(),
        tags=tags,
        together=together,
    ) as sink:
        for window in region.blocks(_PAINTED, _PAINTED):
            progress.update(done / region.shape.pixels)
            sink.write(window.shifted(-region.row, -region.column), backdrop.paint(window))
            done += window.shape.pixels


def _fill(
    raster: ClassSink,
    sure: ValueSink | None,
    region: Window,
    classes: Sequence[MapClass],
    classify: Callable[[Window], Strip],
    progress: Progress,
    block: tuple[int, int],
) -> int:
    """Write every block; the number of classified pixels."""
    values = np.array([one.value for one in classes])
    classified, done = 0, 0
    for window in region.blocks(*block):
        progress.update(done / region.shape.pixels)
        strip = classify(window)
        place = window.shifted(-region.row, -region.column)
        decided = strip.decided
        if decided is None:
            decided = values[strip.probabilities.argmax(axis=2)]
        raster.write(place, np.where(strip.valid, decided, raster.nodata))
        if sure:
            highest = strip.probabilities.max(axis=2)
            sure.write(place, np.where(strip.valid, highest, np.float32(np.nan)))
        classified += int(strip.valid.sum())
        done += window.shape.pixels
    return classified
