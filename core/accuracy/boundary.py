"""How well the outlines of a binary map follow those of a reference.

Boundary IoU compares the parts of both objects within a distance of their own contour; boundary
F1 asks how much of each contour has the other within that distance.
Sources: Cheng et al. (2021), "Boundary IoU", CVPR, arXiv 2103.16562; Csurka et al. (2013), "What
is a good evaluation measure for semantic segmentation?", BMVC.
Departures: distances are Euclidean and given in metres (the published code takes squares of
pixels), and the limit of what was surveyed is no contour.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .scores import ratio

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BoundaryCounts:
    """Pixels counted along the contours; counts of windows add up."""

    shared: int = 0
    united: int = 0
    contour: int = 0
    contour_found: int = 0
    mapped_contour: int = 0
    mapped_contour_right: int = 0

    def __add__(self, other: "BoundaryCounts") -> "BoundaryCounts":
        """The counts of both."""
        return BoundaryCounts(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    @property
    def iou(self) -> float | None:
        """Boundary IoU; None where neither side has a contour."""
        return ratio(self.shared, self.united)

    @property
    def precision(self) -> float | None:
        """The share of the map's contour that has the reference's within the distance."""
        return ratio(self.mapped_contour_right, self.mapped_contour)

    @property
    def recall(self) -> float | None:
        """The share of the reference's contour that has the map's within the distance."""
        return ratio(self.contour_found, self.contour)

    @property
    def f1(self) -> float | None:
        """Boundary F1; None where either side has no contour, so that one half is unknown."""
        precision, recall = self.precision, self.recall
        if precision is None or recall is None:
            return None
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_counts(
    reference: Mask, mapped: Mask, known: Mask, radius: float, halo: int
) -> BoundaryCounts:
    """The counts of one window without its outer `halo` pixels.

    Masks are (row, column); `known` tells where both sides are known, `radius` is in pixels. The
    halo must be at least `radius` + 1, so that windows see the contours around them.
    """
    radius = max(radius, 1.0)
    inner = (slice(halo, -halo), slice(halo, -halo)) if halo else (slice(None), slice(None))
    reference, mapped = reference & known, mapped & known
    bands = [_band(mask, known, radius)[inner] for mask in (reference, mapped)]
    lines = [_contour(mask, known) for mask in (reference, mapped)]
    near = [dilated(line, radius)[inner] for line in lines]
    own, other = (line[inner] for line in lines)
    return BoundaryCounts(
        int((bands[0] & bands[1]).sum()),
        int((bands[0] | bands[1]).sum()),
        int(own.sum()),
        int((own & near[1]).sum()),
        int(other.sum()),
        int((other & near[0]).sum()),
    )


def dilated(mask: Mask, radius: float) -> Mask:
    """Pixels whose centre is at most `radius` pixels from the centre of one in the mask."""
    found = np.zeros_like(mask)
    rows = len(mask)
    for down in range(-math.floor(radius), math.floor(radius) + 1):
        wide = _widened(mask, math.isqrt(math.floor(radius**2 - down**2)))
        top, bottom = max(down, 0), min(rows, rows + down)
        if top < bottom:
            found[top:bottom] |= wide[top - down : bottom - down]
    return found


def _widened(mask: Mask, reach: int) -> Mask:
    """Pixels with one of the mask within `reach` columns in their own row."""
    columns = mask.shape[1]
    sums = np.zeros((len(mask), columns + 1), np.int32)
    np.cumsum(mask, axis=1, out=sums[:, 1:])
    sums = np.pad(sums, ((0, 0), (reach, reach)), mode="edge")
    wide: Mask = sums[:, 2 * reach + 1 :] > sums[:, :columns]
    return wide


def _band(mask: Mask, known: Mask, radius: float) -> Mask:
    """Pixels of the mask at most `radius` from a known pixel outside it."""
    return mask & dilated(known & ~mask, radius)


def _contour(mask: Mask, known: Mask) -> Mask:
    """Pixels of the mask with a known edge neighbour outside it."""
    return mask & dilated(known & ~mask, 1.0)
