"""Outlines are compared as the definitions say, counted by hand on small squares."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from terraweave.core.accuracy.boundary import BoundaryCounts, boundary_counts, dilated


def square(top: int, left: int, size: int, grid: int = 12) -> np.ndarray:
    mask = np.zeros((grid, grid), bool)
    mask[top : top + size, left : left + size] = True
    return mask


def counts(reference: np.ndarray, mapped: np.ndarray, radius: float = 1.0) -> BoundaryCounts:
    return boundary_counts(reference, mapped, np.ones_like(reference), radius, 0)


def test_equal_masks_have_perfect_outlines() -> None:
    found = counts(square(3, 3, 5), square(3, 3, 5))
    assert (found.iou, found.f1) == (1.0, 1.0)


def test_boundary_iou_of_two_shifted_squares_counted_by_hand() -> None:
    # Squares of 5×5, one pixel apart sideways. Each ring of one pixel has 16 pixels. They share
    # the upper and lower edges where both have one, 2 × 4 pixels; the sides lie beside each other.
    found = counts(square(3, 3, 5), square(3, 4, 5))
    assert (found.shared, found.united) == (8, 24)
    assert found.iou == pytest.approx(1 / 3)


def test_boundary_f1_forgives_what_lies_within_the_distance() -> None:
    found = counts(square(3, 3, 5), square(3, 4, 5), 1.0)
    assert found.f1 == 1.0
    far = counts(square(1, 1, 4), square(7, 7, 4), 1.0)
    assert far.f1 == 0.0


def test_half_of_a_contour_within_the_distance_counts_half() -> None:
    reference = np.zeros((9, 20), bool)
    reference[4, 2:18] = True  # a line is its own contour
    mapped = np.zeros_like(reference)
    mapped[4, 2:10] = True
    found = counts(reference, mapped, 1.0)
    # Columns 2–9 are shared, and column 10 is one pixel away.
    assert found.recall == 9 / 16
    assert found.precision == 1.0


def test_boundary_iou_needs_the_inside_band_only() -> None:
    found = counts(square(2, 2, 7), square(2, 2, 7) & ~square(5, 5, 1))
    # A hole in the middle gives the map an inner contour of 4 pixels that the reference lacks.
    assert (found.shared, found.united) == (24, 28)


def test_limit_of_the_known_ground_is_no_contour() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = True
    found = counts(mask, mask)
    assert found.contour == 8


def test_empty_masks_have_no_outline_score() -> None:
    nothing = np.zeros((5, 5), bool)
    assert counts(nothing, nothing).iou is None
    assert counts(nothing, nothing).f1 is None
    missed = counts(square(1, 1, 3), np.zeros((12, 12), bool))
    assert missed.f1 is None
    assert missed.iou == 0.0


@pytest.mark.parametrize("radius", [1, 1.5, 2, 3.7, 9])
def test_dilation_equals_the_exact_distance(radius: float) -> None:
    mask = np.random.default_rng(3).random((50, 60)) < 0.02
    assert np.array_equal(dilated(mask, radius), distance_transform_edt(~mask) <= radius)


def test_windows_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    smooth = distance_transform_edt(rng.random((64, 64)) < 0.97)
    reference, mapped = smooth > 2, np.roll(smooth, 1, 0) > 2
    known = rng.random((64, 64)) < 0.95
    whole = boundary_counts(reference, mapped, known, 2.5, 0)
    halo, total = 4, BoundaryCounts()
    padded = [np.pad(one, halo) for one in (reference, mapped, known)]
    for row in range(0, 64, 16):
        for column in range(0, 64, 32):
            part = np.s_[row : row + 16 + 2 * halo, column : column + 32 + 2 * halo]
            total += boundary_counts(*(one[part] for one in padded), 2.5, halo)
    assert total == whole
