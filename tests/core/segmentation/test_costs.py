"""What cleaning costs, counted by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from terraweave.core.segmentation.costs import cleanup_costs, points
from terraweave.core.segmentation.settings import segmentation_settings
from terraweave.core.segmentation.validation import Judged

EDGE = 20


def judged(truth: NDArray[np.bool_], mapped: NDArray[np.bool_]) -> Judged:
    probabilities = np.where(mapped, 0.9, 0.1).astype(np.float32)
    return Judged("s", probabilities, truth, np.ones_like(truth))


def square(*places: tuple[int, int, int]) -> NDArray[np.bool_]:
    found = np.zeros((EDGE, EDGE), bool)
    for row, column, side in places:
        found[row : row + side, column : column + side] = True
    return found


def test_each_step_is_measured_on_top_of_those_before_it() -> None:
    large, speck = (2, 2, 10), (16, 16, 2)
    hole = square(large) & ~square((5, 5, 2))
    one = judged(square(large), hole | square(speck))
    settings = segmentation_settings(hysteresis=0.0, fill_holes=500.0, minimum_area=500.0)
    found = cleanup_costs([one], 0.5, 10.0, settings)
    assert found is not None
    steps = [(name, points) for name, _, points in found.table.rows]
    ious = [iou for _, iou, _ in found.table.rows]
    assert ious == pytest.approx([96 / 104, 100 / 104, 1.0])
    assert [name for name, _ in steps] == [
        "threshold 0.5 alone", "holes below 0.05 ha filled", "areas below 0.05 ha dropped",
    ]  # fmt: skip
    assert [points for _, points in steps] == ["", "+3.8", "+3.8"]
    assert not found.warnings


def test_a_default_step_that_costs_half_a_point_is_warned_of() -> None:
    truth = square((2, 2, 10), (16, 16, 2))
    settings = segmentation_settings(hysteresis=0.0, minimum_area=500.0)
    found = cleanup_costs([judged(truth, truth)], 0.5, 10.0, settings)
    assert found is not None
    (warning,) = found.warnings
    assert "“areas below 0.05 ha dropped” costs 3.8 points of IoU" in warning
    assert "set MINIMUM_AREA to 0" in warning


def test_ground_that_was_not_held_out_does_not_count() -> None:
    truth, mapped = square((2, 2, 10)), square((2, 2, 10), (16, 16, 2))
    probabilities = np.where(mapped, 0.9, 0.1).astype(np.float32)
    known = np.ones_like(truth)
    known[15:] = False
    settings = segmentation_settings(hysteresis=0.1)
    found = cleanup_costs([Judged("s", probabilities, truth, known)], 0.5, 10.0, settings)
    assert found is not None
    assert [iou for _, iou, _ in found.table.rows] == [1.0, 1.0]


def test_without_steps_or_held_out_ground_there_is_no_table() -> None:
    truth = square((2, 2, 10))
    assert cleanup_costs([], 0.5, 10.0, segmentation_settings()) is None
    bare = segmentation_settings(hysteresis=0.0)
    assert cleanup_costs([judged(truth, truth)], 0.5, 10.0, bare) is None


def test_points_are_hundredths_with_a_sign_and_no_negative_zero() -> None:
    found = [points(one) for one in (0.0123, -0.05, -0.0001)]
    assert found == ["+1.2", "\N{MINUS SIGN}5.0", "+0.0"]
