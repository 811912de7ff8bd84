"""Scores of a map, each taken from a confusion matrix and empty where it is undefined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..classes import MapClass
from ..errors import InputError


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well one class was mapped; a score is None where its denominator is zero.

    `support` counts reference pixels and `mapped` map pixels of the class. User's accuracy is
    the share of the mapped pixels that are right (precision), producer's accuracy the share of
    the reference pixels that were found (recall). F1 and IoU combine both, so they are None
    where the reference has no pixel of the class: nothing is known of one half.
    """

    mapclass: MapClass
    support: int
    mapped: int
    correct: int

    @property
    def users(self) -> float | None:
        """User's accuracy, 0–1."""
        return ratio(self.correct, self.mapped)

    @property
    def producers(self) -> float | None:
        """Producer's accuracy, 0–1."""
        return ratio(self.correct, self.support)

    @property
    def f1(self) -> float | None:
        """F1 (Dice), 0–1."""
        return ratio(2 * self.correct, self.support + self.mapped) if self.support else None

    @property
    def iou(self) -> float | None:
        """Intersection over union (Jaccard), 0–1."""
        union = self.support + self.mapped - self.correct
        return ratio(self.correct, union) if self.support else None

    def to_json(self) -> dict[str, object]:
        """The class, its counts and its scores."""
        return {
            "value": self.mapclass.value,
            "name": self.mapclass.name,
            "support": self.support,
            "mapped": self.mapped,
            "users_accuracy": self.users,
            "producers_accuracy": self.producers,
            "f1": self.f1,
            "iou": self.iou,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one map against one reference.

    `matrix[i][j]` counts the pixels of class i in the reference that the map calls class j.
    Averages over classes take the classes that the reference has.
    """

    classes: tuple[MapClass, ...]
    matrix: tuple[tuple[int, ...], ...]

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, classes: Sequence[MapClass]) -> "Scores":
        """The scores of a confusion matrix with rows = reference, in the order of `classes`.

        Raises:
            InputError: the matrix is not square in the number of classes.
        """
        counts = np.asarray(matrix)
        if counts.shape != (len(classes), len(classes)):
            raise InputError(
                f"The confusion matrix has the shape {counts.shape} for {len(classes)} classes; "
                "it needs one row and one column for each."
            )
        return cls(tuple(classes), tuple(tuple(int(n) for n in row) for row in counts))

    @property
    def total(self) -> int:
        """The number of pixels compared."""
        return sum(map(sum, self.matrix))

    @property
    def per_class(self) -> tuple[ClassScores, ...]:
        """The scores of each class, in the order of `classes`."""
        columns = [sum(row[j] for row in self.matrix) for j in range(len(self.classes))]
        return tuple(
            ClassScores(one, sum(self.matrix[i]), columns[i], self.matrix[i][i])
            for i, one in enumerate(self.classes)
        )

    @property
    def overall_accuracy(self) -> float | None:
        """The share of pixels on which map and reference agree."""
        return ratio(sum(one.correct for one in self.per_class), self.total)

    @property
    def average_accuracy(self) -> float | None:
        """The mean of the producer's accuracies (balanced accuracy)."""
        return mean([one.producers for one in self.per_class])

    @property
    def macro_f1(self) -> float | None:
        """The mean F1 of the classes."""
        return mean([one.f1 for one in self.per_class])

    @property
    def mean_iou(self) -> float | None:
        """The mean IoU of the classes."""
        return mean([one.iou for one in self.per_class])

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None where chance alone agrees completely (one class on both sides).

        Source: Cohen (1960), doi 10.1177/001316446002000104.
        """
        total, parts = self.total, self.per_class
        # Whole numbers until the division, so that "exactly one" is recognised as such.
        expected = sum(one.support * one.mapped for one in parts)
        observed = total * sum(one.correct for one in parts)
        return ratio(observed - expected, total * total - expected)

    def to_json(self) -> dict[str, object]:
        """The scores as a JSON object; what is undefined is null."""
        return {
            "pixels": self.total,
            "overall_accuracy": self.overall_accuracy,
            "average_accuracy": self.average_accuracy,
            "kappa": self.kappa,
            "macro_f1": self.macro_f1,
            "mean_iou": self.mean_iou,
            "classes": [one.to_json() for one in self.per_class],
            "confusion_matrix": {
                "rows": "reference",
                "columns": "map",
                "counts": [list(row) for row in self.matrix],
            },
        }


def ratio(part: float, whole: float) -> float | None:
    """`part` / `whole`, or None where there is no whole."""
    return part / whole if whole else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are defined, or None where none is."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
