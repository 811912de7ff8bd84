"""The panel in another language."""

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from terraweave.core.settings import DEVICE
from terraweave.ui.run import State
from terraweave.ui.steps import STEPS
from terraweave.ui.words import spoken, tr, unspoken, use_language

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted((ROOT / "resources" / "i18n").glob("*.json"))


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """No test leaves another language behind."""
    yield
    use_language("en")


def panel_texts() -> set[str]:
    """The literal texts in calls of `tr`, and the values that go through it."""
    found = {
        node.args[0].value
        for path in (ROOT / "ui").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "tr"
        and isinstance(node.args[0], ast.Constant)
    }
    for step in STEPS:
        found |= {step.title, step.button, step.intro}
    found |= {state.value for state in State} | {DEVICE.help}
    return found | {choice.help for choice in DEVICE.choices}


def places(text: str) -> int:
    """How many values a text takes."""
    return sum(name is not None for _, name, _, _ in string.Formatter().parse(text))


def fits(text: str, translated: str) -> bool:
    """Whether a translation asks for values that the text has; numbered, it may leave some out."""
    names = [name for _, name, _, _ in string.Formatter().parse(translated) if name is not None]
    if all(name == "" for name in names):
        return len(names) == places(text)
    return all(name.isdecimal() and int(name) < places(text) for name in names)


def test_there_is_a_translation() -> None:
    assert CATALOGUES


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_of_the_panel_is_translated(catalogue: Path) -> None:
    known = json.loads(catalogue.read_text(encoding="utf-8"))
    assert panel_texts() - set(known) == set()
    for text, translated in known.items():
        assert translated.strip()
        assert fits(text, translated), text


def raised_sentences() -> set[str]:
    """The sentences of the errors that tools and worker raise, with {} for each value."""
    found = set()
    for room in ("plugin", "core"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    found |= {template(one) for one in node.exc.args[:1]} - {""}
    # Programming errors are told to programmers; a single word is a key of a sentence elsewhere.
    return {one for one in found if one.rstrip().endswith((".", "!", "?")) and " " in one}


def template(node: ast.expr) -> str:
    """A literal text with {} for each value in it, or an empty one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
        return "".join(str(part) for part in parts)
    return ""


def test_every_error_has_a_german_sentence() -> None:
    use_language("de")
    missing = {one: unspoken(one) for one in raised_sentences() if unspoken(one)}
    assert missing == {}


def test_values_stay_in_a_spoken_sentence() -> None:
    use_language("de")
    english = (
        "“ms.tif” has 3 bands; choose a class raster, which has a single band of class numbers."
    )
    german = spoken(english)
    assert german.startswith("„ms.tif“ hat 3 Kanäle; wählen Sie ein Klassenraster")
    refused = "Panchromatic image (PAN): “a. b” has 4 bands; choose a single-band raster."
    assert "(PAN): „a. b“ hat 4 Kanäle; wählen Sie ein Raster mit einem Kanal." in spoken(refused)


def test_what_nobody_has_translated_stays_as_it_is() -> None:
    use_language("de")
    assert spoken("Nobody knows this sentence. No tall tale.") == (
        "Nobody knows this sentence. No tall tale."
    )
    assert unspoken("Nobody knows this sentence.") == ["Nobody knows this sentence."]
    use_language("en")
    assert spoken("The run was cancelled.") == "The run was cancelled."


def test_a_region_speaks_the_language_of_its_country() -> None:
    assert use_language("de_AT")
    assert tr("Train") == "Trainieren"


def test_an_unknown_language_leaves_the_words_alone() -> None:
    assert not use_language("tlh")
    assert tr("Train") == "Train"
