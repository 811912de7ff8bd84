"""What coarse outlines are worth near their edges: soft labels, or a ring that is left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Target:
    """What a site teaches: `values` (row, column) from 0 to 1, where `labelled` (row, column)."""

    values: Floats
    labelled: Mask


def coarse_target(footprint: Mask, labelled: Mask, boundary: str, uncertainty: float) -> Target:
    """The target of a site whose outlines may be off by `uncertainty` pixels.

    `footprint` and `labelled` are (row, column). `boundary` is `soft`: the label climbs evenly
    from 0 at `uncertainty` outside the outline to 1 at as much inside; `ring`: pixels nearer to
    the outline than that have no label; `hard`: outlines count as drawn. Where labels end there is
    no outline, so neither the scene's edge nor the surveyed area's is blurred. Our decision: the
    paper does not say how it treats coarse edges.
    """
    return _BOUNDARIES[boundary](footprint, labelled, uncertainty)


def _hard(footprint: Mask, labelled: Mask, uncertainty: float) -> Target:
    del uncertainty
    return Target((footprint & labelled).astype(np.float32), labelled)


def _soft(footprint: Mask, labelled: Mask, uncertainty: float) -> Target:
    if uncertainty <= 0:
        return _hard(footprint, labelled, uncertainty)
    inside = depth(footprint, labelled, uncertainty)
    values = np.clip(0.5 + inside / (2 * uncertainty), 0, 1).astype(np.float32)
    return Target(np.where(labelled, values, np.float32(0)), labelled)


def _ring(footprint: Mask, labelled: Mask, uncertainty: float) -> Target:
    sure = np.abs(depth(footprint, labelled, uncertainty)) >= uncertainty
    return Target((footprint & labelled).astype(np.float32), labelled & sure)


_BOUNDARIES: Mapping[str, Callable[[Mask, Mask, float], Target]] = {
    "soft": _soft,
    "ring": _ring,
    "hard": _hard,
}
BOUNDARIES = tuple(_BOUNDARIES)


def depth(footprint: Mask, labelled: Mask, reach: float) -> Floats:
    """How many pixels a pixel's centre lies inside the outline; negative outside.

    Distances run to the nearest labelled pixel of the other kind, less the half pixel to its
    edge; they are exact up to `reach` and at least `reach` beyond.
    """
    steps = int(np.ceil(reach + 0.5))
    inner = distance(labelled & ~footprint, steps) - np.float32(0.5)
    outer = distance(labelled & footprint, steps) - np.float32(0.5)
    return np.where(footprint, inner, -outer)


def distance(marked: Mask, steps: int) -> Floats:
    """The distance in pixels to the nearest `marked` pixel (row, column), exact up to `steps`.

    Farther pixels get something larger than `steps`. The squares of distances are separable:
    first along the rows, then, for each row within reach, the least sum.
    """
    far = float(4 * (steps + 1) ** 2)
    along = _least(np.where(marked, 0.0, far), steps, axis=1)
    squares = _least(along, steps, axis=0)
    return np.sqrt(squares).astype(np.float32)


def _least(squares: NDArray[np.float64], steps: int, axis: int) -> NDArray[np.float64]:
    """The least of `squares` within `steps` pixels along `axis`, each plus its own distance²."""
    best = squares.copy()
    ahead, behind = np.moveaxis(best, axis, 0), np.moveaxis(squares, axis, 0)
    for step in range(1, min(steps, len(behind) - 1) + 1):
        ahead[step:] = np.minimum(ahead[step:], behind[:-step] + step**2)
        ahead[:-step] = np.minimum(ahead[:-step], behind[step:] + step**2)
    return best
