"""The task `assess`: how good a class raster is, measured against a reference."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..classes import MapClass
from ..errors import InputError
from ..job import Job
from ..progress import Progress
from ..provenance import recorded_inputs, software
from ..record import TAG, Record
from ..report.page import check_html, check_table
from ..scene.aside import Together, check_writable
from ..scene.grid import Shape
from ..scene.sink import ClassSink
from ..settings import Value, resolve
from .binary import BinaryScores, binary_scores
from .comparison import Comparison, Ints, Pixels, open_comparison
from .estimates import MapEstimates, area_adjusted
from .facts import ASSESS_SETTINGS
from .matching import missing_classes
from .origin import trained_on_reference
from .scores import Scores
from .tally import Intervals, Tally
from .worst import driver_of, write_worst_places

OUTPUTS = ("REPORT", "TABLE", "DISAGREEMENT", "WORST")
MOST_WORST = 20
_AGREES = MapClass(1, "agrees", "#e4e7ea")
_FOUND, _MISSED, _FALSE = (
    MapClass(2, "found", "#0072b2"),
    MapClass(3, "missed", "#e69f00"),
    MapClass(4, "false", "#cc79a7"),
)
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class WorstPlace:
    """A block with many wrong pixels: where it is (pixels of the map), and its usual mistake."""

    rank: int
    row: int
    column: int
    rows: int
    columns: int
    wrong: int
    compared: int
    mistake: str

    @property
    def share(self) -> float:
        """The share of the compared pixels that are wrong."""
        return self.wrong / self.compared


@dataclass(slots=True)
class Counting:
    """What one pass over map and reference gathers."""

    pieces: Tally
    blocks: Tally
    block: int
    shape: Shape
    mapped: Ints
    referenced: Ints
    empty: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def block_columns(self) -> int:
        """How many blocks lie side by side."""
        return -(-self.shape.columns // self.block)

    def add(self, pixels: Pixels, *, by_piece: bool) -> None:
        """Count the pixels of one strip."""
        kinds = len(self.mapped)
        known = pixels.known
        rows, columns = np.nonzero(known)
        block = (rows + pixels.window.row) // self.block * self.block_columns
        block = block + (columns + pixels.window.column) // self.block
        pairs = pixels.reference[known], pixels.mapped[known]
        self.blocks.add(block, *pairs)
        if by_piece:
            self.pieces.add(pixels.piece[known], *pairs)
        self.mapped += np.bincount(pixels.mapped[pixels.mapped >= 0], minlength=kinds)
        labelled = pixels.reference >= 0
        self.referenced += np.bincount(pixels.reference[labelled], minlength=kinds)
        self.empty += int((labelled & ~known).sum())


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that is found out about a map."""

    map_title: str
    reference_title: str
    scores: Scores
    intervals: Intervals | None
    by_piece: bool
    estimates: MapEstimates | None
    binary: BinaryScores | None
    worst: tuple[WorstPlace, ...]
    blocks: Mapping[int, tuple[int, int]]
    block: int
    shape: Shape
    gsd: float
    crs: str
    empty: int
    warnings: tuple[str, ...]
    settings: Mapping[str, Value]


def assess(job: Job, progress: Progress) -> dict[str, object]:
    """Compare the map (CLASSES) with the reference (labels), write what is asked for.

    Returns the scores as numbers, or None where they are undefined.

    Raises:
        InputError: map, reference, area or an output do not fit.
    """
    settings = resolve(ASSESS_SETTINGS, job.settings)
    for key in OUTPUTS:
        if job.output(key):
            check_writable(job.output(key))
    check_endings(job)
    with progress.stage("Reading map and reference", 0.05, preparing=True):
        comparison = open_comparison(job, settings, progress)
    with Together() as together:
        found = _assessed(job, comparison, settings, progress, together)
        _write(job, found, comparison, together)
    for warning in found.warnings:
        progress.warn(warning)
    return values_of(found)


def check_endings(job: Job) -> None:
    """Refuse output names of a wrong kind before any work."""
    if job.output("REPORT"):
        check_html(job.output("REPORT"))
    if job.output("TABLE"):
        check_table(job.output("TABLE"))
    if job.output("WORST"):
        driver_of(job.output("WORST"))
    layers = [Path(job.output(key)) for key in ("DISAGREEMENT", "WORST") if job.output(key)]
    if len({one.with_suffix("") for one in layers}) < len(layers):
        raise InputError(
            f"{layers[0].name} and {layers[1].name} would share one style file; give the "
            "disagreement raster and the worst places different names."
        )


