"""Which class of a reference is which class of a map, and what the classes of a map are called."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml  # nosec B405 - reads small files without entities

from ..classes import MapClass, palette_color
from ..errors import InputError

BACKGROUND_NAME = "everything else"
_LARGEST_LEGEND = 4 * 2**20
_NAME_USAGE, _VALUE_USAGE = "2", "5"
_COLORS = ("6", "7", "8")
_PLACEHOLDER = re.compile(r"(class )?\d+\Z", re.IGNORECASE)
_MOST_LISTED = 5
_NOTHING = re.compile(
    r"(background|other|others|none|nothing|no data|nodata|unlabell?ed|rest|everything else)\Z"
    r"|(no|non|not)[ _-].+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Matched:
    """The classes of a comparison, and which of them each value of map and reference is.

    `background` is the position of the class for ground that is none of the others, or None.
    `target` is the position of the class that a binary map is about, or None.
    """

    classes: tuple[MapClass, ...]
    of_map: Mapping[int, int]
    of_reference: Mapping[int, int]
    background: int | None = None
    target: int | None = None
    notes: tuple[str, ...] = ()


def match_classes(
    mapped: Sequence[MapClass],
    reference: Sequence[MapClass],
    *,
    complete: bool = False,
    stated: bool = False,
    values_mean_something: bool = True,
) -> Matched:
    """The joint classes: by name where names agree, else by value.

    Values mean nothing where the reference has texts, which were numbered for want of values.
    `complete` means that ground without a mark is background, and so is every class of the map
    that the reference does not mark. `stated` means that the map itself says where it found none of
    its classes: that is background, and so is every class of the reference that it does not have.

    Raises:
        InputError: no class of the reference is a class of the map.
    """
    pairs = _pairs(mapped, reference, values_mean_something)
    if mapped and not pairs:
        raise InputError(
            f"No class of the reference is one of the map. The reference has {_names(reference)}; "
            f"the map has {_names(mapped)}. Give them the same names or values."
        )
    partner = {b.value: a for a, b in pairs}
    alone = [one for one in reference if one.value not in partner]
    lonely = [] if stated else alone
    taken = {one.value for one in mapped}
    extra = [_with_free_value(one, taken) for one in lonely]
    joint = list(mapped) + extra
    if complete:
        marked = {a.value for a, _ in pairs}
        joint = [one for one in mapped if one.value in marked] + extra
    place = {one.value: index for index, one in enumerate(joint)}
    of_reference = {b.value: place[a.value] for a, b in pairs}
    of_reference |= {b.value: place[a.value] for a, b in zip(extra, lonely, strict=True)}
    of_map = {one.value: place[one.value] for one in mapped if one.value in place}
    notes = (*_contradictions(pairs), *_guesses(pairs))
    if not complete and not stated:
        return Matched(
            tuple(joint), of_map, of_reference, target=_target_of_two(joint), notes=notes
        )
    joint.append(_with_free_value(MapClass(1, BACKGROUND_NAME, "#bdbdbd"), taken))
    background = len(joint) - 1
    of_map |= {one.value: background for one in mapped if one.value not in of_map}
    of_reference |= {one.value: background for one in alone if one.value not in of_reference}
    target = 0 if background == 1 else None
    return Matched(tuple(joint), of_map, of_reference, background, target, notes)


def chosen_target(mapped: Sequence[MapClass], wanted: str, reference: str) -> MapClass:
    """The class of the map that features without a class field stand for.

    Raises:
        InputError: the map has no class of that name or value, or several could be meant.
    """
    text = wanted.strip().casefold()
    if text:
        for one in mapped:
            if text in (one.name.strip().casefold(), str(one.value)):
                return one
        raise InputError(f"The map has no class “{wanted}”; it has {_names(mapped)}.")
    possible = [one for one in mapped if not _NOTHING.match(one.name.strip())]
    if len(possible) == 1:
        return possible[0]
    raise InputError(
        f"The features of {reference} have no class field, and the map has {_names(mapped)}. "
        "Choose the class field, or say in TARGET which class of the map they mark."
    )


def missing_classes(
    matched: Matched, shown: Sequence[int], referenced: Sequence[int]
) -> tuple[list[str], list[str]]:
    """Names of classes that the reference has and the map lacks, and the other way round.

    `shown` and `referenced` count pixels by class.
    """
    lacking, unreferenced = [], []
    for one, on_map, in_reference in zip(matched.classes, shown, referenced, strict=True):
        if in_reference and not on_map:
            lacking.append(one.name)
        if on_map and not in_reference:
            unreferenced.append(one.name)
    return lacking, unreferenced


def _pairs(
    mapped: Sequence[MapClass], reference: Sequence[MapClass], values_mean_something: bool
) -> list[tuple[MapClass, MapClass]]:
    """Which map class is which reference class."""
    names = {_key(one): one for one in mapped if not _PLACEHOLDER.match(one.name)}
    by_name = [(names[_key(one)], one) for one in reference if _key(one) in names]
    if by_name or not values_mean_something:
        return by_name
    values = {one.value: one for one in mapped}
    return [(values[one.value], one) for one in reference if one.value in values]


def _key(one: MapClass) -> str:
    return one.name.strip().casefold()


def _with_free_value(one: MapClass, taken: set[int]) -> MapClass:
    """The class, with another value where the map uses its own for something else."""
    value = one.value
    while value in taken:
        value += 1
    taken.add(value)
    return MapClass(value, one.name, one.color)


def _contradictions(pairs: Sequence[tuple[MapClass, MapClass]]) -> list[str]:
    return [
        f"Value {a.value} is called “{a.name}” in the map and “{b.name}” in the reference; they "
        "are compared as one class, by their value."
        for a, b in pairs
        if _key(a) != _key(b) and not any(_PLACEHOLDER.match(one.name) for one in (a, b))
    ]


def _guesses(pairs: Sequence[tuple[MapClass, MapClass]]) -> list[str]:
    """What has to be said where only one side has names, and numbers stand in for them."""
    guessed = [
        f"{a.value} for “{(b if _PLACEHOLDER.match(a.name) else a).name}”"
        for a, b in pairs
        if bool(_PLACEHOLDER.match(a.name)) != bool(_PLACEHOLDER.match(b.name))
    ]
    if not guessed:
        return []
    more = "" if len(guessed) <= _MOST_LISTED else f" and {len(guessed) - _MOST_LISTED} more"
    return [
        "Only one of map and reference names its classes, so they are compared by their numbers: "
        f"{', '.join(guessed[:_MOST_LISTED])}{more}. If these numbers mean something else in the "
        "other, the scores mean nothing."
    ]


def _target_of_two(joint: Sequence[MapClass]) -> int | None:
    if len(joint) != 2:
        return None
    named = [index for index, one in enumerate(joint) if not _NOTHING.match(one.name.strip())]
    return named[0] if len(named) == 1 else None


def _names(classes: Sequence[MapClass]) -> str:
    if not classes:
        return "no class at all"
    return "the classes " + ", ".join(f"“{one.name}” ({one.value})" for one in classes)


def read_legend(path: str | Path) -> tuple[MapClass, ...]:
    """Names and colours that GDAL's file beside a raster (.aux.xml) has for its values.

    Empty where there is none, or none that can be understood: names are a convenience.
    """
    file = Path(path)
    beside = file.with_name(file.name + ".aux.xml")
    try:
        if not beside.is_file() or beside.stat().st_size > _LARGEST_LEGEND:
            return ()
        text = beside.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    if "<!" in text.replace("<!--", ""):
        return ()  # entities and document types have no business here
    with contextlib.suppress(Xml.ParseError, InputError, ValueError, AttributeError):
        # Without entities, and of bounded size: see above.
        root = Xml.fromstring(text)  # noqa: S314  # nosec B314
        return _table_classes(root) or _category_classes(root)
    return ()


def _table_classes(root: Xml.Element) -> tuple[MapClass, ...]:
    table = root.find(".//GDALRasterAttributeTable")
    if table is None:
        return ()
    usages = {field.findtext("Usage"): int(field.get("index", "0"))
              for field in table.findall("FieldDefn")}  # fmt: skip
    if _NAME_USAGE not in usages or _VALUE_USAGE not in usages:
        return ()
    found = []
    for index, row in enumerate(table.findall("Row")):
        cells = [cell.text or "" for cell in row.findall("F")]
        value = int(float(cells[usages[_VALUE_USAGE]]))
        name = cells[usages[_NAME_USAGE]].strip()
        if 1 <= value <= 65535:
            color = palette_color(index)
            if all(code in usages for code in _COLORS):
                parts = [min(max(int(cells[usages[code]]), 0), 255) for code in _COLORS]
                color = "#{:02x}{:02x}{:02x}".format(*parts)
            found.append(MapClass(value, name or f"class {value}", color))
    return tuple(found)


def _category_classes(root: Xml.Element) -> tuple[MapClass, ...]:
    names = [one.text or "" for one in root.findall(".//CategoryNames/Category")]
    named = [(value, name.strip()) for value, name in enumerate(names) if value and name.strip()]
    return tuple(
        MapClass(value, name, palette_color(index)) for index, (value, name) in enumerate(named)
    )
