"""A model that a training starts from, or learns from."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..card import Card
from ..errors import ModelFileError
from ..family import Family
from ..model_file import load_into
from ..training.loop import State


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier model: its card, and its weights on the CPU."""

    card: Card
    state: State

    @property
    def working_gsd(self) -> float:
        """The pixel size in metres that the model works on."""
        return float(str(self.card.architecture["working_gsd"]))


def read_earlier(
    path: str, card: Card, family: Family, network: Callable[[Card], nn.Module]
) -> Earlier:
    """The model file at `path`; `network` builds that of a card.

    Raises:
        ModelFileError: it is of another family, or its weights do not fit its card.
    """
    if card.family != family.key:
        raise ModelFileError(
            f"The model {card.name} is of the family {card.family}; choose a model that "
            f"“{family.title}” trained."
        )
    built = network(card)
    size = card.architecture.get("working_gsd")
    if not isinstance(size, int | float) or not size > 0:
        raise ModelFileError(
            f"The card of the model {card.name} has no working pixel size; the file is damaged. "
            "Take another copy of it, or train a model again."
        )
    load_into(built, path)
    return Earlier(card, built.state_dict())
