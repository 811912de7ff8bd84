"""Teacher and student side by side: what was gained on new ground, what was lost on old."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...classes import MapClass
from ...report.training import Table
from ...report.words import score
from ...segmentation.costs import points
from ...segmentation.course import SegmentationCourse
from ...segmentation.earlier import Earlier, earlier_scores
from ...segmentation.judging import model_threshold
from ...segmentation.tables import Told, boundary
from ...segmentation.validation import Judged, pooled
from ...segmentation.view import Segmenter
from ...words import counted

Row = tuple[str | float | None, ...]
_OUTLINES_AS_DRAWN = (
    "Earlier outlines count as they were drawn: where they are coarse, a model that outlines more "
    "tightly loses points here without being worse."
)
_OUTLINE_PIXELS = 2.0
_THRESHOLD, _IOU = 1, 2
# Another seed alone moves the IoU by as much.
_NOTICED = 0.005
_TEACHER, _REFINED = "Teacher", "Refined model"
_CHOSEN = "Teacher, threshold chosen here"
_ON_PRECISE = "Teacher, threshold chosen on the precise labels"
_REMEDY = (
    "The refined model is {0} its teacher with a threshold of {1:.3g}. Draw more precise outlines "
    "and refine again, or keep the teacher and map with THRESHOLD {1:.3g}."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Teacher and refined model on the precise ground that was held out.

    The rows are the teacher as it `came`; `before`, with the threshold that suits that ground
    best; and `after`, the refined model, whose threshold suits it best, too, so that neither of
    the two has an advantage by its threshold alone. `gsd` is in metres, `scenes` how many scenes
    that ground is in.
    """

    came: Row
    before: Row
    after: Row
    gsd: float
    scenes: int = 1

    @property
    def chosen(self) -> float | None:
        """The threshold that suits the teacher best; None where the class does not show."""
        return None if _iou(self.before) is None else float(str(self.before[_THRESHOLD]))

    def told(self) -> Told:
        """The comparison in a table, in words, and in numbers."""
        rows = (self.came, self.before, self.after)
        note = _change(f"against “{_CHOSEN}”", self.before, self.after)
        table = _table("Gained on held-out precise labels", rows, self.gsd, note)
        before, after, chosen = _iou(self.before), _iou(self.after), self.chosen
        if before is None or after is None or chosen is None:
            return Told((table,))
        gain = after - before
        values = {"TEACHER_IOU": before, "TEACHER_THRESHOLD": chosen, "GAIN": gain}
        verdict = "hardly better than" if gain > 0 else "no better than"
        warnings = () if gain >= _NOTICED else (_REMEDY.format(verdict, chosen),)
        return Told(
            (table,), (self._sentence(gain), *self._threshold_alone(gain)), warnings, values
        )

    def _sentence(self, gain: float) -> str:
        after, before = score(_iou(self.after)), score(_iou(self.before))
        return (
            f"On held-out precise labels in {counted(self.scenes, 'scene')} the refined model has "
            f"an IoU of {after}: {points(gain)} points against the teacher with its threshold "
            f"chosen there, too ({before} at {self.chosen:.3g})."
        )

    def _threshold_alone(self, gain: float) -> tuple[str, ...]:
        """That a gain is none of the refinement's, where it looks like one."""
        came, after = _iou(self.came), _iou(self.after)
        if gain >= _NOTICED or came is None or after is None or after - came < _NOTICED:
            return ()
        return (
            f"The {points(after - came)} points against the teacher as it came ({score(came)} at "
            f"{self.came[_THRESHOLD]:.3g}) are those of the threshold.",
        )


def compared(
    course: SegmentationCourse[Any], earlier: Earlier, teacher: Segmenter
) -> Comparison | None:
    """Both on what the second stage held out; None where it held out nothing."""
    if not course.judged:
        return None
    before = [one for fold in range(course.divisions) for one in course.judge(fold, teacher)]
    best, mapclass = pooled(before).best_threshold, course.sites.mapclass
    return Comparison(
        _row(_TEACHER, before, model_threshold(earlier.card), mapclass),
        _row(_CHOSEN, before, best, mapclass),
        _row(_REFINED, course.judged, course.threshold, mapclass),
        course.sites.gsd,
        len({one.title for one in before}),
    )


def forgotten(
    before: Sequence[Judged],
    after: Sequence[Judged],
    thresholds: tuple[float, float | None, float],
    mapclass: MapClass,
    gsd: float,
    ground: str,
) -> Told:
    """Scores of teacher and refined model on the same old `ground`, and their difference in words.

    `thresholds` are the teacher's own, the one chosen for it on precise labels (None where none
    could be chosen), and the refined model's, which was chosen there, too. The models are compared
    by the latter two: against the teacher's own a difference may be that of the thresholds alone.
    """
    own, chosen, refined = thresholds
    teacher = [_row(_TEACHER, before, own, mapclass)]
    if chosen is not None:
        teacher.append(_row(_ON_PRECISE, before, chosen, mapclass))
    last = _row(_REFINED, after, refined, mapclass)
    said = _kept_of(teacher[-1], last, ground)
    note = f"{said} {_OUTLINES_AS_DRAWN}".strip()
    table = _table("Forgotten on earlier labels", (*teacher, last), gsd, note)
    return Told((table,), (said,) if said else ())


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
    first, second = _iou(before), _iou(after)
    if first is None or second is None:
        return ""
    return f"{points(second - first)} points of IoU {what}."


def _kept_of(before: Row, after: Row, ground: str) -> str:
    """What a refined model has kept of what its teacher knew on `ground`, in words."""
    first, second = _iou(before), _iou(after)
    if first is None or second is None:
        return ""
    change = second - first
    verdict = "so it has forgotten nothing" if change >= 0 else "which is what it has forgotten"
    return (
        f"On {ground} the refined model has {points(change)} points of IoU against "
        f"“{before[0]}”, {verdict}."
    )


def _table(title: str, rows: tuple[Row, ...], gsd: float, note: str = "") -> Table:
    within = f"outline F1 within {_OUTLINE_PIXELS * gsd:.4g} m"
    return Table(title, ("", "threshold", "IoU", "F1", "precision", "recall", within), rows, note)


def _row(title: str, judged: Sequence[Judged], threshold: float, mapclass: MapClass) -> Row:
    found = pooled(judged).scores(threshold, mapclass).per_class[0]
    outline = boundary(judged, threshold, _OUTLINE_PIXELS).f1
    return title, threshold, found.iou, found.f1, found.users, found.producers, outline


def _iou(row: Row) -> float | None:
    value = row[_IOU]
    return value if isinstance(value, float) else None
