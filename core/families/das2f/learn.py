"""A whole training: from the job's layers to a model file and a report."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...accuracy.scores import Scores, mean
from ...card import Card
from ...device import choose_device
from ...errors import Cancelled, InputError
from ...job import Job
from ...model_file import write_model
from ...progress import Progress
from ...provenance import digest_of, software
from ...scene.aside import check_writable
from ...settings import Value, resolve
from ...training.checkpoint import Checkpoint
from ...training.loop import Outcome, Plan, State
from . import DAS2F
from .account import write_report
from .fit import STEPS_PER_EPOCH, Fit, Measured, fit_network, scores_of
from .material import Material, gather
from .network import Architecture, Das2f
from .patches import Patches

_TRAINING_SHARE = 0.94


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
        material = gather(job, settings, progress)
    run = _Run(job, settings, material, device.torch, progress)
    measured = run.measure()
    final = run.refit(measured)
    card = finished(material.card, measured, began, device.torch, refitted=run.refits)
    write_model(job.output("MODEL"), card, final)
    run.forget()
    if job.output("REPORT"):
        write_report(job, card, material, measured, settings, device)
    return _values(measured)


class _Run:
    """One training in its phases, which share everything but the patches."""

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
        self._began = time.monotonic()
        self._settings = settings
        self._fingerprint = _fingerprint(material, settings)
        self._architecture = Architecture.from_json(material.card.architecture)
        plan = Plan(
            epochs=int(settings["epochs"]),
            steps=STEPS_PER_EPOCH,
            learning_rate=float(settings["learning_rate"]),
        )
        self.fit = Fit(
            material.card.classes, plan, int(settings["batch"]), int(settings["seed"]), device
        )

    @property
    def refits(self) -> bool:
        """Whether the last training is one on all labels; after a cross-validation it must be."""
        held_out = self._material.splits[0].validation.any()
        return self._material.folds or bool(held_out and self._settings["refit"])

    @property
    def _share(self) -> float:
        phases = len(self._material.splits) + self.refits
        return _TRAINING_SHARE / phases

    def measure(self) -> Measured:
        """Train without the held-out blocks and score the best epoch on them, fold by fold."""
        measured = None
        count = len(self._material.splits)
        for number in range(count):
            fold = self._measured(number, f" (fold {number + 1} of {count})" if count > 1 else "")
            measured = fold if measured is None else _joined(measured, fold)
        if measured is None:
            raise ValueError("a training without a split")
        return measured

    def _measured(self, number: int, which: str) -> Measured:
        train, held_out = self._material.divided(self._material.splits[number])
        phase = f"fold{number + 1}" if self._material.folds else "measure"
        title = f"Training, measured on held-out blocks{which}" if len(held_out) else "Training"
        try:
            outcome = self._train(title, train, held_out, phase)
        except _Stopped as stopped:
            if self._material.folds:
                raise stopped.cancelled from None
            raise self._kept(stopped.state, stopped.epoch, None) from stopped.cancelled
        if not len(held_out):
            return Measured(outcome, None)
        scores, _ = scores_of(Das2f(self._architecture), outcome.state, held_out, self.fit)
        return Measured(outcome, scores, (scores,) if self._material.folds else ())

    def refit(self, measured: Measured) -> State:
        """The weights of a training on all labels, or the measured ones where none is wanted."""
        if not self.refits:
            return measured.outcome.state
        try:
            title = "Training on all labels"
            return self._train(title, self._material.whole(), None, "refit").state
        except _Stopped as stopped:
            if self._material.folds:
                raise stopped.cancelled from None
            outcome = measured.outcome
            raise self._kept(outcome.state, outcome.best_epoch, measured) from stopped.cancelled

    def forget(self) -> None:
        """Remove what was kept for going on."""
        folds = [f"fold{number + 1}" for number in range(len(self._material.splits))]
        for phase in ("measure", "refit", *folds):
            self._checkpoint(phase).remove()

    def _train(self, title: str, patches: Patches, held_out: Patches | None, phase: str) -> Outcome:
        torch.manual_seed(self.fit.seed)
        network = Das2f(self._architecture)
        _start_from(network, self._material.start)
        best: list[tuple[State, int]] = []

        def keep(state: State, epoch: int) -> None:
            best[:] = [(state, epoch)]

        checkpoint = self._checkpoint(phase)
        try:
            with self._progress.stage(title, self._share):
                return fit_network(
                    network, patches, held_out, self.fit, self._progress, checkpoint, keep
                )
        except Cancelled as error:
            if not best and phase != "refit":
                raise
            raise _Stopped(error, *(best[0] if best else ({}, 0))) from error

    def _kept(self, state: State, epoch: int, measured: Measured | None) -> Cancelled:
        """Write the best weights so far; returns the sentence that says so."""
        path = Path(self._job.output("MODEL"))
        card = replace(self._material.card, training={"stopped_after_epoch": epoch})
        if measured is not None:
            device = self.fit.device
            card = finished(self._material.card, measured, self._began, device, refitted=False)
        write_model(path, card, state)
        return Cancelled(
            f"Cancelled; the best epoch so far ({epoch}) is kept in {path.name}. The same "
            "training, started again, goes on where it stopped."
        )

    def _checkpoint(self, phase: str) -> Checkpoint:
        model = Path(self._job.output("MODEL"))
        return Checkpoint(model.with_name(f"{model.stem}.{phase}.resume"), self._fingerprint)


class _Stopped(Exception):
    """A training was cancelled after `epoch`, its best one so far, with the weights `state`."""

    def __init__(self, cancelled: Cancelled, state: State, epoch: int) -> None:
        super().__init__(str(cancelled))
        self.cancelled = cancelled
        self.state = state
        self.epoch = epoch


def _joined(before: Measured, fold: Measured) -> Measured:
    """The folds so far and one more; their pixels are counted together."""
    if before.scores is None or fold.scores is None:
        raise ValueError("a fold without scores")
    counts = np.array(before.scores.matrix) + np.array(fold.scores.matrix)
    pooled = Scores.from_matrix(counts, before.scores.classes)
    return Measured(before.outcome, pooled, (*before.folds, *fold.folds))


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


def finished(
    card: Card, measured: Measured, began: float, device: torch.device, *, refitted: bool
) -> Card:
    """The card with what the training found out."""
    training = {
        "epochs": len(measured.outcome.epochs),
        "best_epoch": measured.outcome.best_epoch,
        "trained_on_all_labels": refitted,
        "device": device.type,
        "seconds": round(time.monotonic() - began, 1),
    }
    metrics = measured.scores.to_json() if measured.scores else {}
    if measured.folds:
        training["folds"] = len(measured.folds)
        metrics["folds"] = [one.to_json() for one in measured.folds]
    return replace(card, training=training, metrics=metrics)


def _values(measured: Measured) -> dict[str, object]:
    """The scores to report; in a cross-validation the means of the folds."""
    every = measured.folds or ((measured.scores,) if measured.scores else ())
    return {
        "OA": mean([one.overall_accuracy for one in every]),
        "AA": mean([one.average_accuracy for one in every]),
        "KAPPA": mean([one.kappa for one in every]),
        "MACRO_F1": mean([one.macro_f1 for one in every]),
        "BEST_EPOCH": measured.outcome.best_epoch,
    }
