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
from terraweave.ui.words import tr, use_language

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


def test_there_is_a_translation() -> None:
    assert CATALOGUES


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_of_the_panel_is_translated(catalogue: Path) -> None:
    known = json.loads(catalogue.read_text(encoding="utf-8"))
    assert panel_texts() - set(known) == set()
    for text, translated in known.items():
        assert translated.strip()
        assert places(text) == places(translated), text


def test_a_region_speaks_the_language_of_its_country() -> None:
    assert use_language("de_AT")
    assert tr("Train") == "Trainieren"


def test_an_unknown_language_leaves_the_words_alone() -> None:
    assert not use_language("tlh")
    assert tr("Train") == "Train"
