"""Tables of a training's report that every segmenting family shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..accuracy.boundary import BoundaryCounts, boundary_counts
from ..report.training import Table
from ..report.words import listed
from ..words import counted
from .validation import Judged, pooled

_DISTANCES = (1.0, 2.0, 3.0)
_SQUARE_METRES = 1e4
_FAR_BELOW = 1 / 3
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What a family has to say of a training besides its scores.

    `tables` go into the report, `sentences` into its summary and the log, `warnings` into both,
    too; `values` are returned with the scores.
    """

    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)

    def also(self, *tables: Table, sentences: tuple[str, ...] = ()) -> "Told":
        """The same, and more tables and sentences."""
        told = (*self.sentences, *sentences)
        return Told((*self.tables, *tables), told, self.warnings, self.values)


def site_table(judged: Sequence[Judged], threshold: float, gsd: float) -> Table:
    """Scores and areas of each held-out scene at one threshold; `gsd` in metres."""
    rows = []
    for one in judged:
        histogram = one.histogram
        (hit, missed), (wrong, _) = histogram.matrix(threshold)
        truth, mapped = hit + missed, hit + wrong
        hectares = gsd**2 / _SQUARE_METRES
        rows.append(
            (
                one.title,
                histogram.iou(threshold),
                hit / mapped if mapped else None,
                hit / truth if truth else None,
                f"{truth * hectares:.1f}",
                f"{mapped * hectares:.1f}",
            )
        )
    return Table(
        "Held-out scenes",
        ("scene", "IoU", "precision", "recall", "reference, ha", "map, ha"),
        tuple(rows),
        f"The class is shown from a probability of {threshold:.3g} on.",
    )


def scenes_far_below(judged: Sequence[Judged], threshold: float) -> str:
    """A sentence about held-out scenes with less than a third of the IoU of all, or nothing."""
    scenes: dict[str, list[Judged]] = {}
    for one in judged:
        scenes.setdefault(one.title, []).append(one)
    each = {title: pooled(parts).iou(threshold) for title, parts in scenes.items()}
    known = {title: iou for title, iou in each.items() if iou is not None}
    whole = pooled(judged).iou(threshold)
    below = {title: iou for title, iou in known.items() if whole and iou < _FAR_BELOW * whole}
    if not below:
        return ""
    named = [f"{title} ({iou:.2f})" for title, iou in sorted(below.items(), key=lambda one: one[1])]
    return (
        f"In {len(below)} of {counted(len(known), 'held-out scene')} with the class the IoU lies "
        f"far below the {whole:.2f} of all together: {listed(named, _NAMED)}. The model "
        "hardly knows such ground; label more of its kind."
    )


def boundary_table(judged: Sequence[Judged], threshold: float, gsd: float) -> Table:
    """How well outlines agree within one, two and three working pixels.

    Boundary IoU after Cheng et al. (2021), arXiv 2103.16562.
    """
    rows = []
    for pixels in _DISTANCES:
        counts = boundary(judged, threshold, pixels)
        rows.append((f"{pixels * gsd:.4g} m", counts.iou, counts.f1, counts.precision,
                     counts.recall))  # fmt: skip
    return Table(
        "Outlines on held-out ground",
        ("within", "boundary IoU", "boundary F1", "precision", "recall"),
        tuple(rows),
        "How much of the outlines of map and reference lie within a distance of each other. The "
        "edge of what was held out is no outline.",
    )


def boundary(judged: Sequence[Judged], threshold: float, radius: float) -> BoundaryCounts:
    """Contours of all held-out sites compared; `radius` in pixels."""
    total = BoundaryCounts()
    for one in judged:
        mapped = one.known & (one.probabilities >= threshold)
        total += boundary_counts(one.truth & one.known, mapped, one.known, radius, 0)
    return total
