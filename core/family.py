"""What a model family is, as facts that need neither torch nor numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .classes import MapClass
from .settings import Setting, Value

if TYPE_CHECKING:
    from .job import Job
    from .progress import Progress


@dataclass(frozen=True, slots=True)
class Role:
    """One of the images that a family looks at.

    `scales` are the numbers of its pixels along the edge of one pixel of the reference grid:
    (1,) for an image on the reference grid, (2, 4) for a panchromatic one that is two or four
    times finer. The role with `reference` defines that grid.
    """

    key: str
    title: str
    help: str
    reference: bool = False
    minimum_bands: int = 1
    maximum_bands: int | None = None
    scales: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class ExtraOutput:
    """A grey picture that a family's prediction can write beside its map, to be laid below it.

    One band of 8 bits on the grid of the map: 1 is dark, 255 is light, 0 is missing.
    """

    key: str
    title: str
    help: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a family comes from."""

    citation: str
    url: str


@dataclass(frozen=True, slots=True)
class Refinement:
    """A second stage, in which a model goes on with few labels that are more precise.

    `labels` says what those are, `settings` what may be set when the stage runs by itself. The
    family's recipe then is a `RefiningRecipe`.
    """

    title: str
    help: str
    labels: str
    settings: tuple[Setting, ...]


class Recipe(Protocol):
    """What a family can do; made on demand, because it imports torch."""

    def train(self, job: Job, progress: Progress) -> dict[str, object]:
        """Train as the job says, write its outputs, and return the values to report."""

    def predict(self, job: Job, progress: Progress) -> dict[str, object]:
        """Apply the job's model, write its outputs, and return the values to report."""

    def import_checkpoint(self, job: Job, progress: Progress) -> dict[str, object]:
        """Take over a checkpoint of the paper's own code as a model file."""


class RefiningRecipe(Recipe, Protocol):
    """The recipe of a family with a refinement."""

    def refine(self, job: Job, progress: Progress) -> dict[str, object]:
        """Go on from the job's model with its labels, and return the values to report."""


def no_objection(settings: Mapping[str, Value]) -> None:
    """All settings go together."""


@dataclass(frozen=True, slots=True)
class Family:
    """The facts about one model family; everything that lists families is driven by them.

    A `binary` family finds one class, `target` where the labels do not name it otherwise, and
    tells it from everything else. `check` refuses settings of a new training that do not go
    together. With a `refinement`, training takes the job's FINE_ inputs and
    labels for a second stage in the same run, and there is a tool for that stage alone.
    """

    key: str
    title: str
    purpose: str
    help: str
    roles: tuple[Role, ...]
    labels: str
    train_settings: tuple[Setting, ...]
    predict_settings: tuple[Setting, ...]
    reference: Reference
    recipe: Callable[[], Recipe]
    binary: bool = False
    target: MapClass | None = None
    refinement: Refinement | None = None
    imports_checkpoints: bool = False
    extra_outputs: tuple[ExtraOutput, ...] = ()
    check: Callable[[Mapping[str, Value]], None] = no_objection

    @property
    def reference_role(self) -> Role:
        """The role whose grid the results are on."""
        return next(role for role in self.roles if role.reference)

    def role(self, key: str) -> Role:
        """The role named `key`."""
        return next(role for role in self.roles if role.key == key)
