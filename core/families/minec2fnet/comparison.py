"""Teacher and student side by side: what was gained on new ground, what was lost on old."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...classes import MapClass
from ...report.training import Table
from ...segmentation.costs import points
from ...segmentation.earlier import Earlier
from ...segmentation.judging import model_threshold
from ...segmentation.learn import SegmentationCourse, earlier_scores
from ...segmentation.tables import boundary
from ...segmentation.validation import Judged, pooled
from ...segmentation.view import Segmenter

Row = tuple[str | float | None, ...]
_OUTLINE_PIXELS = 2.0
_IOU = 2


def gained(
    course: SegmentationCourse[Any], earlier: Earlier, teacher: Segmenter
) -> tuple[Table, ...]:
    """Scores of both on what the second stage held out; nothing where it held out nothing."""
    if not course.judged:
        return ()
    before = [one for fold in range(course.divisions) for one in course.judge(fold, teacher)]
    best, mapclass = pooled(before).best_threshold, course.sites.mapclass
    rows = (
        _row("Teacher", before, model_threshold(earlier.card), mapclass),
        _row("Teacher, threshold chosen here", before, best, mapclass),
        _row("Refined model", course.judged, course.threshold, mapclass),
    )
    note = _change("against the teacher with a threshold chosen here", rows[1], rows[2])
    return (_table("Gained on held-out precise labels", rows, course.sites.gsd, note),)


def forgotten(
    before: Sequence[Judged],
    after: Sequence[Judged],
    thresholds: tuple[float, float],
    mapclass: MapClass,
    gsd: float,
    note: str,
) -> Table:
    """Scores of teacher and student on the same old ground, each at its threshold."""
    rows = (
        _row("Teacher", before, thresholds[0], mapclass),
        _row("Refined model", after, thresholds[1], mapclass),
    )
    change = _change("against the teacher; negative points were forgotten", *rows)
    return _table("Forgotten on earlier labels", rows, gsd, f"{note} {change}".strip())


def remembered(earlier: Earlier) -> tuple[Table, ...]:
    """What the teacher's card says about its own held-out ground, where the data are gone.

    It also remembers the models that came before it.
    """
    rows = [row for row in map(_remembered_row, earlier_scores(earlier.card)) if row]
    if not rows:
        return ()
    return (
        Table(
            "Earlier models in their own trainings",
            ("model", "IoU", "F1", "precision", "recall"),
            tuple(rows),
            "As the teacher's card remembers it, each on other ground. What the refined model has "
            "forgotten there cannot be measured without those scenes; give them as earlier labels "
            "to see it.",
        ),
    )


def _remembered_row(scores: Mapping[str, object]) -> Row | None:
    classes = scores.get("classes")
    first = classes[0] if isinstance(classes, list) and classes else None
    if not isinstance(first, Mapping):
        return None
    keys = ("iou", "f1", "users_accuracy", "producers_accuracy")
    values = [first.get(key) for key in keys]
    return str(scores.get("model", "")), *(
        one if isinstance(one, float) else None for one in values
    )


def _change(what: str, before: Row, after: Row) -> str:
    """By how many points of IoU one row lies above another, in words."""
    first, second = before[_IOU], after[_IOU]
    if not isinstance(first, float) or not isinstance(second, float):
        return ""
    return f"{points(second - first)} points of IoU {what}."


def _table(title: str, rows: tuple[Row, ...], gsd: float, note: str = "") -> Table:
    within = f"outline F1 within {_OUTLINE_PIXELS * gsd:.4g} m"
    return Table(title, ("", "threshold", "IoU", "F1", "precision", "recall", within), rows, note)


def _row(title: str, judged: Sequence[Judged], threshold: float, mapclass: MapClass) -> Row:
    found = pooled(judged).scores(threshold, mapclass).per_class[0]
    outline = boundary(judged, threshold, _OUTLINE_PIXELS).f1
    return title, threshold, found.iou, found.f1, found.users, found.producers, outline
