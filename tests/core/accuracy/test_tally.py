"""Counts by place add up, and intervals treat a polygon as one observation."""

import numpy as np
import pytest
from terraweave.core.accuracy import tally as module
from terraweave.core.accuracy.tally import Tally
from terraweave.core.classes import MapClass

CLASSES = (MapClass(1, "a", "#000000"), MapClass(2, "b", "#ffffff"))


def filled(places: np.ndarray, reference: np.ndarray, mapped: np.ndarray) -> Tally:
    tally = Tally(2)
    tally.add(places, reference, mapped)
    return tally


def test_matrix_is_that_of_all_pixels_in_whatever_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PENDING", 10)
    rng = np.random.default_rng(0)
    places, reference, mapped = rng.integers(0, 40, 500), *rng.integers(0, 2, (2, 500))
    tally = Tally(2)
    for part in np.array_split(np.arange(500), 9):
        tally.add(places[part], reference[part], mapped[part])
    expected = np.zeros((2, 2), int)
    np.add.at(expected, (reference, mapped), 1)
    assert np.array_equal(tally.matrix, expected)


def test_intervals_hold_the_score_and_depend_on_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 2, 2000)
    mapped = np.where(rng.random(2000) < 0.8, reference, 1 - reference)
    tally = filled(rng.integers(0, 100, 2000), reference, mapped)
    first, again = (tally.intervals(CLASSES, seed=1, draws=300) for _ in range(2))
    assert first == again
    assert first is not None
    low, high = first.overall_accuracy.low, first.overall_accuracy.high
    assert low is not None
    assert high is not None
    assert low < np.mean(reference == mapped) < high
    assert high - low < 0.06


def test_polygons_that_are_right_or_wrong_as_a_whole_make_intervals_wide() -> None:
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(20), 100)
    right = np.repeat(rng.random(20) < 0.8, 100)
    reference = rng.integers(0, 2, 2000)
    tally = filled(places, reference, np.where(right, reference, 1 - reference))
    by_pixel = filled(np.arange(2000), reference, np.where(right, reference, 1 - reference))
    widths = []
    for one in (tally, by_pixel):
        found = one.intervals(CLASSES, seed=0, draws=300)
        assert found is not None
        assert found.overall_accuracy.low is not None
        assert found.overall_accuracy.high is not None
        widths.append(found.overall_accuracy.high - found.overall_accuracy.low)
    assert widths[0] > 4 * widths[1]


def test_fewer_than_five_places_give_no_interval() -> None:
    numbers = np.arange(400) % 4
    assert filled(numbers, numbers % 2, numbers % 2).intervals(CLASSES, seed=0) is None


def test_worst_places_come_first_with_their_usual_mistake() -> None:
    places = np.array([7, 7, 7, 3, 3, 5])
    reference = np.array([0, 0, 1, 1, 1, 0])
    mapped = np.array([1, 1, 0, 0, 1, 0])
    found = list(filled(places, reference, mapped).worst(5))
    assert found == [(7, 3, 3, (0, 1)), (3, 1, 2, (1, 0))]


def test_of_equally_many_wrong_pixels_the_larger_share_comes_first() -> None:
    tally = Tally(2)
    tally.add(np.array([3] * 9 + [5] * 2), np.array([1] * 11), np.array([0, 0, *[1] * 7, 0, 0]))
    assert [one[:3] for one in tally.worst(3)] == [(5, 2, 2), (3, 2, 9)]


def test_nothing_counted_is_an_empty_matrix() -> None:
    assert Tally(2).matrix.tolist() == [[0, 0], [0, 0]]
    assert list(Tally(2).worst(3)) == []
