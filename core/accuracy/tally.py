"""Counts of agreement by place: sparse confusion matrices of polygons or blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..classes import MapClass
from .scores import Scores

Ints = NDArray[np.int64]

_MOST_PENDING = 2_000_000
_DRAWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; both ends are None where it cannot be told."""

    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, object]:
        """The ends."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals of the scores, and the number of independent pieces they rest on."""

    pieces: int
    overall_accuracy: Interval
    average_accuracy: Interval
    kappa: Interval
    macro_f1: Interval
    f1: tuple[Interval, ...]

    def to_json(self) -> dict[str, object]:
        """The intervals as a JSON object."""
        return {
            "pieces": self.pieces,
            "overall_accuracy": self.overall_accuracy.to_json(),
            "average_accuracy": self.average_accuracy.to_json(),
            "kappa": self.kappa.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "f1": [one.to_json() for one in self.f1],
        }


class Tally:
    """Counts pixels by place, reference class and map class while a map is read in strips.

    A place is a whole number: a polygon or a block. Classes are positions in a list of `kinds`.
    """

    def __init__(self, kinds: int) -> None:
        """Nothing counted yet."""
        self.kinds = kinds
        self._keys: list[Ints] = []
        self._counts: list[Ints] = []
        self._pending = 0

    def add(self, places: Ints, reference: Ints, predicted: Ints) -> None:
        """Count pixels; three arrays of one shape, classes as positions from 0 on."""
        if places.size:
            packed = (places * self.kinds + reference) * self.kinds + predicted
            keys, counts = np.unique(packed, return_counts=True)
            self._keys.append(keys)
            self._counts.append(counts.astype(np.int64))
            self._pending += len(keys)
        if self._pending > _MOST_PENDING:
            self._merge()

    def _merge(self) -> None:
        if not self._keys:
            return
        keys, place = np.unique(np.concatenate(self._keys), return_inverse=True)
        counts = np.bincount(place, np.concatenate(self._counts)).astype(np.int64)
        self._keys, self._counts, self._pending = [keys], [counts], 0

    @property
    def entries(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Place, reference class, map class and count of every combination that occurs."""
        self._merge()
        if not self._keys:
            empty = np.zeros(0, np.int64)
            return empty, empty, empty, empty
        keys, predicted = np.divmod(self._keys[0], self.kinds)
        places, reference = np.divmod(keys, self.kinds)
        return places, reference, predicted, self._counts[0]

    @property
    def matrix(self) -> Ints:
        """The confusion matrix of all places, rows = reference."""
        _, reference, predicted, counts = self.entries
        cells = np.bincount(reference * self.kinds + predicted, counts, minlength=self.kinds**2)
        return cells.reshape(self.kinds, self.kinds).astype(np.int64)

    def intervals(
        self, classes: Sequence[MapClass], *, seed: int, draws: int = 1000
    ) -> Intervals | None:
        """Percentile intervals from drawing whole places with replacement, or None below five.

        Pixels of one polygon resemble each other, so that drawing single pixels would promise a
        certainty that is not there.
        """
        places, reference, predicted, counts = self.entries
        names, piece = np.unique(places, return_inverse=True)
        if len(names) < 5:
            return None
        cells = reference * self.kinds + predicted
        used, cell = np.unique(cells, return_inverse=True)
        drawn = np.zeros((draws, self.kinds**2))
        rng = np.random.default_rng(seed)
        for start in range(0, draws, _DRAWS_AT_ONCE):
            rows = range(start, min(start + _DRAWS_AT_ONCE, draws))
            for row in rows:
                times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
                drawn[row, used] = np.bincount(cell, counts * times[piece], minlength=len(used))
        return _intervals(len(names), drawn.reshape(draws, self.kinds, self.kinds), classes)

    def worst(self, most: int) -> Iterator[tuple[int, int, int, tuple[int, int]]]:
        """Places by their wrong pixels: place, wrong, compared, and the commonest mistake.

        Of places with equally many, the one with the larger share comes first.
        """
        places, reference, predicted, counts = self.entries
        names, piece = np.unique(places, return_inverse=True)
        wrong = np.where(reference != predicted, counts, 0)
        totals = np.bincount(piece, counts, minlength=len(names)).astype(np.int64)
        wrongs = np.bincount(piece, wrong, minlength=len(names)).astype(np.int64)
        for place in np.lexsort((totals, -wrongs))[:most].tolist():
            if not wrongs[place]:
                return
            here = np.flatnonzero(piece == place)
            top = here[np.argmax(wrong[here])]
            mistake = (int(reference[top]), int(predicted[top]))
            yield int(names[place]), int(wrongs[place]), int(totals[place]), mistake


def _intervals(
    pieces: int, matrices: NDArray[np.float64], classes: Sequence[MapClass]
) -> Intervals:
    drawn = [Scores.from_matrix(one, classes) for one in matrices]
    f1 = [[part.f1 for part in one.per_class] for one in drawn]
    return Intervals(
        pieces,
        _percentiles([one.overall_accuracy for one in drawn]),
        _percentiles([one.average_accuracy for one in drawn]),
        _percentiles([one.kappa for one in drawn]),
        _percentiles([one.macro_f1 for one in drawn]),
        tuple(_percentiles([one[k] for one in f1]) for k in range(len(classes))),
    )


def _percentiles(values: Sequence[float | None]) -> Interval:
    """The middle 95 %; empty where most draws leave the score undefined."""
    defined = [one for one in values if one is not None]
    if len(defined) < len(values) / 2:
        return Interval()
    low, high = np.percentile(defined, (2.5, 97.5))
    return Interval(float(low), float(high))
