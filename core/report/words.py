"""The sentences and the numbers of a report, in plain words."""

from collections.abc import Iterator

from ..accuracy.scores import ClassScores, Scores

UNDEFINED = "–"
# Below this many reference pixels a class score says little: ±14 percentage points at best.
FEW_PIXELS = 50


def score(value: float | None, digits: int = 3) -> str:
    """A score from 0 to 1 with three digits, or a dash where it is undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return UNDEFINED if value is None else f"{100 * value:.1f} %"


def thousands(value: int | float) -> str:
    """A whole number with narrow spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """A time as one says it: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: list[str], most: int = 12) -> str:
    """Names as a list in a sentence, cut short where there are very many."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def score_sentence(scores: Scores, where: str) -> str:
    """How good the map is on `where` (the held-out pixels, the reference), in one sentence."""
    if scores.overall_accuracy is None:
        return f"There is no score, because nothing could be compared on {where}."
    kappa = "" if scores.kappa is None else f", kappa {score(scores.kappa)}"
    macro = "" if scores.macro_f1 is None else f", macro-F1 {score(scores.macro_f1)}"
    return (
        f"On {thousands(scores.total)} pixels of {where} the map is right for "
        f"{percent(scores.overall_accuracy)} (overall accuracy{kappa}{macro})."
    )


def weakest_sentence(scores: Scores) -> str:
    """Which class is mapped worst, and what it is mistaken for; empty where nothing stands out."""
    rated = [one for one in scores.per_class if one.f1 is not None]
    if len(rated) < 2:
        return ""
    worst = min(rated, key=lambda one: one.f1 or 0.0)
    if worst.correct == worst.support == worst.mapped:
        return ""
    row = scores.matrix[scores.per_class.index(worst)]
    other = max(
        (one for one in scores.per_class if one != worst),
        key=lambda one: row[scores.per_class.index(one)],
    )
    missed = row[scores.per_class.index(other)]
    mistaken = (
        f", most often mistaken for “{other.mapclass.name}” ({percent(missed / worst.support)} "
        "of its pixels)"
        if missed
        else ""
    )
    return f"The weakest class is “{worst.mapclass.name}” with F1 {score(worst.f1)}{mistaken}."


def cautions(scores: Scores, pixels: str = "validation") -> Iterator[str]:
    """What a reader has to know before she trusts a class score."""
    few = [one for one in scores.per_class if 0 < one.support < FEW_PIXELS]
    if len(few) == 1:
        yield f"{_counted(few[0], pixels)}: read its score with care."
    elif few:
        counts = listed([f"“{one.mapclass.name}” ({one.support})" for one in few])
        yield (
            f"Some classes have fewer than {FEW_PIXELS} {pixels} pixels: {counts}. Read their "
            "scores with care."
        )
    for one in scores.per_class:
        if not one.support and one.mapped:
            yield (
                f"The map shows “{one.mapclass.name}” on {thousands(one.mapped)} {pixels} "
                "pixels, and the reference has none of it there."
            )


def _counted(one: ClassScores, pixels: str) -> str:
    if one.support == 1:
        return f"“{one.mapclass.name}” has only 1 {pixels} pixel"
    return f"“{one.mapclass.name}” has {one.support} {pixels} pixels"
