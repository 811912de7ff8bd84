"""The numbers that define a MineC2FNet network; torch-free, and safe to read from any file."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...architecture import numbers_in
from ...errors import ModelFileError

_MOST_BANDS = 512


@dataclass(frozen=True, slots=True)
class Profile:
    """How wide and deep the encoder is.

    `full` and `half` are the channels at strides 1 and 2, `widths` and `blocks` the channels and
    residual blocks of the stages at strides 4, 8, 16 and 32.
    """

    full: int
    half: int
    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "small": Profile(16, 24, (32, 64, 96, 128), (1, 1, 1, 1)),
        "resnet18": Profile(32, 64, (64, 128, 256, 512), (2, 2, 2, 2)),
        "resnet34": Profile(32, 64, (64, 128, 256, 512), (3, 4, 6, 3)),
    }
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a network is built from: the bands it sees, and a key of `PROFILES`.

    Raises:
        ModelFileError: a number is out of bounds, whoever claims it.
    """

    bands: int
    profile: str = "small"

    def __post_init__(self) -> None:
        """Refuse what no network of ours has."""
        if isinstance(self.bands, bool) or not isinstance(self.bands, int):
            raise ModelFileError(f"A MineC2FNet network cannot have {self.bands!r} bands.")
        if not 1 <= self.bands <= _MOST_BANDS:
            raise ModelFileError(
                f"A MineC2FNet network cannot have {self.bands} bands; give 1 to {_MOST_BANDS}."
            )
        if self.profile not in PROFILES:
            raise ModelFileError(
                f"A MineC2FNet network cannot have the profile {self.profile!r}; "
                f"choose {' or '.join(PROFILES)}."
            )

    def to_json(self) -> dict[str, object]:
        """The numbers as the model card keeps them, beside others such as the working pixel."""
        return {"bands": self.bands, "profile": self.profile}

    @classmethod
    def from_json(cls, data: object) -> "Architecture":
        """The architecture in a model card; what else the card keeps there is not its business.

        Raises:
            ModelFileError: a number is missing or out of bounds.
        """
        own = ("bands", "profile")
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if name in own}
        numbers = numbers_in(data, own)
        return cls(numbers["bands"], str(numbers["profile"]))
