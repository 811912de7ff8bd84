"""Counts in words."""

import pytest
from terraweave.core.words import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 areas"), (1, "1 area"), (2, "2 areas"), (12345, "12,345 areas")]
)
def test_one_thing_is_singular_and_all_else_plural(number: int, words: str) -> None:
    assert counted(number, "area") == words


def test_odd_plurals_are_given() -> None:
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"
