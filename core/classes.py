"""The classes of a map: value, name and colour."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import InputError

# Okabe and Ito's colour-blind-safe set first, then quieter tones for maps with many classes.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#d55e00", "#7f7f7f",
    "#8c564b", "#9edae5", "#98df8a", "#c5b0d5", "#393b79", "#bcbd22", "#ad494a", "#dbdb8d",
)  # fmt: skip
# Beside a field of class numbers, one of these may say what the numbers are called.
NAME_FIELDS = ("class_name", "classname", "class name", "label", "name")
_MOST_SHOWN = 6
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z")


def palette_color(index: int) -> str:
    """The colour of the class at `index` where nobody chose one, as #rrggbb."""
    return PALETTE[index % len(PALETTE)]


@dataclass(frozen=True, slots=True)
class MapClass:
    """One class: the value in the raster (1–65535), the name in words, a colour #rrggbb."""

    value: int
    name: str
    color: str

    def __post_init__(self) -> None:
        """Refuse a value or colour that a class raster cannot carry."""
        if not 1 <= self.value <= 65535:
            raise InputError(
                f"The class value {self.value} does not fit a class raster; use 1 to 65535 "
                "(0 stands for no class)."
            )
        if not _COLOR.match(self.color):
            raise InputError(
                f"The colour “{self.color}” of class {self.value} is not like #1f78b4."
            )

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0–255."""
        code = self.color.lstrip("#")
        return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)

    def to_json(self) -> dict[str, object]:
        """The class as a JSON object."""
        return {"value": self.value, "name": self.name, "color": self.color}

    @classmethod
    def from_json(cls, data: object) -> "MapClass":
        """The class described by a JSON object; raises InputError where it is not one."""
        if not isinstance(data, Mapping):
            raise InputError(f"A class is described by value, name and color, not by {data!r}.")
        value, name, color = data.get("value"), data.get("name"), data.get("color")
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"The class value “{value}” is not a whole number.")
        if not isinstance(name, str) or not isinstance(color, str):
            raise InputError(f"Class {value} needs a name and a colour.")
        return cls(value, name, color)


def unused_field(title: str, field: str, names: Sequence[str], wanted: str) -> str:
    """The warning where no class field was chosen, and one says what is of the class."""
    listed = ", ".join(f"“{one}”" for one in names[:_MOST_SHOWN])
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return (
        f"The field “{field}” of {title} holds {listed}{more}, but without a class field every "
        f"feature counts as “{wanted}”. Choose “{field}” as class field (CLASS_FIELD) if only some "
        "do."
    )
