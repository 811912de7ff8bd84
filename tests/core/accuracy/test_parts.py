"""Connected parts, found in strips, are those of a labelling of the whole."""

import numpy as np
import pytest
from scipy.ndimage import label
from terraweave.core.accuracy.parts import Parts, object_scores


@pytest.mark.parametrize("size", [1, 3, 30, 150])
@pytest.mark.parametrize("density", [0.2, 0.45, 0.6])
@pytest.mark.parametrize("strip", [1, 7, 200])
def test_parts_equal_those_of_scipy(size: int, density: float, strip: int) -> None:
    rng = np.random.default_rng(size)
    mask, other = rng.random((2, size, size)) < density
    parts = Parts()
    for row in range(0, size, strip):
        parts.add(mask[row : row + strip], other[row : row + strip])
    labels, count = label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    covered = np.bincount(labels[mask & other], minlength=count + 1)[1:]
    found = parts.totals
    assert sorted(zip(*found, strict=True)) == sorted(zip(areas, covered, strict=True))


def gathered(reference: np.ndarray, mapped: np.ndarray) -> tuple[Parts, Parts]:
    own, other = Parts(), Parts()
    own.add(reference, mapped)
    other.add(mapped, reference)
    return own, other


def test_objects_are_found_when_half_of_them_is_covered() -> None:
    reference = np.zeros((6, 20), bool)
    mapped = np.zeros_like(reference)
    reference[1:3, 1:5] = reference[1:3, 7:11] = reference[1:3, 13:17] = True
    mapped[1:3, 1:3] = True  # exactly half
    mapped[1, 7] = True  # an eighth
    mapped[5, 19] = True  # touches nothing
    found = object_scores(*gathered(reference, mapped), known=120, pixel_area=100.0)
    assert (found.objects, found.found) == (3, 1)
    assert (found.parts, found.false_parts) == (3, 1)
    assert found.detection_rate == pytest.approx(1 / 3)
    assert found.false_per_km2 == pytest.approx(1 / (120 * 100 / 1e6))
    assert found.area_bias == pytest.approx((6 - 24) / 24)


def test_nothing_to_find_gives_no_rate() -> None:
    nothing = np.zeros((4, 4), bool)
    found = object_scores(*gathered(nothing, nothing), known=0, pixel_area=1.0)
    assert (found.detection_rate, found.false_per_km2, found.area_bias) == (None, None, None)
