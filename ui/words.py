"""The panel's words in the user's language, from the catalogues in resources/i18n.

A catalogue holds words and whole sentences; where a sentence has values in it, `{}` stands for
each, in the same order in every language unless the translation numbers them: {0}, {1}.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "i18n"

_catalogue: dict[str, str] = {}
_locale = ["en"]
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")
# Fewer fixed letters than these would fit anything.
_FEWEST_LETTERS = 6


def use_language(locale: str) -> bool:
    """Speak the language of `locale` (such as de_AT) from now on; whether there is a catalogue."""
    _catalogue.clear()
    _patterns.cache_clear()
    # The locale C has no thousands and speaks English.
    _locale[0] = locale if locale not in ("", "C", "POSIX") else "en"
    for name in (locale, locale.split("_")[0]):
        path = FOLDER / f"{name}.json"
        if name and path.is_file():
            _catalogue.update(json.loads(path.read_text(encoding="utf-8")))
            return True
    return False


def language() -> str:
    """The locale that was asked for last, such as de_AT; numbers are written in its way."""
    return _locale[0]


def tr(text: str) -> str:
    """`text` in the user's language, or as it is where nobody has translated it."""
    return _catalogue.get(text, text)


def spoken(text: str) -> str:
    """What a tool or the worker says, in the user's language as far as it is known.

    Line by line and sentence by sentence, with the values in a sentence left as they are.
    """
    if not _catalogue:
        return text
    return "\n".join(_spoken_line(line) for line in text.split("\n"))


def unspoken(text: str) -> list[str]:
    """The sentences of `text` that the language in use has no words for."""
    parts = (part for line in text.split("\n") for part in _parts(line))
    return [sentence for sentence, found in parts if found is None and sentence.strip()]


def _spoken_line(line: str) -> str:
    return " ".join(sentence if found is None else found for sentence, found in _parts(line))


def _parts(line: str) -> Iterator[tuple[str, str | None]]:
    """The longest parts of a line that are known, and single sentences that are not."""
    sentences = _SENTENCE_END.split(line)
    while sentences:
        for count in range(len(sentences), 0, -1):
            whole = " ".join(sentences[:count])
            found = _known(whole)
            if found is not None:
                yield whole, found
                break
        else:
            count = 1
            yield sentences[0], _titled(sentences[0])
        del sentences[:count]


def _titled(sentence: str) -> str | None:
    """What is before and after a colon, each for itself; None where neither is known."""
    head, colon, tail = sentence.partition(": ")
    if not colon:
        return None
    first, second = _known(head), _known(tail)
    if second is None and tail.endswith("."):
        bare = _known(tail[:-1])
        second = f"{bare}." if bare is not None else None
    return f"{first or head}{colon}{second or tail}" if first or second else None


def _known(text: str) -> str | None:
    """The whole of `text` in the user's language, or None."""
    if text in _catalogue:
        return _catalogue[text]
    for pattern, translated in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return translated.format(*map(_spoken_line, found.groups()))
    return None


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The sentences with values; those with the most fixed letters first."""
    found = []
    for text, translated in _catalogue.items():
        fixed = text.split("{}")
        letters = sum(len(part) for part in fixed)
        if len(fixed) > 1 and letters >= _FEWEST_LETTERS:
            pattern = "(.*?)".join(re.escape(part) for part in fixed)
            found.append((letters, re.compile(pattern, re.DOTALL), translated))
    found.sort(key=lambda one: -one[0])
    return [(pattern, translated) for _, pattern, translated in found]
