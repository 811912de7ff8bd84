"""The tools in another language."""

from collections.abc import Iterator

import pytest
from qgis.core import QgsApplication
from terraweave.plugin.algorithms import all_algorithms
from terraweave.ui.words import spoken, use_language

# The same word in both languages.
SAME = {"Checkpoint", "Diagnose", "Python", "Kappa", "Name"}


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
    return found


def test_titles_and_labels_of_all_tools_are_german(german: None) -> None:
    spoken = texts()
    use_language("en")
    plain = texts()
    unspoken = (spoken & plain) - SAME
    # A family that has just come brings words that nobody has translated yet.
    assert len(unspoken) < 0.1 * len(plain), sorted(unspoken)


def test_ids_are_the_same_in_every_language(german: None) -> None:
    for tool in (one.create() for one in all_algorithms()):
        for one in tool.parameterDefinitions():
            assert one.name() == one.name().upper()


def test_a_composed_title_is_spoken_part_by_part(german: None) -> None:
    assert spoken("Train: Nothing known") == "Trainieren: Nothing known"
    assert spoken("Nothing known") == "Nothing known"
