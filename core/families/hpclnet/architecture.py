"""The numbers that define an HPCL-Net; torch-free, and safe to read from a stranger's file."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from ...architecture import numbers_in
from ...errors import ModelFileError
from .settings import STRIDES

VARIANTS = ("fusion", "image", "dem", "stacked")
PROFILES = tuple(STRIDES)
NORMALISATIONS = ("group", "batch")


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a network is built from.

    `variant` is `fusion`, or what it is compared with: one input only, or both stacked before one
    encoder. `width` is that of the small profile's first level. `working_gsd` is in metres, `wide`
    the metres that relative elevation is measured over. `normalisation` is `batch`, or `group` for
    small batches (and in models from before there was a choice).

    Raises:
        ModelFileError: a number is out of bounds. The bounds keep the network below 0.5 GB
            whatever a file claims.
    """

    image_bands: int
    terrain_bands: int = 5
    profile: str = "small"
    variant: str = "fusion"
    width: int = 16
    window: int = 128
    working_gsd: float = 4.0
    wide: float = 250.0
    normalisation: str = "group"

    def __post_init__(self) -> None:
        """Refuse what no network of ours has."""
        bounds = {
            "image_bands": (1, 512),
            "terrain_bands": (1, 16),
            "width": (8, 64),
            "window": (32, 1024),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise _unusable(name, value, f"give a whole number from {least} to {most}")
        choices = {
            "profile": PROFILES,
            "variant": VARIANTS,
            "normalisation": NORMALISATIONS,
        }
        for name, options in choices.items():
            value = getattr(self, name)
            if value not in options:
                raise _unusable(name, value, f"choose {', '.join(options)}")
        if self.window % self.stride:
            raise _unusable("window", self.window, f"give a multiple of {self.stride}")
        if self.width % 8:
            raise _unusable("width", self.width, "give a multiple of 8")
        for name in ("working_gsd", "wide"):
            value = getattr(self, name)
            usable = isinstance(value, int | float) and not isinstance(value, bool)
            if not usable or not math.isfinite(value) or not 0 < value <= 1e6:
                raise _unusable(name, value, "give metres above 0")

    @property
    def stride(self) -> int:
        """How many pixels along its edge one hyper-pixel covers."""
        return STRIDES[self.profile]

    @property
    def embedding(self) -> int:
        """How many numbers describe a hyper-pixel in the contrastive learning."""
        return 64 if self.profile == "small" else 128

    def to_json(self) -> dict[str, object]:
        """The numbers as the model card keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> "Architecture":
        """The architecture in a model card.

        Raises:
            ModelFileError: a number is missing, unknown or out of bounds.
        """
        if isinstance(data, Mapping):
            data = {"normalisation": "group", **data}
        return cls(**numbers_in(data, {field.name for field in fields(cls)}))


def _unusable(name: str, value: object, remedy: str) -> ModelFileError:
    return ModelFileError(f"An HPCL-Net cannot have {name} = {value!r}; {remedy}.")
