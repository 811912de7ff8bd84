"""What a family brings to a segmentation training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import nn

from ..card import CardInput
from ..device import Device
from ..family import Family
from ..scene.source import Mask, RasterFacts
from ..settings import Value
from ..training.loop import Plan, State, Trainee
from .sampler import Ground, Sampler
from .sites import Site, Sites
from .view import Segmenter, View

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how hard a family trains, and what its windows look like, in pixels."""

    plan: Plan
    batch: int
    window: int
    gap: int
    holding: float = 0.5


class Design(Protocol[S]):
    """What a family brings to one training; S are its statistics of the training ground."""

    family: Family
    settings: Mapping[str, Value]
    effort: Effort
    working_gsd: float

    def view(self, facts: Mapping[str, RasterFacts]) -> View:
        """How scenes like the first one are seen."""

    def ground(self, site: Site, counts: Mask) -> Ground:
        """What a site teaches where it `counts` (row, column); soft labels are made here."""

    def statistics(self, grounds: Sequence[Ground]) -> S:
        """What inputs are scaled by, from training ground alone."""

    def architecture(self, sites: Sites) -> Mapping[str, object]:
        """The numbers that define the network, for the card."""

    def inputs(self, sites: Sites, statistics: S) -> tuple[CardInput, ...]:
        """The card's description of the images."""

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        """A fresh network as it trains, with the weights of the model to start from if any."""

    def trainee(
        self, network: nn.Module, sampler: Sampler, statistics: S, effort: Effort, device: Device
    ) -> Trainee:
        """What the loop trains; `evaluate` is never asked for."""

    def segmenter(self, network: nn.Module, statistics: S, device: Device) -> Segmenter:
        """The network as it is applied."""

    def exported(self, state: State) -> State:
        """What of the weights the model file needs."""