def _assessed(
    job: Job,
    comparison: Comparison,
    settings: Mapping[str, Value],
    progress: Progress,
    together: Together,
) -> Assessment:
    notes = [*comparison.matched.notes, *trained_on_reference(job)]
    if _needs_empty(comparison, progress):
        comparison.count_empty_as_background()
        notes.append(
            "The map shows one class and nothing else, so its missing pixels are taken for "
            f"“{comparison.classes[-1].name}”."
        )
    with progress.stage("Comparing pixels", 0.35):
        counting = _counted(job, comparison, settings, progress, together)
    scores = Scores.from_matrix(counting.blocks.matrix, comparison.classes)
    _check_compared(scores, counting, comparison)
    pieces = counting.pieces if comparison.has_pieces else counting.blocks
    with progress.stage("Drawing intervals", 0.1):
        intervals = pieces.intervals(comparison.classes, seed=int(settings["seed"]), draws=_DRAWS)
    target, binary = comparison.matched.target, None
    if target is not None and scores.total and not comparison.has_pieces:
        with progress.stage("Comparing outlines and objects", 0.4):
            distance = float(settings["boundary_distance"])
            binary = binary_scores(comparison, target, distance, progress)
    estimates = _estimates(scores, counting, comparison, settings)
    warnings = (
        *notes,
        *_warnings(scores, counting, comparison, estimates),
        *([_FEW_PIECES] if intervals is None and scores.total else []),
    )
    return Assessment(
        map_title=job.inputs["CLASSES"][0].title,
        reference_title=comparison.title,
        scores=scores,
        intervals=intervals,
        by_piece=comparison.has_pieces,
        estimates=estimates,
        binary=binary,
        worst=tuple(_worst(counting, comparison.classes)),
        blocks=_block_shares(counting.blocks),
        block=counting.block,
        shape=comparison.grid.shape,
        gsd=comparison.grid.gsd,
        crs=comparison.grid.crs_name,
        empty=counting.empty,
        warnings=warnings,
        settings=settings,
    )


_FEW_PIECES = (
    "The reference lies in fewer than five separate places, too few for confidence intervals; "
    "add reference elsewhere."
)


def _needs_empty(comparison: Comparison, progress: Progress) -> bool:
    """Whether the map, in a comparison with background, has no pixel that is background."""
    background = comparison.matched.background
    if background is None or comparison.states_background:
        return False
    with progress.stage("Looking at the map", 0.05, preparing=True):
        return not any((one.mapped == background).any() for one in comparison.strips(progress))


