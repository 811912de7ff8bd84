"""The phases of a training, which every family shares: measured on held-out ground, then refitted.

A division is one way to part the labels into training and validation: there is one, or one for
each fold of a cross-validation. A stopped run keeps its best weights and can go on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ..accuracy.scores import Scores, mean
from ..card import PLANNED, REFIT_STOPPED, Card, read_card, unfinished
from ..errors import Cancelled, InputError, ModelFileError
from ..job import Job
from ..model_file import write_model
from ..progress import Progress
from ..scene.aside import check_writable
from .checkpoint import Checkpoint, History
from .loop import Outcome, State


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured before the last training: the first outcome, and the scores.

    `scores` are those of all held-out pixels together, `folds` of each fold by itself.
    """

    outcome: Outcome
    scores: Scores | None
    folds: tuple[Scores, ...] = ()

    @property
    def every(self) -> tuple[Scores, ...]:
        """The scores to average: of each fold, or the only ones."""
        return self.folds or ((self.scores,) if self.scores else ())


class Course(Protocol):
    """What a family trains; `division` None stands for all labels."""

    @property
    def card(self) -> Card:
        """The card of the model to be, before any training."""

    @property
    def fingerprint(self) -> str:
        """What makes two trainings the same: data, divisions, settings, software, start."""

    @property
    def device(self) -> str:
        """The kind of device that computes."""

    @property
    def divisions(self) -> int:
        """How many there are, over 1 in a cross-validation."""

    @property
    def refits(self) -> bool:
        """Whether the last training is one on all labels."""

    def held_out(self, division: int) -> bool:
        """Whether anything validates in this division."""

    def fit(self, division: int | None, checkpoint: Checkpoint) -> Outcome:
        """Train from the start (or from where the checkpoint was left) to the end."""

    def scores(self, division: int, state: State) -> Scores:
        """The scores of weights on what the division holds out."""

    def exported(self, state: State) -> State:
        """What of the weights the model file needs."""

    def findings(self, measured: Measured) -> Mapping[str, object]:
        """What else the card's training part should tell, such as a threshold."""


