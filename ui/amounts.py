"""Amounts in words: durations, bytes and counts, as a person would round them."""

import math

from qgis.PyQt.QtCore import QLocale

from .words import language, tr

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_UNITS = ("B", "kB", "MB", "GB", "TB")


def duration(low: float, high: float) -> str:
    """Between so many seconds: “about 3–5 minutes”."""
    if high <= 90:
        return tr("about {} seconds").format(_span(low, high, 5 if high > 10 else 1))
    if high <= 90 * _MINUTE:
        return tr("about {} minutes").format(_span(low / _MINUTE, high / _MINUTE))
    if high <= 48 * _HOUR:
        return tr("about {} hours").format(_span(low / _HOUR, high / _HOUR))
    return tr("about {} days").format(_span(low / _DAY, high / _DAY))


def counts(low: int, high: int) -> str:
    """Between so many: “12,000–15,000”; rounded where it is a range, exact where it is none."""
    return _numbers().toString(low) if low == high else _span(low, high, _coarse(high))


def size(count: float) -> str:
    """So many bytes: “0.6 GB”, “12 MB”."""
    place = 0
    # From 0.1 of a GB on, that unit is easier to compare.
    while place < len(_UNITS) - 1 and count >= (100 if _UNITS[place] == "MB" else 1000):
        count /= 1000
        place += 1
    digits = 1 if count < 9.95 and place > 1 and round(count, 1) % 1 else 0
    return f"{_numbers().toString(float(count), 'f', digits)} {_UNITS[place]}"


def number(value: object) -> str:
    """A result as one reads it: whole numbers whole, scores with three digits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return _numbers().toString(int(value))
    return _numbers().toString(float(value), "f", 3 if abs(value) < 10 else 1)


def _span(low: float, high: float, step: int = 1) -> str:
    first, last = (max(step, round(end / step) * step) for end in (low, high))
    words = [_numbers().toString(end) for end in (first, last)]
    return words[1] if first == last else "–".join(words)


def _coarse(number: int) -> int:
    """The step that leaves two digits of a number."""
    return int(10 ** max(0, len(str(number)) - 2))


def _numbers() -> QLocale:
    """How the user's language writes numbers; never the C locale, which groups no thousands."""
    return QLocale(language())
