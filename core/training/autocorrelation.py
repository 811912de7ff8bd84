"""How far labels resemble each other: the distance within which a neighbour gives a class away."""

import math

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Resemblance beyond chance that is taken for none, as with the practical range of a variogram.
_NONE_LEFT = 0.1
_MOST_PIXELS = 1500
_MOST_SCENES = 200
_BINS = 24
_FEWEST_PAIRS = 30


def autocorrelation_range(
    rows: Ints, columns: Ints, kinds: Ints, scenes: Ints, *, seed: int = 0
) -> float | None:
    """The distance in pixels from which two labels agree hardly more often than by chance.

    Pairs of labelled pixels of one scene are sorted by distance; their agreement beyond chance is
    1 at the same place and falls with distance (a correlogram of the class indicators). None
    where the labels never cease to resemble each other, or are too few to tell.
    """
    rng = np.random.default_rng(seed)
    distances, agreements, chances = [], [], []
    numbers: Ints = np.unique(scenes)
    if len(numbers) > _MOST_SCENES:
        numbers = rng.choice(numbers, _MOST_SCENES, replace=False)
    most = int(_MOST_PIXELS / math.sqrt(len(numbers)))
    for scene in numbers.tolist():
        here: Ints = np.flatnonzero(scenes == scene)
        if len(here) > most:
            here = rng.choice(here, most, replace=False)
        one, two = np.triu_indices(len(here), 1)
        spots = np.column_stack([rows[here], columns[here]]).astype(np.float32)
        distances.append(np.hypot(*(spots[one] - spots[two]).T))
        agreements.append(kinds[here][one] == kinds[here][two])
        shares = np.bincount(kinds[here]) / max(len(here), 1)
        chances.append(np.full(len(one), (shares**2).sum(), np.float32))
    distance = np.concatenate(distances)
    agreement, chance = np.concatenate(agreements), np.concatenate(chances)
    if len(distance) < _FEWEST_PAIRS or chance.min() > 0.99:
        return None
    edges = _edges(distance)
    place = np.digitize(distance, edges[1:-1])
    pairs = np.bincount(place, minlength=len(edges) - 1)
    beyond = np.bincount(place, agreement - chance, minlength=len(pairs))
    whole = np.bincount(place, 1 - chance, minlength=len(pairs))
    resemblance = np.divide(beyond, whole, out=np.ones_like(whole), where=whole > 0)
    return _first_fall(edges, resemblance, pairs)


def _edges(distance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Edges of bins up to half of the largest distance, narrow at first."""
    far = max(float(distance.max()) / 2, 2.0)
    return np.concatenate([[0.0], np.geomspace(1.5, far, _BINS), [np.inf]])


def _first_fall(
    edges: NDArray[np.float64], resemblance: NDArray[np.float64], pairs: Ints
) -> float | None:
    """Where the resemblance first falls below what counts as none."""
    for place in range(len(resemblance) - 1):
        if pairs[place] >= _FEWEST_PAIRS and resemblance[place] < _NONE_LEFT:
            return float(edges[place])
    return None
