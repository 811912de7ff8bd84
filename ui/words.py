"""The panel's words in the user's language, from the catalogues in resources/i18n."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "i18n"

_catalogue: dict[str, str] = {}
_locale = ["en"]


def use_language(locale: str) -> bool:
    """Speak the language of `locale` (such as de_AT) from now on; whether there is a catalogue."""
    _catalogue.clear()
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
