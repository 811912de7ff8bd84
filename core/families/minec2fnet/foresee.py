"""What a MineC2FNet training or refinement will take."""

from dataclasses import replace

from ...card import Card, read_card
from ...device import choose_device
from ...estimate import Estimate
from ...job import Job
from ...progress import Progress
from ...segmentation.earlier import Earlier
from ...segmentation.foresee import foresee_training, seconds_to_judge
from ...segmentation.sites import Sites
from ...settings import resolve
from . import MINEC2FNET
from .architecture import Architecture
from .design import FootprintDesign, earlier_model, expected_card
from .learn import (
    all_ground,
    applied,
    design_of_old,
    of_stage,
    refining_settings,
    teacher_of,
    without_old,
)
from .network import FootprintNet
from .settings import REFINE_SETTINGS
from .view import ROLE

_COARSE_SHARE = 0.6


def foresee(job: Job, progress: Progress) -> Estimate:
    """What the training that the job describes will take.

    Raises:
        InputError: the job would be refused, with the same sentence.
    """
    settings = resolve(MINEC2FNET.train_settings, job.settings)
    start = earlier_model(job.model, read_card(job.model)) if job.model else None
    fine = of_stage(job, "FINE")
    plain = replace(job, inputs={ROLE: job.inputs.get(ROLE, ())}, features={})
    card = start.card if start else None
    if fine is None:
        return foresee_training(plain, progress, FootprintDesign(settings, start), start=card)
    # The teacher of two stages is trained once, on what it does not hold out.
    once = {**settings, "refit": False, "cross_validation": 0}
    design = FootprintDesign(once, start)
    teachers: list[Earlier] = []

    def remember(sites: Sites) -> Sites:
        teachers.append(_stand_in(expected_card(design, sites)))
        return sites

    with progress.stage("Coarse outlines", _COARSE_SHARE):
        # Both stages are compared on what each of them holds out.
        first = foresee_training(plain, progress, design, start=card, revise=remember, others=1)
    with progress.stage("Fine outlines", 1.0):
        teacher = teachers[0]
        student = FootprintDesign(settings, teacher, fine=True)
        second = foresee_training(
            fine, progress, student, start=teacher.card, others=1, stage="FINE"
        )
        return first.then(second)


def foresee_refinement(job: Job, progress: Progress) -> Estimate:
    """What the refinement that the job describes will take.

    The teacher is looked through in every step, and on all ground by which both are judged.

    Raises:
        InputError: the job would be refused, with the same sentence.
    """
    settings = refining_settings(resolve(REFINE_SETTINGS, job.settings))
    teacher = teacher_of(job)
    old, plain = of_stage(job, "OLD"), without_old(job)
    device = choose_device(str(settings["device"]))
    judging: list[float] = []

    def look_back(sites: Sites) -> Sites:
        if old is not None:
            ground = all_ground(old, teacher, design_of_old(settings, teacher), progress)
            found = applied(teacher, settings)
            judging.append(2 * seconds_to_judge(ground, found, teacher.card.window, device))
        return sites

    design = FootprintDesign(settings, teacher, fine=True)
    found = foresee_training(
        plain, progress, design, start=teacher.card, revise=look_back, others=1
    )
    if found.work is None:
        return found
    return replace(found, work=(found.work[0] + sum(judging), found.work[1] + sum(judging)))


def _stand_in(card: Card) -> Earlier:
    """A teacher as quick as the one that the first stage will make, and as ignorant as a stone."""
    network = FootprintNet(Architecture.from_json(card.architecture))
    return Earlier(card, network.state_dict())
