"""What each step of a map's cleaning costs on held-out ground."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..report.training import Table
from ..settings import Setting, Value, resolve
from .cleaning import CLASS, Rule, cleaned
from .validation import Judged

DEAR = 0.005
"""From this loss of IoU on, a step is warned of."""


@dataclass(frozen=True, slots=True)
class CleanupCosts:
    """The table for the report, and a sentence for each step that costs much."""

    table: Table
    warnings: tuple[str, ...]


def cleanup_costs(
    judged: Sequence[Judged], threshold: float, gsd: float, settings: Sequence[Setting]
) -> CleanupCosts | None:
    """IoU after each step that a prediction takes by default, one after another.

    `gsd` is in metres, `settings` are those of the prediction. None without held-out ground, or
    where nothing is cleaned.
    """
    defaults = resolve(settings, {})
    steps = tuple(_steps(threshold, defaults))
    if not judged or len(steps) < 2 or not any(one.truth.any() for one in judged):
        return None
    rows, dear = [], []
    before: float | None = None
    for name, key, rule in steps:
        iou = _iou(judged, rule, gsd)
        gain = None if iou is None or before is None else iou - before
        rows.append((name, iou, "" if gain is None else points(gain)))
        if gain is not None and gain <= -DEAR:
            dear.append(
                f"In the cleaning of maps, “{name}” costs {-100 * gain:.1f} points of IoU on "
                f"held-out ground; set {key.upper()} to 0 at prediction if that matters more to "
                "you than a tidy map."
            )
        before = iou
    table = Table(
        "What cleaning costs on held-out ground",
        ("step", "IoU", "points"),
        tuple(rows),
        "Each step on top of those before it, as a prediction takes them by default. Negative "
        "points are lost.",
    )
    return CleanupCosts(table, tuple(dear))


def points(difference: float) -> str:
    """A difference of two scores in hundredths, with its sign."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")


def _steps(threshold: float, defaults: Mapping[str, Value]) -> Iterator[tuple[str, str, Rule]]:
    """Name, setting and rule of each step that is not left out, those before it included."""
    delta, holes, minimum = (
        float(defaults.get(key, 0)) for key in ("hysteresis", "fill_holes", "minimum_area")
    )
    closing = int(defaults.get("closing", 0))
    rule = Rule(threshold)
    yield f"threshold {threshold:.3g} alone", "threshold", rule
    if delta:
        rule = replace(rule, delta=delta)
        yield f"hysteresis of {delta:g}", "hysteresis", rule
    if closing:
        rule = replace(rule, closing=closing)
        yield f"closing by {closing} px", "closing", rule
    if holes:
        rule = replace(rule, holes=holes)
        yield f"holes below {holes / 1e4:g} ha filled", "fill_holes", rule
    if minimum:
        rule = replace(rule, minimum=minimum)
        yield f"areas below {minimum / 1e4:g} ha dropped", "minimum_area", rule


def _iou(judged: Sequence[Judged], rule: Rule, gsd: float) -> float | None:
    both = either = 0
    for one in judged:
        areas = np.full(len(one.probabilities), gsd**2)
        mapped = (cleaned(one.probabilities, areas, rule) == CLASS) & one.known
        truth = one.truth & one.known
        both += int((mapped & truth).sum())
        either += int((mapped | truth).sum())
    return both / either if either else None
