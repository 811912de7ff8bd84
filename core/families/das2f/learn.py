"""A whole training: from the job's layers to a model file and a report."""

from collections.abc import Mapping

import torch

from ...accuracy.scores import Scores
from ...card import Card
from ...device import choose_device
from ...job import Job
from ...progress import Progress
from ...provenance import digest_of, software
from ...settings import Value, resolve
from ...training.checkpoint import Checkpoint
from ...training.loop import Outcome, Plan, State
from ...training.phases import Measured, Phases, check_outputs, mean_scores
from . import DAS2F
from .account import write_report
from .fit import STEPS_PER_EPOCH, Fit, fit_network, scores_of
from .material import Material, gather
from .network import Architecture, Das2f


def learn(job: Job, progress: Progress) -> dict[str, object]:
    """Train as the job says, write model and report, and return the scores.

    Raises:
        InputError: something in the job does not fit, said before the work begins.
        Cancelled: at the user's wish; the best epoch so far is kept.
    """
    settings = resolve(DAS2F.train_settings, job.settings)
    check_outputs(job)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    with progress.stage("Reading images and labels", 0.05, preparing=True):
        material = gather(job, settings, progress)
    course = _Course(settings, material, device.torch, progress)
    phases = Phases(course, job.output("MODEL"), progress)
    measured = phases.measure()
    card = phases.write(measured, phases.refit(measured))
    if job.output("REPORT"):
        write_report(job, card, material, measured, settings, device)
    return mean_scores(measured)


class _Course:
    """What the phases of a training share."""

    def __init__(
        self,
        settings: Mapping[str, Value],
        material: Material,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self._material = material
        self._progress = progress
        self._settings = settings
        self._architecture = Architecture.from_json(material.card.architecture)
        plan = Plan(
            epochs=int(settings["epochs"]),
            steps=STEPS_PER_EPOCH,
            learning_rate=float(settings["learning_rate"]),
        )
        self._fit = Fit(
            material.card.classes, plan, int(settings["batch"]), int(settings["seed"]), device
        )
        self.fingerprint = _fingerprint(material, settings)

    @property
    def card(self) -> Card:
        """The card of the model to be."""
        return self._material.card

    @property
    def device(self) -> str:
        """The kind of device."""
        return self._fit.device.type

    @property
    def divisions(self) -> int:
        """One, or the folds of a cross-validation."""
        return len(self._material.splits)

    @property
    def refits(self) -> bool:
        """Whether the last training is one on all labels; after a cross-validation it must be."""
        return self._material.folds or bool(self.held_out(0) and self._settings["refit"])

    def held_out(self, division: int) -> bool:
        """Whether any pixel validates."""
        return bool(self._material.splits[division].validation.any())

    def fit(self, division: int | None, checkpoint: Checkpoint) -> Outcome:
        """Train a fresh network, or one that starts from the model of the job."""
        if division is None:
            patches, held_out = self._material.whole(), None
        else:
            patches, held_out = self._material.divided(self._material.splits[division])
        torch.manual_seed(self._fit.seed)
        network = Das2f(self._architecture)
        _start_from(network, self._material.start)
        return fit_network(network, patches, held_out, self._fit, self._progress, checkpoint)

    def scores(self, division: int, state: State) -> Scores:
        """The scores on all held-out pixels."""
        _, held_out = self._material.divided(self._material.splits[division])
        return scores_of(Das2f(self._architecture), state, held_out, self._fit)[0]

    def exported(self, state: State) -> State:
        """All of it."""
        return state

    def findings(self, measured: Measured) -> Mapping[str, object]:
        """Nothing beyond what every training says."""
        return {}


def _start_from(network: Das2f, weights: Mapping[str, torch.Tensor]) -> None:
    """Fill the network with the weights that fit; a head for other classes starts afresh."""
    own = network.state_dict()
    fitting = {
        key: value for key, value in weights.items() if key in own and own[key].shape == value.shape
    }
    network.load_state_dict({**own, **fitting})


def _fingerprint(material: Material, settings: Mapping[str, Value]) -> str:
    """What makes two trainings the same: data, division, settings, software, start."""
    text = repr((sorted(settings.items()), material.card.architecture, software()))
    patches = (material.patches.ms, material.patches.pan, material.patches.target)
    start = [value for _, value in sorted(material.start.items())]
    masks = [split.train.tobytes() for split in material.splits]
    return digest_of(
        [text.encode(), *masks, *(one.numpy().tobytes() for one in (*patches, *start))]
    )
