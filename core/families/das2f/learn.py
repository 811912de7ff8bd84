"""A whole training: from the job's layers to a model file and a report."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from ...accuracy.scores import Scores
from ...card import Card, CardInput, read_card
from ...device import choose_device
from ...errors import Cancelled, InputError, ModelFileError
from ...job import Job
from ...model_file import read_weights, write_model
from ...progress import Progress
from ...provenance import digest_of, inputs_of, software
from ...report.training import SplitMap
from ...scene.aside import check_writable
from ...settings import Value, resolve
from ...training.checkpoint import Checkpoint
from ...training.loop import Outcome, Plan, State
from ...training.split import Split, blocked_split
from . import DAS2F
from .account import maps_of, write_report
from .apply import statistics_of
from .configuration import architecture
from .fit import STEPS_PER_EPOCH, Fit, fit_network, scores_of
from .network import Architecture, Das2f
from .patches import Patches, Pixels, Statistics, cut_patches, patch_limit, thinned
from .training_data import LabelledScenes, card_input, labelled_scenes


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a training needs once the layers are read."""

    card: Card
    split: Split
    maps: tuple[SplitMap, ...]
    train: Patches
    held_out: Patches
    start: Mapping[str, torch.Tensor]


def learn(job: Job, progress: Progress) -> dict[str, object]:
    """Train as the job says, write model and report, and return the scores.

    Raises:
        InputError: something in the job does not fit, said before the work begins.
        Cancelled: at the user's wish; the best epoch so far is kept.
    """
    began = time.monotonic()
    settings = resolve(DAS2F.train_settings, job.settings)
    if not job.output("MODEL"):
        raise InputError("No output was named for MODEL; name the *.safetensors file to write.")
    for path in filter(None, (job.output("MODEL"), job.output("REPORT"))):
        check_writable(path)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    with progress.stage("Reading images and labels", 0.05):
        material = _gathered(job, settings, progress)
    run = _Run(job, settings, material, device.torch, progress)
    outcome, scores = run.measure()
    final = run.refit(outcome)
    card = _finished(material.card, settings, outcome, scores, began)
    write_model(job.output("MODEL"), card, final)
    run.forget()
    if job.output("REPORT"):
        maps = material.maps
        write_report(job, card, material.split, maps, outcome, scores, settings, device)
    return _values(scores, outcome)


