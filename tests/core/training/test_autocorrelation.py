"""The range of resemblance follows the size of the patches that labels come in."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from terraweave.core.training.autocorrelation import autocorrelation_range


def range_of(labels: np.ndarray) -> float | None:
    rows, columns = (grid.ravel() for grid in np.indices(labels.shape))
    return autocorrelation_range(rows, columns, labels.ravel(), rows * 0)


@pytest.mark.parametrize("width", [2, 4, 8])
def test_smooth_fields_have_the_range_that_theory_gives(width: int) -> None:
    noise = np.random.default_rng(0).normal(size=(300, 300))
    labels = (gaussian_filter(noise, width) > 0).astype(int)
    # Correlation of the field exp(−h²/4σ²), of its sign 2/π · asin of that; 0.1 at 2.73 σ.
    assert range_of(labels) == pytest.approx(2.73 * width, rel=0.3)


def test_labels_without_structure_have_no_range() -> None:
    assert range_of(np.random.default_rng(0).integers(0, 3, (80, 80))) == 0.0


def test_squares_resemble_each_other_up_to_their_size() -> None:
    squares = np.kron(np.random.default_rng(0).integers(0, 3, (20, 20)), np.ones((10, 10), int))
    assert 6 <= (range_of(squares) or 0) <= 10


def test_one_class_or_few_labels_tell_nothing() -> None:
    assert range_of(np.ones((20, 20), int)) is None
    assert range_of(np.array([[0, 1], [1, 0]])) is None


def test_scenes_are_not_compared_with_each_other() -> None:
    rng = np.random.default_rng(0)
    rows, columns = (np.tile(grid.ravel(), 2) for grid in np.indices((30, 30)))
    kinds = rng.integers(0, 2, 1800)
    scenes = np.repeat([0, 1], 900)
    assert autocorrelation_range(rows, columns, kinds, scenes) == 0.0
