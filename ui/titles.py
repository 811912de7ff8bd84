"""What forms call parameters, for sentences that name them by their ids."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.families import FAMILIES
from ..core.settings import Setting
from .words import tr

if TYPE_CHECKING:
    from qgis.core import QgsProcessingAlgorithm

# What stands in quotes is a name that somebody gave to a layer, a field or a file.
_QUOTED = re.compile(r"([“„][^”“]*[”“])")
_UNIT = re.compile(r" \[[^\]]*\]$")
# Shorter ids are abbreviations that sentences use as words: MS, PAN, DEM.
_SHORTEST = 4


def titles_of(algorithm: "QgsProcessingAlgorithm") -> dict[str, str]:
    """The titles of a tool's parameters by their ids, and of settings that other tools have.

    Of the latter those of the tool's own family go first.
    """
    own = {one.name(): one.description() for one in algorithm.parameterDefinitions()}
    known = _settings(algorithm.name()) | own
    return {name: _UNIT.sub("", title) for name, title in known.items()}


def role_title(family: str, role: str) -> str:
    """What the forms of a family call an image, or the role itself where they have none."""
    roles = FAMILIES[family].roles if family in FAMILIES else ()
    return next((tr(one.title) for one in roles if one.key == role), role)


def titled(text: str, titles: Mapping[str, str]) -> str:
    """A sentence with titles in the places of ids; what stands in quotes stays as it is."""
    if not titles:
        return text
    ids = "|".join(sorted(map(re.escape, titles), key=len, reverse=True))
    aside = rf"(?P<before>\s?)\((?P<id>{ids})\)"
    found = re.compile(rf"{aside}|(?<![\w./(-])(?P<bare>{ids})(?![\w/)]|[.-]\w)")
    said = ""
    for part in _QUOTED.split(text):
        said += part if _QUOTED.fullmatch(part) else _in_words(found, part, titles)
    return said


def _in_words(found: re.Pattern[str], part: str, titles: Mapping[str, str]) -> str:
    def words(match: re.Match[str]) -> str:
        bare = match["bare"]
        if bare is not None:
            return f"“{titles[bare]}”" if len(bare) >= _SHORTEST else bare
        title = titles[match["id"]]
        if part[: match.start()].casefold().endswith(title.casefold()):
            return ""
        return f"{match['before']}(“{title}”)"

    return found.sub(words, part)


def _settings(tool: str) -> dict[str, str]:
    found: dict[str, Setting] = {}
    for family in sorted(FAMILIES.values(), key=lambda one: not tool.endswith(one.key)):
        refinement = family.refinement.settings if family.refinement is not None else ()
        for one in (*family.train_settings, *family.predict_settings, *refinement):
            found.setdefault(one.parameter, one)
    return {name: tr(one.title) for name, one in found.items()}
