"""The registry: every model family, written out. A new family is a folder and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import InputError
from ..family import Family
from .das2f import DAS2F
from .hpclnet import HPCLNET
from .minec2fnet import MINEC2FNET

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.key: family for family in (DAS2F, MINEC2FNET, HPCLNET)}
)


def family_named(key: str) -> Family:
    """The family `key`.

    Raises:
        InputError: this software has no such family.
    """
    if key not in FAMILIES:
        raise InputError(
            f"There is no model family “{key}”; this version of Terraweave has "
            f"{', '.join(FAMILIES)}."
        )
    return FAMILIES[key]
