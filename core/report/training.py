"""The report of a training: what was learnt from what, how well, and how that was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy.scores import ClassScores, Scores, mean
from ..card import Card, CardInput
from ..classes import MapClass
from ..scene.aside import Together
from ..settings import Setting
from ..training.split import Block, ClassShare, Split
from . import drawing, words
from .page import check_html, pairs_of, plain, render, setting_rows, write_page

VERSION = 1
_MOST_MAPS = 12
_FOLD_SCORES = (
    ("overall accuracy", "overall_accuracy"),
    ("average accuracy", "average_accuracy"),
    ("kappa", "kappa"),
    ("macro-F1", "macro_f1"),
    ("mean IoU", "mean_iou"),
)


@dataclass(frozen=True, slots=True, eq=False)
class SplitMap:
    """The labelled pixels of one scene: row, column and part (0 training, 1 validation, 2 neither).

    `shape` is the scene in pixels of the reference grid. `picture` (row, column, 3), uint8, is
    shown beneath and may be coarser. `faint` tells which of the pixels are but background.
    """

    title: str
    shape: tuple[int, int]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    parts: NDArray[np.int64]
    blocks: tuple[Block, ...]
    picture: NDArray[np.uint8] | None = None
    faint: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A further table: numbers from 0 to 1 are shown as scores, None as undefined."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Everything that the report of one training tells.

    `epochs` are the numbers the training reported, `best_epoch` the one kept (from 1 on). `scores`
    were measured on the validation pixels of `split`, `folds` in cross-validation. `declared`
    are the settings' declarations, for their titles. `device` is the sentence that says what
    computed, and why; `seconds` is how long it took. `told` are sentences for the summary, and
    `tables` further tables: the family's own.
    """

    family: str
    card: Card
    epochs: Sequence[Mapping[str, float | int | None]] = ()
    best_epoch: int | None = None
    scores: Scores | None = None
    split: Split | None = None
    maps: Sequence[SplitMap] = ()
    folds: Sequence[Scores] = ()
    told: Sequence[str] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    declared: Sequence[Setting] = ()
    device: str = ""
    seconds: float | None = None
    tables: Sequence[Table] = ()

    @property
    def cautions(self) -> tuple[str, ...]:
        """All warnings: those given, those of the split, and what the scores themselves say."""
        told = [*self.warnings, *(self.split.warnings if self.split else ())]
        told += words.cautions(self.scores) if self.scores else ()
        return tuple(dict.fromkeys(told))

    def to_json(self) -> dict[str, object]:
        """The numbers of the report as a JSON object."""
        return {
            "terraweave_report": VERSION,
            "kind": "training",
            "family": self.family,
            "summary": _summary(self),
            "warnings": list(self.cautions),
            "scores": self.scores.to_json() if self.scores else None,
            "folds": [one.to_json() for one in self.folds],
            "split": self.split.to_json() if self.split else None,
            "best_epoch": self.best_epoch,
            "epochs": [dict(one) for one in self.epochs],
            "settings": dict(self.settings),
            "device": self.device,
            "seconds": self.seconds,
            "tables": [
                {
                    "title": one.title,
                    "header": list(one.header),
                    "rows": [list(r) for r in one.rows],
                    "note": one.note,
                }
                for one in self.tables
            ],
            "card": self.card.to_json(),
        }


def split_maps(
    split: Split,
    rows: ArrayLike,
    columns: ArrayLike,
    scenes: ArrayLike,
    titles: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    pictures: Sequence[NDArray[np.uint8] | None] | None = None,
    faint: NDArray[np.bool_] | None = None,
) -> tuple[SplitMap, ...]:
    """One map for each scene, from the pixels that were given to the split, in their order."""
    row, column, scene = (np.asarray(one, np.int64) for one in (rows, columns, scenes))
    parts = np.where(split.train, 0, np.where(split.validation, 1, 2))
    found = []
    for number, (title, shape) in enumerate(zip(titles, shapes, strict=True)):
        here = scene == number
        blocks = tuple(one for one in split.blocks if one.scene == number)
        picture = pictures[number] if pictures else None
        quiet = None if faint is None else faint[here]
        found.append(
            SplitMap(title, shape, row[here], column[here], parts[here], blocks, picture, quiet)
        )
    return tuple(found)


