"""Accuracy and area of a whole map from a sample of its pixels, with confidence intervals.

A sample is rarely spread like the map: rare classes get more points than their area. Counting
agreements would then describe the sample. Here every map class is a stratum that counts by its
area. Source: Olofsson et al. (2014), "Good practices for estimating area and assessing accuracy
of land change", Remote Sensing of Environment 148, 42–57, doi 10.1016/j.rse.2014.02.015.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..classes import MapClass

# The normal deviate of 95 %, as the paper uses it.
_Z = 1.96
_Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its standard error; either is None where the sample is too small for it."""

    value: float | None
    standard_error: float | None = None

    @property
    def margin(self) -> float | None:
        """Half the width of the 95 % confidence interval."""
        return None if self.standard_error is None else _Z * self.standard_error

    def times(self, factor: float) -> "Estimate":
        """The estimate in another unit."""
        value, error = self.value, self.standard_error
        return Estimate(
            None if value is None else value * factor, None if error is None else error * factor
        )

    def to_json(self) -> dict[str, object]:
        """Value, standard error and the half-width of the 95 % interval."""
        return {
            "value": self.value,
            "standard_error": self.standard_error,
            "margin_95": self.margin,
        }


@dataclass(frozen=True, slots=True)
class ClassEstimates:
    """Estimates for one class: `share` is its part of the mapped area as the reference sees it.

    `mapped_share` is its part of the map, `sample` the sampled pixels that the map calls so.
    """

    mapclass: MapClass
    sample: int
    mapped_share: float
    users: Estimate
    producers: Estimate
    share: Estimate

    def to_json(self) -> dict[str, object]:
        """The class and its estimates."""
        return {
            "value": self.mapclass.value,
            "name": self.mapclass.name,
            "sample": self.sample,
            "mapped_share": self.mapped_share,
            "users_accuracy": self.users.to_json(),
            "producers_accuracy": self.producers.to_json(),
            "area_share": self.share.to_json(),
        }


@dataclass(frozen=True, slots=True)
class MapEstimates:
    """Area-weighted estimates for a whole map of `area` square metres."""

    overall: Estimate
    per_class: tuple[ClassEstimates, ...]
    area: float

    def to_json(self) -> dict[str, object]:
        """The estimates as a JSON object."""
        return {
            "method": "stratified by map class, Olofsson et al. 2014",
            "confidence": 0.95,
            "area_m2": self.area,
            "overall_accuracy": self.overall.to_json(),
            "classes": [one.to_json() for one in self.per_class],
        }


def area_adjusted(
    matrix: ArrayLike, mapped: ArrayLike, classes: Sequence[MapClass], pixel_area: float
) -> MapEstimates:
    """Estimates from the confusion matrix of a sample (rows = reference, columns = map).

    `mapped` counts the pixels of each class in the whole map, or in the part the sample stands
    for; `pixel_area` is in square metres. The sample is taken to be random within each map class.
    Where a mapped class has no sampled pixel nothing is known of its part of the map, so all that
    depends on it is empty.
    """
    counts = np.asarray(matrix, np.float64).T  # rows = map, as in the paper
    pixels = np.asarray(mapped, np.float64)
    whole = float(pixels.sum())
    sampled = counts.sum(1)
    weights = pixels / whole if whole else pixels
    known = bool(whole) and bool(np.all(sampled[weights > 0] > 0))
    exact = known and bool(np.all(sampled[weights > 0] > 1))
    inner = np.divide(
        counts, sampled[:, None], out=np.zeros_like(counts), where=sampled[:, None] > 0
    )
    shares = weights[:, None] * inner
    return MapEstimates(
        _overall(weights, inner, sampled) if known else Estimate(None),
        tuple(
            ClassEstimates(
                one,
                int(sampled[k]),
                float(weights[k]),
                _users(inner[k, k], sampled[k]),
                _trimmed(_producers(k, pixels, inner, sampled), known, exact),
                _trimmed(_share(k, weights, shares, sampled), known, exact),
            )
            for k, one in enumerate(classes)
        ),
        whole * pixel_area,
    )


def _trimmed(estimate: Estimate, known: bool, exact: bool) -> Estimate:
    """The estimate without what the sample cannot support."""
    if not known:
        return Estimate(None)
    return estimate if exact else Estimate(estimate.value)


def _spread(shares: _Doubles, sampled: _Doubles) -> _Doubles:
    """The variance p (1 − p) / (n − 1) of each share."""
    result: _Doubles = shares * (1 - shares) / np.maximum(sampled - 1, 1)
    return result


def _overall(weights: _Doubles, inner: _Doubles, sampled: _Doubles) -> Estimate:
    """Equations 1 and 5."""
    right = np.diag(inner)
    value = float(weights @ right)
    if np.any(sampled[weights > 0] < 2):
        return Estimate(value)
    return Estimate(value, math.sqrt(float(weights**2 @ _spread(right, sampled))))


def _users(right: float, sampled: float) -> Estimate:
    """Equations 2 and 6."""
    if sampled < 1:
        return Estimate(None)
    if sampled < 2:
        return Estimate(float(right))
    return Estimate(float(right), math.sqrt(float(right * (1 - right) / (sampled - 1))))


def _producers(k: int, pixels: _Doubles, inner: _Doubles, sampled: _Doubles) -> Estimate:
    """Equations 3 and 7."""
    total = float(pixels @ inner[:, k])
    if not total:
        return Estimate(None)
    value = float(pixels[k] * inner[k, k]) / total
    others = np.arange(len(pixels)) != k
    own = pixels[k] ** 2 * (1 - value) ** 2 * _spread(inner[k, k], sampled[k])
    rest = value**2 * (pixels[others] ** 2 @ _spread(inner[others, k], sampled[others]))
    return Estimate(value, math.sqrt(float(own + rest)) / total)


def _share(k: int, weights: _Doubles, shares: _Doubles, sampled: _Doubles) -> Estimate:
    """Equations 9 and 10: the part of the area that is class k on the ground."""
    column = shares[:, k]
    variance = np.sum((weights * column - column**2) / np.maximum(sampled - 1, 1))
    return Estimate(float(column.sum()), math.sqrt(max(float(variance), 0.0)))
