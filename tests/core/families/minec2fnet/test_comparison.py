"""Teacher and refined model side by side: what is gained is not to be a threshold's doing."""

import numpy as np
import pytest
from terraweave.core.classes import MapClass
from terraweave.core.families.minec2fnet.comparison import Comparison, forgotten
from terraweave.core.segmentation.tables import Told
from terraweave.core.segmentation.validation import Judged

MINE = MapClass(1, "Mine", "#d95f02")
EDGE = 40


def judged(inside: float, outside: float) -> tuple[Judged, ...]:
    """A square mine with one probability in it and another around it."""
    truth = np.zeros((EDGE, EDGE), np.bool_)
    truth[10:30, 10:30] = True
    found = np.where(truth, inside, outside).astype(np.float32)
    return (Judged("site", found, truth, np.ones_like(truth)),)


def row(name: str, threshold: float, iou: float | None) -> tuple[str | float | None, ...]:
    return name, threshold, iou, iou, iou, iou, iou


def comparison(came: float, before: float | None, after: float | None) -> Comparison:
    """A teacher as it came and with a threshold of its own for this ground, and its student."""
    rows = row("came", 0.8, came), row("chosen", 0.35, before), row("refined", 0.5, after)
    return Comparison(*rows, gsd=10.0, scenes=2)


def test_a_gain_is_counted_against_the_teacher_with_a_threshold_for_the_same_ground() -> None:
    told = comparison(0.2, 0.45, 0.5).told()
    (line,) = told.sentences
    assert (
        "labels in 2 scenes the refined model has an IoU of 0.500: +5.0 points against the teacher"
        in line
    )
    assert "(0.450 at 0.35)" in line
    assert not told.warnings
    assert told.values == {
        "TEACHER_IOU": 0.45, "TEACHER_THRESHOLD": 0.35, "GAIN": pytest.approx(0.05),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.4, "no better"), (0.45, "no better"), (0.454, "hardly better")]
)
def test_no_gain_beyond_the_threshold_is_warned_of_with_what_to_do(
    after: float, verdict: str
) -> None:
    told = comparison(0.2, 0.45, after).told()
    (warning,) = told.warnings
    assert f"{verdict} than its teacher with a threshold of 0.35. Draw more precise" in warning
    assert "keep the teacher and map with THRESHOLD 0.35" in warning
    assert "(0.200 at 0.8) are those of the threshold" in told.sentences[1]


def test_a_loss_against_the_teacher_as_it_came_is_no_gain_of_a_threshold() -> None:
    assert len(comparison(0.45, 0.45, 0.4).told().sentences) == 1


def test_without_the_class_on_held_out_ground_nothing_is_claimed() -> None:
    found = comparison(0.2, None, None)
    told = found.told()
    assert found.chosen is None
    assert not told.sentences
    assert not told.warnings
    assert not told.values
    assert len(told.tables) == 1


def lost(chosen: float | None) -> Told:
    """A student that is as good as its teacher on old ground, at a better threshold."""
    before, after = judged(0.6, 0.3), judged(0.6, 0.3)
    return forgotten(before, after, (0.2, chosen, 0.5), MINE, 10.0, "this ground")


def test_what_was_forgotten_is_counted_at_thresholds_that_were_chosen_alike() -> None:
    (table,) = lost(0.5).tables
    assert [one[0] for one in table.rows] == [
        "Teacher", "Teacher, threshold chosen on the precise labels", "Refined model",
    ]  # fmt: skip
    assert [one[2] for one in table.rows] == [0.25, 1.0, 1.0]
    assert (
        "On this ground the refined model has +0.0 points of IoU against “Teacher, " in table.note
    )


def test_without_a_chosen_threshold_the_teacher_stands_as_it_came() -> None:
    (table,) = lost(None).tables
    assert [one[0] for one in table.rows] == ["Teacher", "Refined model"]
    assert "+75.0 points of IoU against “Teacher”, so it has forgotten nothing." in table.note
