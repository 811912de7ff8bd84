"""How good probabilities are on held-out ground, at every threshold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..accuracy.scores import Scores
from ..card import Card
from ..classes import MapClass
from ..scene.source import Floats, Mask

BINS = 200
BACKGROUND_CLASS_COLOR = "#d9d9d9"
_LEAST, _MOST = 0.1, 0.9


def both_classes(mapclass: MapClass) -> tuple[MapClass, MapClass]:
    """The class and what is not the class, for a confusion matrix; the latter has value 2."""
    return mapclass, MapClass(2, f"no {mapclass.name.lower()}", BACKGROUND_CLASS_COLOR)


@dataclass(slots=True)
class Histogram:
    """Held-out pixels by probability: `inside` those of the class, `outside` the others, (bin,)."""

    inside: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    outside: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, probabilities: Floats, truth: NDArray[np.bool_], known: Mask) -> None:
        """Count the `known` pixels of arrays of one shape."""
        place = np.clip((probabilities[known] * BINS).astype(np.int64), 0, BINS - 1)
        hit = truth[known]
        self.inside += np.bincount(place[hit], minlength=BINS)
        self.outside += np.bincount(place[~hit], minlength=BINS)

    def joined(self, others: "Sequence[Histogram]") -> "Histogram":
        """The pixels of all."""
        return Histogram(
            self.inside + sum(one.inside for one in others),
            self.outside + sum(one.outside for one in others),
        )

    @property
    def total(self) -> int:
        """All pixels counted."""
        return int(self.inside.sum() + self.outside.sum())

    def iou(self, threshold: float) -> float | None:
        """Intersection over union of the class where probabilities of `threshold` on count."""
        (hit, missed), (wrong, _) = self.matrix(threshold)
        whole = hit + missed + wrong
        return hit / whole if hit + missed else None

    def matrix(self, threshold: float) -> tuple[tuple[int, int], tuple[int, int]]:
        """The confusion matrix, rows = reference: class, no class."""
        first = int(np.ceil(threshold * BINS - 1e-9))
        hit, wrong = int(self.inside[first:].sum()), int(self.outside[first:].sum())
        missed, right = int(self.inside[:first].sum()), int(self.outside[:first].sum())
        return (hit, missed), (wrong, right)

    def scores(self, threshold: float, mapclass: MapClass) -> Scores:
        """All scores at one threshold."""
        return Scores.from_matrix(self.matrix(threshold), both_classes(mapclass))

    @property
    def best_threshold(self) -> float:
        """The threshold with the largest IoU, from 0.1 to 0.9; 0.5 where it does not matter.

        Of a plateau within a thousandth, the middle, since the peak itself is chance.
        """
        if not self.inside.any():
            return 0.5
        steps = np.arange(round(_LEAST * BINS), round(_MOST * BINS) + 1) / BINS
        values = np.array([self.iou(float(step)) or 0.0 for step in steps])
        if values.max() <= 0:
            return 0.5
        good = steps[values >= values.max() - 1e-3]
        # One of the steps themselves: between two of them, map and scores would not agree.
        return float(round(float(good[(len(good) - 1) // 2]), 3))


def model_threshold(card: Card) -> float:
    """The threshold that the training found; a half where the card does not say."""
    value = card.training.get("threshold")
    number = float(value) if isinstance(value, int | float) else 0.5
    return number if 0 < number < 1 else 0.5
