"""Outlines and objects of one class of a map against those of the reference."""

import math
from dataclasses import dataclass

from ..progress import Progress
from .boundary import BoundaryCounts, boundary_counts
from .comparison import Comparison
from .parts import ObjectScores, Parts, object_scores

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class BinaryScores:
    """Outlines (within `distance` metres) and objects of the class called `name`."""

    name: str
    distance: float
    boundary: BoundaryCounts
    objects: ObjectScores

    def to_json(self) -> dict[str, object]:
        """The scores as a JSON object."""
        return {
            "class": self.name,
            "boundary_distance_m": self.distance,
            "boundary_iou": self.boundary.iou,
            "boundary_f1": self.boundary.f1,
            "boundary_precision": self.boundary.precision,
            "boundary_recall": self.boundary.recall,
            **self.objects.to_json(),
        }


def binary_scores(
    comparison: Comparison, target: int, distance: float, progress: Progress
) -> BinaryScores:
    """The scores of the class at position `target`; `distance` in metres, 0 for two pixels."""
    gsd = comparison.grid.gsd
    distance = distance or 2 * gsd
    reference, mapped, known = Parts(), Parts(), 0
    with progress.stage("Comparing objects", 0.4):
        for pixels in comparison.strips(progress):
            both = pixels.known
            own = both & (pixels.reference == target)
            other = both & (pixels.mapped == target)
            reference.add(own, other)
            mapped.add(other, own)
            known += int(both.sum())
    with progress.stage("Comparing outlines", 0.6):
        boundary = _boundary(comparison, target, distance / gsd, progress)
    objects = object_scores(reference, mapped, known, gsd**2)
    return BinaryScores(comparison.classes[target].name, distance, boundary, objects)


def _boundary(
    comparison: Comparison, target: int, radius: float, progress: Progress
) -> BoundaryCounts:
    halo = math.floor(max(radius, 1.0)) + 1
    total = BoundaryCounts()
    windows = list(comparison.grid.blocks(_BLOCK, _BLOCK))
    for number, window in enumerate(windows):
        pixels = comparison.read(window.grown(halo))
        known = pixels.known
        own = known & (pixels.reference == target)
        other = known & (pixels.mapped == target)
        if own.any() or other.any():
            total += boundary_counts(own, other, known, radius, halo)
        progress.update((number + 1) / len(windows))
    return total
