"""Which layer plays which role: a guess from band count, resolution and name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ..core.family import Family, Role

_MOST_LAYERS = 12
_RATIO_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What is known of a raster layer; `pixel` is its pixel's edge in metres, 0 if unknown.

    `classes` tells that the layer is drawn in a palette of classes, as a map is and no image;
    `unlabelled` that none of the labels in use lies on it.
    """

    id: str
    name: str
    bands: int
    pixel: float = 0.0
    selected: bool = False
    classes: bool = False
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """A layer for a role, with the reason in words."""

    layer: LayerFacts
    reason: str


def guess_layers(family: Family, layers: Sequence[LayerFacts]) -> dict[str, Guess]:
    """The likeliest layer for each role of `family`; none twice, none with unfit bands.

    A role without a fitting layer is left out.
    """
    likely = sorted(layers, key=lambda layer: (not layer.selected, layer.unlabelled))[:_MOST_LAYERS]
    options = [[None, *(one for one in likely if fits_bands(role, one))] for role in family.roles]
    best = max(product(*options), key=lambda pick: _worth(family, pick))
    return {
        role.key: Guess(layer, reason(family, role, layer))
        for role, layer in zip(family.roles, best, strict=True)
        if layer is not None
    }


def scenes_like(guess: LayerFacts, layers: Sequence[LayerFacts]) -> list[LayerFacts]:
    """The guessed layer and the other labelled images of its kind: scenes to learn from, too."""
    return [
        guess,
        *(
            one
            for one in layers
            if one.id != guess.id
            and one.bands == guess.bands
            and not (one.classes or one.unlabelled or guess.unlabelled)
            and abs(one.pixel - guess.pixel) <= _RATIO_TOLERANCE * guess.pixel
        ),
    ]


def fits_bands(role: Role, layer: LayerFacts) -> bool:
    """Whether the number of bands is one that the role takes."""
    most = role.maximum_bands
    return role.minimum_bands <= layer.bands and (most is None or layer.bands <= most)


def name_speaks(role: Role, name: str) -> bool:
    """Whether a layer's name contains the role's key or a word of its title."""
    words = set(re.findall(r"[a-z]+", name.lower()))
    hints = {role.key.lower(), *re.findall(r"[a-z]{5,}", role.title.lower())} - {"image"}
    return bool(words & hints) or any(len(hint) > 4 and hint in name.lower() for hint in hints)


def reason(family: Family, role: Role, layer: LayerFacts) -> str:
    """Why `layer` was taken, for the line below the field."""
    parts = [layer.name, "1 band" if layer.bands == 1 else f"{layer.bands} bands"]
    if layer.pixel:
        parts.append(f"{layer.pixel:.3g} m")
    return ", ".join(parts)


def _worth(family: Family, pick: Sequence[LayerFacts | None]) -> float:
    taken = [layer.id for layer in pick if layer is not None]
    if len(set(taken)) < len(taken):
        return -1.0
    worth = sum(
        _role_worth(role, layer)
        for role, layer in zip(family.roles, pick, strict=True)
        if layer is not None
    )
    return worth + _scale_worth(family, pick)


def _role_worth(role: Role, layer: LayerFacts) -> float:
    worth = 1.0 + 4.0 * name_speaks(role, layer.name) + 2.0 * layer.selected
    if role.maximum_bands is None and layer.bands > 1:
        worth += 1.0
    return worth - 6.0 * layer.classes - 3.0 * layer.unlabelled


def _scale_worth(family: Family, pick: Sequence[LayerFacts | None]) -> float:
    """More where the pixel sizes are in the ratios that the roles ask for."""
    named = dict(zip((role.key for role in family.roles), pick, strict=True))
    main = named[family.reference_role.key]
    if main is None or not main.pixel:
        return 0.0
    worth = 0.0
    for role in family.roles:
        layer = named[role.key]
        if role.reference or layer is None or not layer.pixel or role.scales == (1,):
            continue
        ratio = main.pixel / layer.pixel
        fits = any(abs(ratio / scale - 1.0) < _RATIO_TOLERANCE for scale in role.scales)
        worth += 3.0 if fits else -1.0
    return worth
