"""Settings: each is declared once and feeds the form, the check, the help and the saved run."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import InputError

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a setting that offers a list."""

    key: str
    help: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One number, switch or choice that a user may change.

    The type of `default` (bool, int, float or str) is the type of the setting. In forms and
    scripts the setting appears under `parameter`, its key in capitals. `refused` are values within
    the bounds that make no sense all the same, each with the sentence that says so.
    """

    key: str
    title: str
    help: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    unit: str = ""
    advanced: bool = True
    refused: tuple[tuple[Value, str], ...] = ()

    @property
    def parameter(self) -> str:
        """The name of the setting as a Processing parameter."""
        return self.key.upper()

    def checked(self, value: object) -> Value:
        """`value` in the setting's own type.

        Raises:
            InputError: the value has another type, is out of bounds, or is no listed choice.
        """
        if self.choices:
            return self._checked_choice(value)
        if isinstance(self.default, bool):
            return self._checked_switch(value)
        if isinstance(self.default, str):
            return str(value)
        return self._checked_number(value)

    def _checked_choice(self, value: object) -> str:
        keys = [choice.key for choice in self.choices]
        if str(value) not in keys:
            raise InputError(
                f"{self.title} ({self.parameter}) cannot be “{value}”; choose one of "
                f"{', '.join(keys)}."
            )
        return str(value)

    def _checked_switch(self, value: object) -> bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        word = str(value).strip().lower()
        if word not in words:
            raise InputError(f"{self.title} ({self.parameter}) is “{value}”; give true or false.")
        return words[word]

    def _checked_number(self, value: object) -> int | float:
        whole = isinstance(self.default, int)
        try:
            read = float(str(value))
            number = int(read) if whole else read
        except (ValueError, OverflowError):
            read, number = math.nan, 0
        if (whole and number != read) or math.isnan(read):
            noun = "a whole number" if whole else "a number"
            raise InputError(f"{self.title} ({self.parameter}) is “{value}”; give {noun}.")
        if (self.minimum is not None and number < self.minimum) or (
            self.maximum is not None and number > self.maximum
        ):
            raise InputError(
                f"{self.title} ({self.parameter}) is {value}; give a value {self.bounds}."
            )
        for senseless, sentence in self.refused:
            if number == senseless:
                raise InputError(sentence)
        return number

    @property
    def bounds(self) -> str:
        """The allowed range in words."""
        if self.minimum is not None and self.maximum is not None:
            return f"from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"of at least {self.minimum:g}"
        return f"of at most {self.maximum:g}" if self.maximum is not None else "of any size"


def resolve(settings: Iterable[Setting], given: Mapping[str, object]) -> dict[str, Value]:
    """The value of every setting: what was given, checked, and defaults for the rest.

    Raises:
        InputError: a value does not fit, or a name is not among the settings.
    """
    known = {setting.key: setting for setting in settings}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(
            f"There is no setting “{unknown[0]}”; the settings are {', '.join(sorted(known))}."
        )
    return {
        key: setting.checked(given[key]) if given.get(key) is not None else setting.default
        for key, setting in known.items()
    }


DEVICE = Setting(
    key="device",
    title="Device",
    help="Where the network runs. “auto” takes an NVIDIA card, else an Apple one, else the "
    "processor; the log says which and why.",
    default="auto",
    choices=(
        Choice("auto", "The fastest that works here"),
        Choice("cuda", "An NVIDIA card"),
        Choice("mps", "The graphics part of an Apple chip"),
        Choice("cpu", "The processor"),
    ),
)
VALIDATION_SHARE = Setting(
    key="validation_share",
    title="Validation share",
    help="The part of the labels that is held back, in whole blocks of the scene, to measure the "
    "model on ground it has not seen. More gives surer scores from fewer training pixels; 0 "
    "trains on everything and gives no scores.",
    default=0.25,
    minimum=0.0,
    maximum=0.6,
)
REFIT = Setting(
    key="refit",
    title="Train on all labels at the end",
    help="After the held-out blocks have measured the model, train once more with the "
    "same settings on all labels. The map gets better; the scores stay those of the "
    "measured model. Takes about twice as long.",
    default=True,
)
CROSS_VALIDATION = Setting(
    key="cross_validation",
    title="Folds of a cross-validation",
    help="0 measures once, on the validation share. From 2 on, the scene's blocks are divided into "
    "so many folds; each is held back once, and the report gives mean and deviation of the scores. "
    "The model is then trained on all labels. Takes as many times longer.",
    default=0,
    minimum=0,
    maximum=20,
    refused=(
        (
            1,
            "One fold (CROSS_VALIDATION is 1) is no cross-validation; give 2 to 20, or 0 for a "
            "single split.",
        ),
    ),
)
BLOCK = Setting(
    key="block",
    title="Block size",
    help="The edge of the blocks that are held back as a whole. 0 chooses it from how far the "
    "labels resemble each other; larger is a harder and more honest test.",
    default=0,
    minimum=0,
    maximum=100000,
    unit="pixels",
)
SEED = Setting(
    key="seed",
    title="Seed",
    help="The start of every random choice: the same seed, data and settings give the same model "
    "on the same machine.",
    default=0,
    minimum=0,
    maximum=2**31 - 1,
)

LEARNING_RATE = Setting(
    key="learning_rate",
    title="Learning rate",
    help="The size of a training step. Larger learns faster and may not settle.",
    default=0.002,
    minimum=1e-6,
    maximum=0.1,
)
MEASURING = (REFIT, VALIDATION_SHARE, CROSS_VALIDATION, BLOCK, SEED, DEVICE)
"""What every training ends its form with: how it is measured, and where it runs."""


def batch_setting(default: int, least: int = 1) -> Setting:
    """The number of windows in a step, with the family's own default."""
    return Setting(
        key="batch",
        title="Batch",
        help="Windows in one training step. Larger is steadier and needs more memory.",
        default=default,
        minimum=least,
        maximum=4096,
        unit="windows",
    )


def epochs_setting(default: int, meaning: str) -> Setting:
    """The number of epochs, with the family's own default; `meaning` says what an epoch is."""
    return Setting(
        key="epochs",
        title="Epochs",
        help=f"How long to train. {meaning} More epochs fit the labels better and take longer in "
        "proportion.",
        default=default,
        minimum=1,
        maximum=10000,
        advanced=False,
    )
