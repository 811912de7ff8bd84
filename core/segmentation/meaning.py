"""Which of the classes in labels is the one that a model finds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..classes import MapClass, unused_field
from ..errors import InputError
from ..job import Features
from ..report.words import listed
from ..scene.labels import is_raster
from ..scene.vectors import field_naming

# Names that say no more than the value.
_NUMBERED = re.compile(r"(class )?\d+\Z", re.IGNORECASE)
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Meaning:
    """The `values` in labels that stand for the class; all others are background.

    `sentence` says so to the user, and `doubt`, if any, what may not be as she thinks.
    """

    values: frozenset[int]
    sentence: str
    doubt: str = ""


def is_name(name: str) -> bool:
    """Whether a class's name says more than its value."""
    return not _NUMBERED.match(name.strip())


def meaning_of(
    classes: Sequence[MapClass], wanted: MapClass | None, labels: Features, *, known: bool
) -> Meaning:
    """What the classes of the labels mean to a model that finds `wanted`.

    Its namesake is the class, whatever the case of its letters, and the others are background. A
    single class without a namesake is the class by another name. Without a class field every
    feature is of the class. `known` says that the class is that of a model to go on from, which
    keeps its name.

    Raises:
        InputError: there are several classes and none has the name of the class, or there is one
            with another name than that of the model to go on from.
    """
    every = frozenset(one.value for one in classes)
    if not (labels.field or is_raster(labels)):
        return _all_features(every, wanted, labels)
    where = f"the field “{labels.field}” of {labels.title}" if labels.field else labels.title
    same = [one for one in classes if wanted is not None and _alike(one.name, wanted.name)]
    if same:
        others = [one.name for one in classes if one not in same]
        rest = f"; {_quoted(others)} {_count(others)} as background" if others else ""
        return Meaning(
            frozenset(one.value for one in same),
            f"In {where} “{same[0].name}” is the class{rest}.",
        )
    if not classes and labels.field:
        raise InputError(
            f"No feature has a class in {where}; fill it in, or choose no field (CLASS_FIELD) if "
            "every feature is of the class."
        )
    if not classes:
        return Meaning(every, f"{labels.title} shows no class.")
    alone = len(classes) == 1
    if wanted is None or (alone and not (known and is_name(classes[0].name))):
        return Meaning(every, f"In {where} {_quoted([one.name for one in classes])} is the class.")
    raise InputError(_refusal(classes, wanted, labels, where, known=known))


def _all_features(every: frozenset[int], wanted: MapClass | None, labels: Features) -> Meaning:
    name = f"“{wanted.name}”" if wanted else "the class"
    sentence = (
        f"Every feature of {labels.title} counts as {name}, because no class field (CLASS_FIELD) "
        "was given for it."
    )
    field, names = field_naming(labels, wanted.name) if wanted else ("", [])
    if not field or wanted is None:
        return Meaning(every, sentence)
    return Meaning(every, sentence, unused_field(labels.title, field, names, wanted.name))


def _refusal(
    classes: Sequence[MapClass], wanted: MapClass, labels: Features, where: str, *, known: bool
) -> str:
    names = _quoted([one.name for one in classes])
    verb = "holds" if labels.field else "shows"
    told = f", and the model knows “{wanted.name}”." if known else f", and none is “{wanted.name}”."
    if not labels.field:
        remedy = "Choose another class raster, or name the class there"
        remedy += " as the model does." if known else f" “{wanted.name}”; all else is background."
    else:
        remedy = (
            f"Choose another field, call the class “{wanted.name}” there, or choose no field "
            f"(CLASS_FIELD) if every feature is “{wanted.name}”."
        )
    return f"{where[:1].upper()}{where[1:]} {verb} {names}{told} {remedy}"


def _alike(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _quoted(names: Sequence[str]) -> str:
    return listed([f"“{one}”" for one in names], _SHOWN)


def _count(names: Sequence[str]) -> str:
    return "count" if len(names) > 1 else "counts"
