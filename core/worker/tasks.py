"""The tasks a job document can ask for, written out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from ..card import read_card, unfinished
from ..errors import InputError
from ..families import family_named
from ..job import Job
from ..progress import Progress

if TYPE_CHECKING:
    from ..family import RefiningRecipe

Task = Callable[[Job, Progress], dict[str, object]]


def _train(job: Job, progress: Progress) -> dict[str, object]:
    recipe = family_named(job.family).recipe()
    with _trained_alone(job, progress):
        return recipe.train(job, progress)


@contextmanager
def _trained_alone(job: Job, progress: Progress) -> Iterator[None]:
    """Where a training may run: nobody else writes to its model file meanwhile.

    Raises:
        InputError: another training does.
    """
    from ..training.claim import claimed

    # A training without a place for its model is refused by its recipe.
    with claimed(job.output("MODEL")) if job.output("MODEL") else nullcontext():
        _tell_unfinished(job, progress)
        yield


def _tell_unfinished(job: Job, progress: Progress) -> None:
    """Warn where the job's model is what was left of a training that was stopped."""
    if job.model and (told := unfinished(read_card(job.model))):
        progress.warn(told)


def _predict(job: Job, progress: Progress) -> dict[str, object]:
    recipe = family_named(_family_of(job)).recipe()
    _tell_unfinished(job, progress)
    return recipe.predict(job, progress)


def _estimate(job: Job, progress: Progress) -> dict[str, object]:
    from ..estimate import estimate

    # With labels it is a training, whose model, if any, is only where it starts from.
    key = job.family if job.labels is not None else _family_of(job)
    return dict(estimate(family_named(key).recipe(), job, progress))


def _refine(job: Job, progress: Progress) -> dict[str, object]:
    family = family_named(job.family)
    if family.refinement is None:
        raise InputError(f"{family.title} has no second stage; train it from the start instead.")
    recipe = cast("RefiningRecipe", family.recipe())
    with _trained_alone(job, progress):
        return recipe.refine(job, progress)


def _import_checkpoint(job: Job, progress: Progress) -> dict[str, object]:
    family = family_named(job.family)
    if not family.imports_checkpoints:
        raise InputError(f"{family.title} has no published checkpoints to import.")
    return family.recipe().import_checkpoint(job, progress)


def _inspect(job: Job, progress: Progress) -> dict[str, object]:
    card = read_card(job.model)
    if job.output("STAC_ITEM"):
        from ..stac import write_stac_item

        write_stac_item(card, job.model, job.output("STAC_ITEM"))
        progress.log("The STAC item is written.")
    return {"card": card.to_json()}


def _sample(job: Job, progress: Progress) -> dict[str, object]:
    from ..samples import SAMPLES

    return SAMPLES[family_named(job.family).key](job, progress)


def _assess(job: Job, progress: Progress) -> dict[str, object]:
    from ..accuracy.assess import assess

    return assess(job, progress)


def _sample_points(job: Job, progress: Progress) -> dict[str, object]:
    from ..accuracy.sampling import sample_points

    return sample_points(job, progress)


def _rerun(job: Job, progress: Progress) -> dict[str, object]:
    from ..rerun import rerun

    return rerun(job, progress)


def _prove(job: Job, progress: Progress) -> dict[str, object]:
    from .proof import prove

    return prove(job, progress)


def _diagnose(job: Job, progress: Progress) -> dict[str, object]:
    from .diagnosis import diagnose

    return diagnose(job, progress)


def _family_of(job: Job) -> str:
    family = read_card(job.model).family
    if job.family and job.family != family:
        raise InputError(
            f"The model is of the family {family}; this tool applies {job.family} models. "
            f"Use the tool “predict{family}”."
        )
    return family


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "train": _train,
        "refine": _refine,
        "predict": _predict,
        "estimate": _estimate,
        "inspect": _inspect,
        "import": _import_checkpoint,
        "sample": _sample,
        "assess": _assess,
        "samplepoints": _sample_points,
        "rerun": _rerun,
        "prove": _prove,
        "diagnose": _diagnose,
    }
)