def write_training_report(
    path: str | Path, report: TrainingReport, together: Together | None = None
) -> None:
    """Write the report as HTML to `path`, and its numbers as JSON beside it (same stem).

    Raises:
        InputError: the path does not end like an HTML file, or its folder is not writable.
        ResourceError: the disk is full.
    """
    name = check_html(path)
    write_page(
        path, training_page(report, name.with_suffix(".json").name), report.to_json(), together
    )


def training_page(report: TrainingReport, json_name: str) -> str:
    """The HTML of the report; `json_name` is the file beside it."""
    shown = report.maps[:_MOST_MAPS]
    maps = [
        {
            "title": one.title,
            "svg": drawing.split_map(
                one.shape,
                one.rows,
                one.columns,
                one.parts,
                one.blocks,
                one.picture,
                f"map{number}",
                one.faint,
            ),
        }
        for number, one in enumerate(shown)
    ]
    return render(
        "training.html.j2",
        kind="Training report",
        title=report.card.name,
        subtitle=report.family,
        json_name=json_name,
        tiles=_tiles(report),
        summary=_summary(report),
        warnings=report.cautions,
        classes=_classes(report),
        split=report.split,
        scores=report.scores,
        folds=_folds(report.folds),
        curves=drawing.curves(report.epochs, report.best_epoch) if report.epochs else "",
        maps=maps,
        tables=[_shown(one) for one in report.tables],
        more_maps=len(report.maps) - len(shown),
        strong=report.card.classes[0].name if any(one.faint is not None for one in shown) else "",
        settings=setting_rows(report.settings, report.declared),
        model=_model(report),
        inputs=[_input(one) for one in report.card.inputs],
        provenance=pairs_of(report.card.provenance),
    )


def _tiles(report: TrainingReport) -> list[dict[str, object]]:
    if report.scores is None or not report.scores.total:
        return []
    scores = report.scores
    if len(report.card.classes) == 1:
        return _tiles_of_one(scores.per_class[0], scores.total)
    named = [
        ("Overall accuracy", scores.overall_accuracy, f"of {words.thousands(scores.total)} pixels"),
        ("Kappa", scores.kappa, "beyond chance"),
        ("Macro-F1", scores.macro_f1, "mean of the classes"),
        ("Average accuracy", scores.average_accuracy, "mean producer’s accuracy"),
    ]
    return [{"name": n, "value": words.score(v), "note": note} for n, v, note in named]


def _tiles_of_one(one: ClassScores, total: int) -> list[dict[str, object]]:
    """What counts where one class is told from everything else."""
    named = [
        ("IoU", one.iou, "intersection over union"),
        ("F1", one.f1, f"on {words.thousands(total)} pixels"),
        ("Precision", one.users, "of the mapped ground is right"),
        ("Recall", one.producers, "of the true ground is found"),
    ]
    return [{"name": n, "value": words.score(v), "note": note} for n, v, note in named]


def _shown(table: Table) -> dict[str, object]:
    rows = [
        [one if isinstance(one, str) else words.score(one) for one in row] for row in table.rows
    ]
    return {"title": table.title, "header": table.header, "rows": rows, "note": table.note}


def _summary(report: TrainingReport) -> list[str]:
    card, told = report.card, []
    names = [one.name for one in card.classes]
    told.append(
        f"“{card.name}” tells {len(names)} classes apart: {words.listed(names)}."
        if len(names) > 1
        else f"“{card.name}” tells “{names[0]}” from everything else."
    )
    if report.split is not None:
        told.append(report.split.summary)
    if report.scores is not None:
        told += _score_sentences(report)
    else:
        told.append("Nothing was held out, so there is no score.")
    told += report.told
    told += [_epoch_sentence(report), _refit_sentence(report), _effort_sentence(report)]
    return [one for one in told if one]


