"""Connected parts of a binary map and of its reference, counted while both are read in strips."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .scores import ratio

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

# A reference object counts as found when the map covers this much of it.
FOUND_FROM = 0.5


@dataclass(slots=True)
class Parts:
    """Parts of `mask` (pixels that touch by an edge or a corner) with how much `other` covers.

    Runs of pixels in a row are joined with runs of the row before; a part is the root of its
    runs. `areas` and `covered` are in pixels, by run.
    """

    areas: list[int] = field(default_factory=list)
    covered: list[int] = field(default_factory=list)
    _parent: list[int] = field(default_factory=list)
    _last: tuple[list[int], list[int], list[int]] = field(default_factory=lambda: ([], [], []))

    def add(self, mask: Mask, other: Mask) -> None:
        """Take the next rows of both, of the full width."""
        rows, starts, ends = _runs(mask)
        sums = np.zeros((len(mask), mask.shape[1] + 1), np.int64)
        np.cumsum(mask & other, axis=1, out=sums[:, 1:])
        first = len(self.areas)
        self.areas += (ends - starts).tolist()
        self.covered += (sums[rows, ends] - sums[rows, starts]).tolist()
        self._parent += range(first, len(self.areas))
        bounds = np.searchsorted(rows, np.arange(len(mask) + 1)).tolist()
        lefts, rights = starts.tolist(), ends.tolist()
        for low, high in pairwise(bounds):
            names = list(range(first + low, first + high))
            here = (lefts[low:high], rights[low:high], names)
            self._join(here)
            self._last = here

    def _join(self, here: tuple[list[int], list[int], list[int]]) -> None:
        """Join the runs of a row with those of the row before; both are in order."""
        lefts, rights, names = here
        above_lefts, above_rights, above = self._last
        one = two = 0
        while one < len(names) and two < len(above):
            if lefts[one] <= above_rights[two] and above_lefts[two] <= rights[one]:
                self._unite(names[one], above[two])
            if rights[one] < above_rights[two]:
                one += 1
            else:
                two += 1

    def _root(self, run: int) -> int:
        parent = self._parent
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    def _unite(self, one: int, two: int) -> None:
        first, second = sorted((self._root(one), self._root(two)))
        self._parent[second] = first

    @property
    def totals(self) -> tuple[Ints, Ints]:
        """Area and covered pixels of each part."""
        roots = [self._root(run) for run in range(len(self._parent))]
        _, part = np.unique(np.array(roots, np.int64), return_inverse=True)
        return (
            np.bincount(part, self.areas).astype(np.int64),
            np.bincount(part, self.covered).astype(np.int64),
        )


def _runs(mask: Mask) -> tuple[Ints, Ints, Ints]:
    """Row, first column and the column after the last of every run, in reading order."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    return rows, starts, ends


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """Objects found and parts invented; `area` is what was compared, in square metres.

    An object is a connected part of the reference; it is found when the map covers at least half
    of it. A false part is a connected part of the map that touches no object.
    """

    objects: int
    found: int
    parts: int
    false_parts: int
    reference_area: float
    mapped_area: float
    area: float

    @property
    def detection_rate(self) -> float | None:
        """The share of the objects that were found."""
        return ratio(self.found, self.objects)

    @property
    def false_per_km2(self) -> float | None:
        """False parts in a square kilometre of what was compared."""
        return ratio(self.false_parts, self.area / 1e6)

    @property
    def area_bias(self) -> float | None:
        """How much larger (above 0) or smaller the mapped area is, as a share of the true one."""
        return ratio(self.mapped_area - self.reference_area, self.reference_area)

    def to_json(self) -> dict[str, object]:
        """Counts and rates as a JSON object."""
        return {
            "objects": self.objects,
            "found": self.found,
            "found_when_covered": FOUND_FROM,
            "detection_rate": self.detection_rate,
            "parts": self.parts,
            "false_parts": self.false_parts,
            "false_parts_per_km2": self.false_per_km2,
            "reference_area_m2": self.reference_area,
            "mapped_area_m2": self.mapped_area,
            "area_bias": self.area_bias,
            "compared_area_m2": self.area,
        }


def object_scores(reference: Parts, mapped: Parts, known: int, pixel_area: float) -> ObjectScores:
    """The scores of parts gathered from the whole map; `known` pixels were compared."""
    areas, covered = reference.totals
    mapped_areas, touching = mapped.totals
    return ObjectScores(
        objects=len(areas),
        found=int((covered >= FOUND_FROM * areas).sum()),
        parts=len(mapped_areas),
        false_parts=int((touching == 0).sum()),
        reference_area=float(areas.sum()) * pixel_area,
        mapped_area=float(mapped_areas.sum()) * pixel_area,
        area=known * pixel_area,
    )