class Phases:
    """One training in its phases."""

    def __init__(
        self, course: Course, model: str | Path, progress: Progress, share: float = 0.94
    ) -> None:
        """`model` is the file to be; `share` the part of the whole run that training takes."""
        self._course = course
        self._model = Path(model)
        self._progress = progress
        self._began = time.monotonic()
        self._share = share / (course.divisions + course.refits)

    @property
    def _folds(self) -> bool:
        return self._course.divisions > 1

    def measure(self) -> Measured:
        """Train without the held-out ground and score the best epoch on it, fold by fold."""
        measured = None
        count = self._course.divisions
        for number in range(count):
            fold = self._measured(number, f" (fold {number + 1} of {count})" if count > 1 else "")
            measured = fold if measured is None else _joined(measured, fold)
        if measured is None:
            raise ValueError("a training without a division")
        return measured

    def _measured(self, number: int, which: str) -> Measured:
        held_out = self._course.held_out(number)
        phase = f"fold{number + 1}" if self._folds else "measure"
        title = f"Training, measured on held-out blocks{which}" if held_out else "Training"
        try:
            outcome = self._fit(title, number, phase)
        except _Stopped as stopped:
            if self._folds:
                raise stopped.cancelled from None
            raise self._kept(stopped, None) from stopped.cancelled
        if not held_out:
            return Measured(outcome, None)
        scores = self._course.scores(number, outcome.state)
        return Measured(outcome, scores, (scores,) if self._folds else ())

    def refit(self, measured: Measured) -> State:
        """The weights of a training on all labels, or the measured ones where none is wanted."""
        if not self._course.refits:
            return measured.outcome.state
        if not self._folds:
            # What was measured is there already, should the rest be killed.
            self._write_measured(measured, {REFIT_STOPPED: 0})
        try:
            return self._fit("Training on all labels", None, "refit").state
        except _Stopped as stopped:
            if self._folds:
                raise stopped.cancelled from None
            raise self._kept(stopped, measured) from stopped.cancelled

    def finished(self, measured: Measured, *, refitted: bool) -> Card:
        """The card with what the training found out."""
        training = {
            "epochs": len(measured.outcome.epochs),
            "best_epoch": measured.outcome.best_epoch,
            "trained_on_all_labels": refitted,
            "device": self._course.device,
            "seconds": round(time.monotonic() - self._began, 1),
            **self._course.findings(measured),
        }
        metrics = measured.scores.to_json() if measured.scores else {}
        if measured.folds:
            training["folds"] = len(measured.folds)
            metrics["folds"] = [one.to_json() for one in measured.folds]
        card = self._course.card
        return replace(card, training=training, metrics={**metrics, **card.metrics})

    def write(self, measured: Measured, final: State) -> Card:
        """Write the model file, forget what was kept for going on, and return the card."""
        card = self.finished(measured, refitted=self._course.refits)
        write_model(self._model, card, self._course.exported(final))
        self.forget()
        return card

    def forget(self) -> None:
        """Remove what was kept for going on."""
        folds = [f"fold{number + 1}" for number in range(self._course.divisions)]
        for phase in ("measure", "refit", *folds):
            self._checkpoint(phase).remove()

    def _fit(self, title: str, division: int | None, phase: str) -> Outcome:
        checkpoint = self._checkpoint(phase)
        try:
            with self._progress.stage(title, self._share):
                return self._course.fit(division, checkpoint)
        except Cancelled as error:
            if not checkpoint.history.epochs and phase != "refit":
                raise
            raise _Stopped(error, checkpoint.history) from error

    def _kept(self, stopped: "_Stopped", measured: Measured | None) -> Cancelled:
        """Write the best weights so far; returns the sentence that says so."""
        history = stopped.history
        if measured is None and self._keeps_another():
            return Cancelled(
                f"Cancelled; {self._model.name} holds another model, which stays as it was. The "
                "same training, started again into the same file (MODEL), goes on where it stopped."
            )
        if measured is None:
            best, state = history.best_epoch, history.best_state
            known = {"trained_on_all_labels": False, "device": self._course.device}
            card = replace(self._course.card, training={**history.stopped, **known})
            write_model(self._model, card, self._course.exported(state))
        else:
            best = measured.outcome.best_epoch
            self._write_measured(measured, _of_refit(history))
        return Cancelled(
            f"Cancelled; the best epoch so far ({best}) is kept in {self._model.name}. The same "
            "training, started again into the same file (MODEL), goes on where it stopped."
        )

    def _keeps_another(self) -> bool:
        """Whether the model file holds a finished model, of an earlier training."""
        try:
            return self._model.exists() and not unfinished(read_card(self._model))
        except ModelFileError:
            return False

    def _write_measured(self, measured: Measured, stopped: Mapping[str, object]) -> None:
        """Write the measured weights; `stopped` says what came of those on all labels."""
        card = self.finished(measured, refitted=False)
        card = replace(card, training={**card.training, **stopped})
        write_model(self._model, card, self._course.exported(measured.outcome.state))

    def _checkpoint(self, phase: str) -> Checkpoint:
        name = f"{self._model.stem}.{phase}.resume"
        return Checkpoint(self._model.with_name(name), self._course.fingerprint)


def check_outputs(job: Job) -> None:
    """Refuse a training without a place for its model, before any work.

    Raises:
        InputError: no model was named, or an output cannot be written.
    """
    if not job.output("MODEL"):
        raise InputError("No output was named for MODEL; name the *.safetensors file to write.")
    for path in filter(None, (job.output("MODEL"), job.output("REPORT"))):
        check_writable(path)


class _Stopped(Exception):
    """A training was cancelled after the epochs in `history`."""

    def __init__(self, cancelled: Cancelled, history: History) -> None:
        super().__init__(str(cancelled))
        self.cancelled = cancelled
        self.history = history


def _of_refit(history: History) -> dict[str, object]:
    """What the card of a measured model says of a training on all labels that was stopped."""
    planned = {key: value for key, value in history.stopped.items() if key == PLANNED}
    return {REFIT_STOPPED: len(history.epochs), **planned}


def _joined(before: Measured, fold: Measured) -> Measured:
    """The folds so far and one more; their pixels are counted together."""
    if before.scores is None or fold.scores is None:
        raise ValueError("a fold without scores")
    counts = np.array(before.scores.matrix) + np.array(fold.scores.matrix)
    pooled = Scores.from_matrix(counts, before.scores.classes)
    return Measured(before.outcome, pooled, (*before.folds, *fold.folds))


def mean_scores(measured: Measured) -> dict[str, object]:
    """The scores to report; in a cross-validation the means of the folds."""
    every = measured.every
    return {
        "OA": mean([one.overall_accuracy for one in every]),
        "AA": mean([one.average_accuracy for one in every]),
        "KAPPA": mean([one.kappa for one in every]),
        "MACRO_F1": mean([one.macro_f1 for one in every]),
        "BEST_EPOCH": measured.outcome.best_epoch,
    }