def _counted(
    job: Job,
    comparison: Comparison,
    settings: Mapping[str, Value],
    progress: Progress,
    together: Together,
) -> Counting:
    kinds = len(comparison.classes)
    shape = comparison.grid.shape
    size = int(settings["block"]) or min(max(max(shape.rows, shape.columns) // 24, 8), 256)
    counting = Counting(
        Tally(kinds),
        Tally(kinds),
        size,
        shape,
        np.zeros(kinds, np.int64),
        np.zeros(kinds, np.int64),
    )
    with ExitStack() as stack:
        sink = None
        if job.output("DISAGREEMENT"):
            record = Record("assess", settings, recorded_inputs(job), software())
            legend = disagreement_classes(comparison.classes, comparison.matched.target)
            sink = stack.enter_context(
                ClassSink(
                    job.output("DISAGREEMENT"), comparison.grid, legend, together=together,
                    tags={TAG: record.to_text()},
                )
            )  # fmt: skip
        for pixels in comparison.strips(progress):
            counting.add(pixels, by_piece=comparison.has_pieces)
            if sink is not None:
                sink.write(pixels.window, disagreement(pixels, comparison.matched.target))
    return counting


def disagreement_classes(classes: tuple[MapClass, ...], target: int | None) -> tuple[MapClass, ...]:
    """The legend of the disagreement raster.

    Of a binary map: found, missed and false. Else 1 is agreement, and 2, 3, … say which class a
    wrongly mapped pixel really is.
    """
    if target is not None:
        return (_AGREES, _FOUND, _MISSED, _FALSE)
    wrong = (
        MapClass(index + 2, f"{one.name}, mapped as another class", one.color)
        for index, one in enumerate(classes)
    )
    return (_AGREES, *wrong)


def disagreement(pixels: Pixels, target: int | None) -> Ints:
    """Values of the disagreement raster (row, column), 0 where nothing was compared."""
    right = pixels.reference == pixels.mapped
    if target is None:
        values = np.where(right, _AGREES.value, pixels.reference + 2)
    else:
        own, other = pixels.reference == target, pixels.mapped == target
        values = np.where(own, np.where(other, _FOUND.value, _MISSED.value), _AGREES.value)
        values = np.where(other & ~own, _FALSE.value, values)
    return np.where(pixels.known, values, 0).astype(np.int64)


def _check_compared(scores: Scores, counting: Counting, comparison: Comparison) -> None:
    if scores.total + counting.empty == 0:
        raise InputError(
            f"{comparison.title} has no labelled pixel on the map inside the surveyed area; "
            "choose a reference of the same place."
        )
    if scores.total + counting.empty == 1:
        raise InputError(
            f"{comparison.title} has a single pixel on the map, which says nothing about it; "
            "add reference polygons or points."
        )


def _estimates(
    scores: Scores, counting: Counting, comparison: Comparison, settings: Mapping[str, Value]
) -> MapEstimates | None:
    wanted = settings["sample"] == "yes" or (settings["sample"] == "auto" and comparison.points)
    if not wanted or not scores.total:
        return None
    return area_adjusted(
        np.array(scores.matrix), counting.mapped, comparison.classes, comparison.grid.gsd**2
    )


def _warnings(
    scores: Scores, counting: Counting, comparison: Comparison, estimates: MapEstimates | None
) -> Iterator[str]:
    lacking, unreferenced = missing_classes(
        comparison.matched, counting.mapped.tolist(), counting.referenced.tolist()
    )
    if not scores.total:
        yield "The map is empty wherever the reference is, so there is no score."
    elif counting.empty:
        yield (
            f"On {counting.empty} reference pixels the map is empty; they are left out of the "
            "scores."
        )
    if lacking:
        yield f"The reference has classes that the map never shows: {', '.join(lacking)}."
    if unreferenced:
        yield f"The map shows classes without any reference: {', '.join(unreferenced)}."
    if estimates is not None and estimates.overall.value is None:
        names = [one.mapclass.name for one in estimates.per_class
                 if one.mapped_share and not one.sample]  # fmt: skip
        yield (
            "Nothing can be estimated for the whole map, because no sample point lies on the "
            f"map's {', '.join(names)}."
        )


def _worst(counting: Counting, classes: tuple[MapClass, ...]) -> Iterator[WorstPlace]:
    size = counting.block
    for rank, (place, wrong, compared, mistake) in enumerate(counting.blocks.worst(MOST_WORST), 1):
        down, right = divmod(place, counting.block_columns)
        row, column = down * size, right * size
        yield WorstPlace(
            rank, row, column,
            min(size, counting.shape.rows - row), min(size, counting.shape.columns - column),
            wrong, compared, f"{classes[mistake[0]].name} mapped as {classes[mistake[1]].name}",
        )  # fmt: skip


def _block_shares(blocks: Tally) -> dict[int, tuple[int, int]]:
    """Wrong and compared pixels by block."""
    places, reference, predicted, counts = blocks.entries
    names, piece = np.unique(places, return_inverse=True)
    wrong = np.bincount(piece, np.where(reference != predicted, counts, 0), minlength=len(names))
    compared = np.bincount(piece, counts, minlength=len(names))
    return {
        int(name): (int(bad), int(both))
        for name, bad, both in zip(names, wrong, compared, strict=True)
    }


def _write(job: Job, found: Assessment, comparison: Comparison, together: Together) -> None:
    from ..report.assessment import write_assessment_report, write_table

    if job.output("REPORT"):
        write_assessment_report(job.output("REPORT"), found, job, together)
    if job.output("TABLE"):
        write_table(job.output("TABLE"), found, together)
    if job.output("WORST"):
        write_worst_places(job.output("WORST"), found.worst, comparison.grid, together)


def values_of(found: Assessment) -> dict[str, object]:
    """The scores as outputs of the algorithm."""
    scores, binary, intervals = found.scores, found.binary, found.intervals
    values: dict[str, object] = {
        "PIXELS": scores.total,
        "OA": scores.overall_accuracy,
        "AA": scores.average_accuracy,
        "KAPPA": scores.kappa,
        "MACRO_F1": scores.macro_f1,
        "MEAN_IOU": scores.mean_iou,
        "OA_LOW": intervals.overall_accuracy.low if intervals else None,
        "OA_HIGH": intervals.overall_accuracy.high if intervals else None,
        "OA_ADJUSTED": found.estimates.overall.value if found.estimates else None,
        "OA_ADJUSTED_MARGIN": found.estimates.overall.margin if found.estimates else None,
    }
    target = None
    if binary is not None:
        target = next(one for one in scores.per_class if one.mapclass.name == binary.name)
    return values | {
        "F1": target.f1 if target else None,
        "IOU": target.iou if target else None,
        "BOUNDARY_IOU": binary.boundary.iou if binary else None,
        "BOUNDARY_F1": binary.boundary.f1 if binary else None,
        "DETECTION_RATE": binary.objects.detection_rate if binary else None,
        "FALSE_PARTS_PER_KM2": binary.objects.false_per_km2 if binary else None,
        "AREA_BIAS": binary.objects.area_bias if binary else None,
    }
