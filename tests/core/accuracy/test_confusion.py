"""The confusion matrix counts what it says, the right way round."""

import numpy as np
import pytest
from sklearn import metrics
from terraweave.core.accuracy.confusion import class_index, confusion_matrix
from terraweave.core.classes import MapClass, palette_color
from terraweave.core.errors import InputError


def some_classes(*values: int) -> tuple[MapClass, ...]:
    return tuple(MapClass(v, f"class {v}", palette_color(i)) for i, v in enumerate(values))


def test_rows_are_the_reference_and_columns_the_map() -> None:
    matrix = confusion_matrix([1, 1, 1, 2], [1, 2, 2, 2], some_classes(1, 2))
    assert matrix.tolist() == [[1, 2], [0, 1]]
    assert matrix.dtype == np.int64


def test_unlabelled_and_nodata_pixels_are_left_out_rather_than_wrong() -> None:
    matrix = confusion_matrix([0, 1, 1, 7], [1, 0, 1, 1], some_classes(1, 2))
    assert matrix.tolist() == [[1, 0], [0, 0]]


def test_order_follows_the_classes_even_if_their_values_do_not_rise() -> None:
    matrix = confusion_matrix([9, 3, 3], [3, 3, 9], some_classes(9, 3))
    assert matrix.tolist() == [[0, 1], [1, 1]]


def test_class_values_with_gaps_are_found_and_others_are_not() -> None:
    assert class_index([1, 5, 4, 0, 65535], some_classes(5, 65535, 1)).tolist() == [2, 0, -1, -1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_matrix_equals_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [1, 2, 5, 6, 11]
    reference, predicted = rng.choice(values, (2, 40, 50))
    ours = confusion_matrix(reference, predicted, some_classes(*values))
    theirs = metrics.confusion_matrix(reference.ravel(), predicted.ravel(), labels=values)
    assert np.array_equal(ours, theirs)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2,\) and the map \(3,\)"):
        confusion_matrix([1, 1], [1, 1, 1], some_classes(1))