def _score_sentences(report: TrainingReport) -> list[str]:
    scores = report.scores
    if scores is None:
        return []
    if len(report.card.classes) > 1 or not scores.per_class[0].support:
        return [words.score_sentence(scores, "held-out ground"), words.weakest_sentence(scores)]
    one, threshold = scores.per_class[0], report.card.training.get("threshold")
    where = f"{words.thousands(scores.total)} pixels of held-out ground"
    cut = f" from a probability of {threshold:.3g} on" if isinstance(threshold, float) else ""
    return [
        f"On {where} the map finds {words.percent(one.producers)} of “{one.mapclass.name}”, and "
        f"{words.percent(one.users)} of what it shows is right (IoU {words.score(one.iou)}, F1 "
        f"{words.score(one.f1)}).",
        f"The map shows the class{cut}; this threshold was chosen on the same ground, which "
        "flatters the scores a little."
        if cut
        else "",
    ]


def _epoch_sentence(report: TrainingReport) -> str:
    if report.best_epoch is None or not report.epochs:
        return ""
    whole = len(report.epochs)
    if report.scores is None:
        return f"The weights of the last of {whole} epochs are kept."
    # Maps of one class are judged in overlapping windows and all orientations, epochs are not.
    how = ", at a quicker look than the scores are from" if len(report.card.classes) == 1 else ""
    return f"Epoch {report.best_epoch} of {whole} was the best on the validation blocks{how}."


def _refit_sentence(report: TrainingReport) -> str:
    if not report.card.training.get("trained_on_all_labels"):
        return ""
    return (
        "The model in the file was then trained once more on all labels with the same settings; "
        "the scores are those of the model that had not seen the validation blocks."
    )


def _effort_sentence(report: TrainingReport) -> str:
    took = f"It took {words.duration(report.seconds)}." if report.seconds is not None else ""
    return " ".join(one for one in (took, report.device) if one)


@dataclass(frozen=True, slots=True)
class _ClassRow:
    mapclass: MapClass
    share: ClassShare | None
    scores: ClassScores


def _classes(report: TrainingReport) -> list[_ClassRow]:
    shares = {one.mapclass.value: one for one in (report.split.classes if report.split else ())}
    rated = {one.mapclass.value: one for one in (report.scores.per_class if report.scores else ())}
    return [
        _ClassRow(one, shares.get(one.value), rated.get(one.value, ClassScores(one, 0, 0, 0)))
        for one in report.card.classes
    ]


def _folds(folds: Sequence[Scores]) -> dict[str, object] | None:
    if not folds:
        return None
    rows = []
    for name, key in _FOLD_SCORES:
        values: list[float | None] = [getattr(one, key) for one in folds]
        defined = [one for one in values if one is not None]
        rows.append(
            {
                "name": name,
                "fold_scores": values,
                "mean": mean(values),
                "deviation": stdev(defined) if len(defined) > 1 else None,
            }
        )
    return {"numbers": list(range(1, len(folds) + 1)), "rows": rows}


def _model(report: TrainingReport) -> list[tuple[str, object]]:
    card = report.card
    rows: list[tuple[str, object]] = [
        ("Family", card.family),
        ("Window", f"{card.window} pixels, overlap {card.overlap}"),
    ]
    rows += [(key.replace("_", " "), plain(value)) for key, value in card.architecture.items()]
    return rows


def _input(one: CardInput) -> dict[str, object]:
    bands = [
        {"name": band.name, "wavelength": band.wavelength, "mean": centre, "std": spread}
        for band, centre, spread in zip(one.bands, one.mean, one.std, strict=True)
    ]
    nodata = "" if one.nodata is None else f" Nodata is {one.nodata:g}."
    finer = "" if one.scale == 1 else f" {one.scale} × {one.scale} pixels lie in one of the result."
    note = f"{one.gsd:.4g} m a pixel, {one.data_type}.{finer}{nodata}"
    return {"role": one.role, "bands": bands, "note": note}