class _Run:
    """One training in its two phases, which share everything but the patches."""

    def __init__(
        self,
        job: Job,
        settings: Mapping[str, Value],
        material: Material,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self._job = job
        self._material = material
        self._progress = progress
        self._settings = settings
        self._fingerprint = _fingerprint(material, settings)
        self._architecture = _architecture_of(material.card)
        plan = Plan(
            epochs=int(settings["epochs"]),
            steps=STEPS_PER_EPOCH,
            learning_rate=float(settings["learning_rate"]),
        )
        self.fit = Fit(
            material.card.classes, plan, int(settings["batch"]), int(settings["seed"]), device
        )

    @property
    def measured(self) -> bool:
        """Whether anything is held out."""
        return len(self._material.held_out) > 0

    @property
    def refits(self) -> bool:
        """Whether there is a second training, on all labels."""
        return self.measured and bool(self._settings["refit"])

    def measure(self) -> tuple[Outcome, Scores | None]:
        """Train without the held-out blocks and score the best epoch on them."""
        material = self._material
        title = "Training" if not self.refits else "Training, measured on held-out blocks"
        outcome = self._train(title, material.train, material.held_out, "measure",
                              0.48 if self.refits else 0.95)  # fmt: skip
        if not self.measured:
            return outcome, None
        scores, _ = scores_of(Das2f(self._architecture), outcome.state, material.held_out, self.fit)
        return outcome, scores

    def refit(self, outcome: Outcome) -> State:
        """The weights of a training on all labels, or those of `outcome` where none is wanted."""
        if not self.refits:
            return outcome.state
        both = (self._material.train, self._material.held_out)
        whole = Patches(
            torch.cat([one.ms for one in both]),
            torch.cat([one.pan for one in both]),
            torch.cat([one.target for one in both]),
        )
        return self._train("Training on all labels", whole, None, "refit", 0.47).state

    def forget(self) -> None:
        """Remove what was kept for going on."""
        for phase in ("measure", "refit"):
            self._checkpoint(phase).remove()

    def _train(
        self, title: str, patches: Patches, held_out: Patches | None, phase: str, share: float
    ) -> Outcome:
        torch.manual_seed(self.fit.seed)
        network = Das2f(self._architecture)
        _start_from(network, self._material.start)
        best: list[tuple[State, int]] = []

        def keep(state: State, epoch: int) -> None:
            best[:] = [(state, epoch)]

        try:
            with self._progress.stage(title, share):
                return fit_network(network, patches, held_out, self.fit, self._progress,
                                   self._checkpoint(phase), keep)  # fmt: skip
        except Cancelled as error:
            if not best or phase != "measure":
                raise
            state, epoch = best[0]
            training = {"stopped_after_epoch": epoch, "best_epoch": epoch}
            path = self._job.output("MODEL")
            write_model(path, replace(self._material.card, training=training), state)
            raise Cancelled(
                f"Cancelled; the best epoch so far ({epoch}) is kept in {Path(path).name}. The "
                "same training, started again, goes on where it stopped."
            ) from error

    def _checkpoint(self, phase: str) -> Checkpoint:
        model = Path(self._job.output("MODEL"))
        return Checkpoint(model.with_name(f"{model.stem}.{phase}.resume"), self._fingerprint)


def _gathered(job: Job, settings: Mapping[str, Value], progress: Progress) -> Material:
    start = read_card(job.model) if job.model else None
    if start is not None and start.family != DAS2F.key:
        raise ModelFileError(
            f"The model to start from is of the family {start.family}; choose a das2f model."
        )
    known = {one.role: one for one in start.inputs} if start else None
    seed = int(settings["seed"])
    with labelled_scenes(job, progress, known) as data:
        window = _window(settings, data, start)
        pixels, patches = _cut(data, window, seed, progress)
        split = blocked_split(
            pixels.row,
            pixels.column,
            np.array([one.value for one in data.classes])[pixels.target],
            classes=data.classes,
            scenes=pixels.scene,
            share=float(settings["validation_share"]),
            gap=window,
            seed=seed,
        )
        progress.log(split.summary)
        for warning in split.warnings:
            progress.warn(warning)
        raw = patches.taken(split.train)
        statistics = statistics_of(start) if start else raw.statistics()
        return Material(
            card=_card(job, settings, data, window, statistics, start),
            split=split,
            maps=maps_of(data, pixels, split) if job.output("REPORT") else (),
            train=raw.standardised(statistics),
            held_out=patches.taken(split.validation).standardised(statistics),
            start=read_weights(job.model) if start else {},
        )


def _window(settings: Mapping[str, Value], data: LabelledScenes, start: Card | None) -> int:
    if start is not None:
        return start.window
    return architecture(settings, ms_bands=1, ratio=data.ratio, classes=2).window


def _cut(
    data: LabelledScenes, window: int, seed: int, progress: Progress
) -> tuple[Pixels, Patches]:
    """The labelled pixels that are known in both images, and the patches around them."""
    limit = patch_limit(len(data.facts["MS"].bands), window, data.ratio)
    kept = thinned(data.pixels, limit, seed)
    if len(kept) < len(data.pixels):
        progress.log(
            f"{len(kept)} of {len(data.pixels)} labelled pixels are used, to spare memory; rare "
            "classes keep all of theirs."
        )
    with progress.stage("Reading images", 0.7):
        patches = cut_patches(data.scenes, kept, window, data.ratio, progress)
    known = patches.known()
    if not known.all():
        progress.warn(
            f"{int((~known).sum())} labelled pixels lie on missing data and are left out."
        )
    return kept.taken(known), patches.taken(known)


def _card(
    job: Job,
    settings: Mapping[str, Value],
    data: LabelledScenes,
    window: int,
    statistics: Statistics,
    start: Card | None,
) -> Card:
    made = architecture(
        settings,
        ms_bands=len(data.facts["MS"].bands),
        ratio=data.ratio,
        classes=len(data.classes),
    ).to_json()
    if start is not None:
        made = {**start.architecture, "classes": len(data.classes)}
    return Card(
        family=DAS2F.key,
        name=Path(job.output("MODEL")).stem,
        inputs=(
            _input("MS", data, 1, statistics.ms_mean, statistics.ms_std),
            _input("PAN", data, data.ratio, statistics.pan_mean, statistics.pan_std),
        ),
        classes=data.classes,
        window=window,
        overlap=window - 1,
        architecture=made,
        provenance={
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "software": software(),
            "settings": dict(settings),
            "inputs": inputs_of(job),
        },
    )


def _input(
    role: str, data: LabelledScenes, scale: int, mean: torch.Tensor, std: torch.Tensor
) -> CardInput:
    return card_input(role, data.facts[role], scale, tuple(mean.tolist()), tuple(std.tolist()))


def _architecture_of(card: Card) -> Architecture:
    return Architecture.from_json(card.architecture)


def _start_from(network: Das2f, weights: Mapping[str, torch.Tensor]) -> None:
    """Fill the network with the weights that fit; a head for other classes starts afresh."""
    own = network.state_dict()
    fitting = {
        key: value for key, value in weights.items()
        if key in own and own[key].shape == value.shape
    }  # fmt: skip
    network.load_state_dict({**own, **fitting})


def _fingerprint(material: Material, settings: Mapping[str, Value]) -> str:
    tensors = [
        one
        for part in (material.train, material.held_out)
        for one in (part.ms, part.pan, part.target)
    ]
    text = repr((sorted(settings.items()), material.card.architecture, software()))
    start = [value for _, value in sorted(material.start.items())]
    return digest_of([text.encode(), *(one.numpy().tobytes() for one in [*tensors, *start])])


def _finished(
    card: Card,
    settings: Mapping[str, Value],
    outcome: Outcome,
    scores: Scores | None,
    began: float,
) -> Card:
    training = {
        "epochs": len(outcome.epochs),
        "best_epoch": outcome.best_epoch,
        "trained_on_all_labels": bool(scores is not None and settings["refit"]),
        "seconds": round(time.monotonic() - began, 1),
    }
    return replace(card, training=training, metrics=scores.to_json() if scores else {})


def _values(scores: Scores | None, outcome: Outcome) -> dict[str, object]:
    return {
        "OA": scores.overall_accuracy if scores else None,
        "AA": scores.average_accuracy if scores else None,
        "KAPPA": scores.kappa if scores else None,
        "MACRO_F1": scores.macro_f1 if scores else None,
        "BEST_EPOCH": outcome.best_epoch,
    }
