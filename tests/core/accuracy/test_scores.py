"""Scores agree with scikit-learn where it defines them, and are empty where nobody can."""

import json
import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import metrics
from terraweave.core.accuracy.confusion import confusion_matrix
from terraweave.core.accuracy.scores import Scores
from terraweave.core.classes import MapClass, palette_color
from terraweave.core.errors import InputError

CLASSES = tuple(MapClass(v, f"class {v}", palette_color(v)) for v in (1, 2, 5, 6))
VALUES = [one.value for one in CLASSES]


def scores_of(reference: ArrayLike, predicted: ArrayLike) -> Scores:
    return Scores.from_matrix(confusion_matrix(reference, predicted, CLASSES), CLASSES)


@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(4))
    reference = rng.choice(VALUES, 3000, p=share)
    predicted = np.where(rng.random(3000) < 0.6, reference, rng.choice(VALUES, 3000))
    scores = scores_of(reference, predicted)
    labels = [v for v in VALUES if v in reference]
    exact = {"abs": 1e-9, "rel": 0}

    assert scores.overall_accuracy == pytest.approx(
        metrics.accuracy_score(reference, predicted), **exact
    )
    assert scores.average_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(reference, predicted), **exact
    )
    assert scores.kappa == pytest.approx(metrics.cohen_kappa_score(reference, predicted), **exact)
    assert scores.macro_f1 == pytest.approx(
        metrics.f1_score(reference, predicted, labels=labels, average="macro"), **exact
    )
    assert scores.mean_iou == pytest.approx(
        metrics.jaccard_score(reference, predicted, labels=labels, average="macro"), **exact
    )
    users, producers, f1, support = metrics.precision_recall_fscore_support(
        reference, predicted, labels=labels
    )
    ious = metrics.jaccard_score(reference, predicted, labels=labels, average=None)
    mine = [one for one in scores.per_class if one.mapclass.value in labels]
    assert [one.users for one in mine] == pytest.approx(list(users), **exact)
    assert [one.producers for one in mine] == pytest.approx(list(producers), **exact)
    assert [one.f1 for one in mine] == pytest.approx(list(f1), **exact)
    assert [one.iou for one in mine] == pytest.approx(list(ious), **exact)
    assert [one.support for one in mine] == list(support)


def test_hand_counted_matrix() -> None:
    two = CLASSES[:2]
    scores = Scores.from_matrix([[3, 1], [2, 4]], two)
    first, second = scores.per_class
    assert scores.overall_accuracy == 0.7
    assert (first.users, first.producers) == (3 / 5, 3 / 4)
    assert (second.users, second.producers) == (4 / 5, 4 / 6)
    assert (first.f1, first.iou) == (6 / 9, 3 / 6)
    assert scores.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_perfect_map_scores_one() -> None:
    scores = scores_of(VALUES, VALUES)
    assert (scores.overall_accuracy, scores.kappa, scores.macro_f1) == (1.0, 1.0, 1.0)


def test_nothing_compared_gives_no_score_at_all() -> None:
    scores = scores_of([0, 0], [1, 2])
    assert scores.total == 0
    overall = (
        scores.overall_accuracy, scores.average_accuracy, scores.kappa,
        scores.macro_f1, scores.mean_iou,
    )  # fmt: skip
    assert overall == (None,) * 5
    assert all(one.users is one.producers is one.f1 is one.iou is None for one in scores.per_class)


def test_single_class_map_and_reference_have_no_kappa() -> None:
    scores = scores_of([5, 5, 5], [5, 5, 5])
    assert scores.overall_accuracy == 1.0
    assert scores.kappa is None


def test_class_that_is_mapped_but_not_in_the_reference_has_users_accuracy_only() -> None:
    absent = scores_of([1, 1, 1], [1, 1, 2]).per_class[1]
    assert absent.users == 0.0
    assert (absent.producers, absent.f1, absent.iou) == (None, None, None)


def test_class_that_the_map_never_shows_has_no_users_accuracy() -> None:
    missed = scores_of([1, 2, 2], [1, 1, 1]).per_class[1]
    assert missed.users is None
    assert (missed.producers, missed.f1, missed.iou) == (0.0, 0.0, 0.0)


def test_averages_take_the_classes_of_the_reference() -> None:
    scores = scores_of([1, 1, 2, 2], [1, 1, 2, 5])
    assert scores.average_accuracy == pytest.approx((1 + 0.5) / 2)
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3) / 2)


def test_json_is_strict_and_names_the_orientation() -> None:
    document = scores_of([5, 5], [5, 5]).to_json()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["kappa"] is None
    assert document["confusion_matrix"]["rows"] == "reference"
    assert document["confusion_matrix"]["columns"] == "map"
    assert not any(isinstance(v, float) and math.isnan(v) for v in document.values())


def test_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 3\) for 2 classes"):
        Scores.from_matrix(np.zeros((2, 3)), CLASSES[:2])
