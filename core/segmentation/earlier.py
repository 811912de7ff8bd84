"""A model that a training starts from, or learns from."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..card import Card
from ..errors import ModelFileError
from ..family import Family
from ..job import Job
from ..model_file import load_into
from ..provenance import fingerprint
from ..training.loop import State

EARLIER = "earlier"
"""Where a card's metrics keep those of the models that came before it."""

_MOST_EARLIER = 20


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


def named(start: Card, job: Job) -> dict[str, object]:
    """Which model a training went on from, for its card."""
    return {"name": start.name, "sha256": fingerprint(job.model) if job.model else ""}


def earlier_scores(card: Card) -> list[dict[str, object]]:
    """The scores that a card remembers, its own first, then those of the models before it."""
    own = {key: value for key, value in card.metrics.items() if key not in (EARLIER, "folds")}
    before = card.metrics.get(EARLIER)
    kept = [one for one in before if isinstance(one, dict)] if isinstance(before, list) else []
    return [{"model": card.name, **own}, *kept][:_MOST_EARLIER]
