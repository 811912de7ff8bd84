"""The tools in another language."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from qgis.core import QgsApplication
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms import all_algorithms
from terraweave.ui.words import spoken, unspoken, use_language

# The same word in both languages.
SAME = {"Checkpoint", "Diagnose", "Python", "Kappa", "Name", "Fusion"}


@pytest.fixture
def german(qgis_app: QgsApplication) -> Iterator[None]:
    """German for the length of a test."""
    use_language("de")
    yield
    use_language("en")


def texts() -> set[str]:
    """Titles, groups and labels of all tools."""
    found = set()
    for tool in (one.create() for one in all_algorithms()):
        found |= {tool.displayName(), tool.group()}
        found |= {one.description() for one in tool.parameterDefinitions()}
        found |= {one.description() for one in tool.outputDefinitions()}
    return found


def test_titles_and_labels_of_all_tools_are_german(german: None) -> None:
    german_texts = texts()
    use_language("en")
    plain = texts()
    same = (german_texts & plain) - SAME
    assert same == set()


def sentences() -> set[str]:
    """All that the tools say of themselves in English: helps, summaries, the page beside a form."""
    use_language("en")
    found = set()
    for tool in (one.create() for one in all_algorithms()):
        found |= {tool.shortDescription()}
        # Titles have the parameter's id behind them.
        page = re.sub(r" \([A-Z]+\)</b>", "</b>", tool.shortHelpString())
        found |= set(unescape(re.sub(r"<[^>]+>:? ?", "\n", page)).split("\n"))
        for one in tool.parameterDefinitions():
            found |= set(one.help().split("\n"))
    return found


def test_every_sentence_of_help_is_german(german: None) -> None:
    english = sentences()
    use_language("de")
    unknown = {one: unspoken(one) for one in english if unspoken(one)}
    # What the sources of the families are called, and their addresses.
    sources = [family.reference for family in FAMILIES.values()]
    cited = " ".join(f"{one.citation} {one.url}" for one in sources)
    missing = {one: what for one, what in unknown.items() if not all(w in cited for w in what)}
    assert missing == {}


def test_ids_are_the_same_in_every_language(german: None) -> None:
    for tool in (one.create() for one in all_algorithms()):
        for one in tool.parameterDefinitions():
            assert one.name() == one.name().upper()


def test_a_composed_title_is_spoken_part_by_part(german: None) -> None:
    assert spoken("Train: Nothing known") == "Trainieren: Nothing known"
    assert spoken("Nothing known") == "Nothing known"
