"""Estimates from a sample reproduce the worked example of Olofsson et al. (2014)."""

import numpy as np
import pytest
from terraweave.core.accuracy.estimates import Estimate, area_adjusted
from terraweave.core.classes import MapClass, palette_color

NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
CLASSES = tuple(MapClass(i + 1, name, palette_color(i)) for i, name in enumerate(NAMES))
# The paper's sample, rows = map and columns = reference, and the mapped pixels of 30 m.
SAMPLE = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = (200_000, 150_000, 3_200_000, 6_450_000)
WORKED = area_adjusted(SAMPLE.T, MAPPED, CLASSES, 900.0)


def rounded(estimate: Estimate, digits: int = 2) -> tuple[float, float]:
    assert estimate.value is not None
    assert estimate.margin is not None
    return round(estimate.value, digits), round(estimate.margin, digits)


def test_overall_accuracy_of_the_worked_example() -> None:
    assert rounded(WORKED.overall) == (0.95, 0.02)


def test_users_accuracies_of_the_worked_example() -> None:
    found = [rounded(one.users) for one in WORKED.per_class]
    assert found == [(0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)]


def test_producers_accuracies_of_the_worked_example() -> None:
    found = [rounded(one.producers) for one in WORKED.per_class]
    assert found == [(0.75, 0.21), (0.85, 0.25), (0.93, 0.03), (0.96, 0.02)]


def test_areas_of_the_worked_example_in_hectares() -> None:
    found = [rounded(one.share.times(WORKED.area / 1e4), 0) for one in WORKED.per_class]
    assert found == [(21158, 6158), (11686, 3756), (285770, 15510), (581386, 16282)]


def test_margins_hold_the_truth_in_about_95_of_100_samples() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[0.9, 0.1], [0.05, 0.95]])  # of each mapped class, what is on the ground
    weights = np.array([0.1, 0.9])
    overall = float(weights @ np.diag(truth))
    hits = 0
    for _ in range(400):
        sample = np.stack([rng.multinomial(80, row) for row in truth])
        estimate = area_adjusted(sample.T, weights * 10_000, CLASSES[:2], 1.0).overall
        assert estimate.value is not None
        hits += abs(estimate.value - overall) <= (estimate.margin or 0.0)
    assert 0.90 < hits / 400 < 0.99


def test_sample_in_proportion_to_the_map_gives_the_plain_accuracy() -> None:
    matrix = np.array([[45, 5], [5, 45]])
    found = area_adjusted(matrix, (500, 500), CLASSES[:2], 1.0)
    assert found.overall.value == pytest.approx(0.9)


def test_mapped_class_without_a_point_leaves_the_whole_map_unknown() -> None:
    found = area_adjusted([[10, 0], [0, 0]], (50, 50), CLASSES[:2], 1.0)
    assert found.overall == Estimate(None)
    assert found.per_class[0].users.value == 1.0
    assert found.per_class[1].users == Estimate(None)
    assert found.per_class[0].share == Estimate(None)


def test_class_with_a_single_point_has_a_value_but_no_margin() -> None:
    found = area_adjusted([[10, 0], [0, 1]], (50, 50), CLASSES[:2], 1.0)
    assert found.overall.value == 1.0
    assert found.overall.margin is None


def test_empty_map_has_no_estimates() -> None:
    found = area_adjusted(np.zeros((2, 2)), (0, 0), CLASSES[:2], 1.0)
    assert found.overall == Estimate(None)
    assert all(one.producers == Estimate(None) for one in found.per_class)
