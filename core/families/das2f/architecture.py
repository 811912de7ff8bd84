"""The numbers that define a DAS²F network; torch-free, and safe to read from a stranger's file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from ...architecture import numbers_in
from ...errors import ModelFileError

_BOUNDS = {"ms_bands": (1, 512), "classes": (2, 1024)}
_OPTIONS: Mapping[str, tuple[object, ...]] = {
    "window": (8, 16),
    "ratio": (2, 4),
    "levels": (1, 2),
    "fusion": ("published", "convex"),
    "head": ("published", "linear", "pooled", "centre"),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a network is built from; the defaults suit small sets of labels.

    `window` counts MS pixels, `ratio` PAN pixels along the edge of one MS pixel. `dropout` is
    the share of the head's inputs that training leaves out.

    Raises:
        ModelFileError: a number is out of bounds. The bounds also keep the network below 0.2 GB
            whatever a file claims.
    """

    ms_bands: int
    classes: int
    window: int = 8
    ratio: int = 4
    levels: int = 1
    fusion: str = "convex"
    head: str = "centre"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what no network of ours has."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not _is_whole(value) or not least <= value <= most:
                raise ModelFileError(
                    f"A DAS²F network cannot have {name} = {value!r}; "
                    f"give a whole number from {least} to {most}."
                )
        for name, options in _OPTIONS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or value not in options:
                raise ModelFileError(
                    f"A DAS²F network cannot have {name} = {value!r}; "
                    f"choose {' or '.join(map(str, options))}."
                )
        if not _is_share(self.dropout):
            raise ModelFileError(
                f"A DAS²F network cannot have dropout = {self.dropout!r}; "
                "give a number from 0 to below 1."
            )

    @classmethod
    def published(
        cls, ms_bands: int, classes: int, levels: int = 2, ratio: int = 4
    ) -> "Architecture":
        """The network of the paper, arXiv 2504.16665."""
        return cls(
            ms_bands,
            classes,
            window=16,
            ratio=ratio,
            levels=levels,
            fusion="published",
            head="published",
            dropout=0.0,
        )

    @property
    def tokens(self) -> int:
        """How many tokens a window has: one for each MS pixel."""
        return self.window**2

    def to_json(self) -> dict[str, object]:
        """The numbers as the model card keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> "Architecture":
        """The architecture in a model card.

        Raises:
            ModelFileError: a number is missing, unknown or out of bounds.
        """
        return cls(**numbers_in(data, {field.name for field in fields(cls)}))


def _is_share(value: object) -> bool:
    # NaN compares false with everything, and is refused too.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
