"""What a MineC2FNet training will take, in one stage or in two."""

from dataclasses import replace

from ...card import Card, read_card
from ...estimate import Estimate
from ...job import Job
from ...progress import Progress
from ...segmentation.earlier import Earlier
from ...segmentation.foresee import foresee_training
from ...segmentation.sites import Sites
from ...settings import resolve
from . import MINEC2FNET
from .architecture import Architecture
from .design import FootprintDesign, earlier_model, expected_card
from .learn import of_stage
from .network import FootprintNet
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
        first = foresee_training(plain, progress, design, start=card, revise=remember)
    with progress.stage("Fine outlines", 1.0):
        teacher = teachers[0]
        student = FootprintDesign(settings, teacher, fine=True)
        return first.then(foresee_training(fine, progress, student, start=teacher.card))


def _stand_in(card: Card) -> Earlier:
    """A teacher as quick as the one that the first stage will make, and as ignorant as a stone."""
    network = FootprintNet(Architecture.from_json(card.architecture))
    return Earlier(card, network.state_dict())
