"""The training loop that every family shares: schedule, averaging, best epoch, resume."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..errors import ResourceError
from ..nn.blocks import batch_norms
from ..nn.decay import ParameterGroup
from ..progress import Progress
from .checkpoint import Checkpoint

State = dict[str, Tensor]
# So many steps in a row without a finite loss mean that the training is lost.
_PATIENCE_NOT_FINITE = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train.

    `average` is the decay of the running mean of the weights (EMA) a step; its early steps use
    less, so that the start is forgotten.
    """

    epochs: int
    steps: int
    learning_rate: float
    warmup: float = 0.05
    average: float = 0.98
    clip: float = 1.0

    @property
    def total(self) -> int:
        """All steps of the run."""
        return self.epochs * self.steps

    def rate(self, step: int) -> float:
        """The share of the learning rate at `step`: linear warm-up, then half a cosine."""
        warm = max(1, round(self.warmup * self.total))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, self.total - warm)))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the averaged network is after an epoch: one score to maximise, and numbers."""

    score: float
    numbers: Mapping[str, float | None]


class Trainee(Protocol):
    """What a family brings to the loop."""

    network: nn.Module

    def groups(self) -> list[ParameterGroup]:
        """Parameter groups for AdamW."""

    def loss(self, epoch: int, step: int) -> Tensor:
        """The loss of one batch; the batch depends on seed, epoch and step alone."""

    def stepped(self) -> None:
        """Called after each step of the optimiser, for what follows the network's weights."""

    def extras(self) -> dict[str, Tensor]:
        """What a resumed run needs besides weights and moments, such as queues."""

    def restore_extras(self, extras: Mapping[str, Tensor]) -> None:
        """Put back what `extras` gave."""

    def kept(self, averaged: nn.Module) -> nn.Module:
        """The network that counts after an epoch: the averaged one, or one made from it."""

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        """The score of `network` on the held-out part, None where nothing is held out."""


class Plain:
    """A trainee with nothing to follow the weights; most have nothing."""

    def stepped(self) -> None:
        """Nothing to do."""

    def extras(self) -> dict[str, Tensor]:
        """Nothing to keep."""
        return {}

    def restore_extras(self, extras: Mapping[str, Tensor]) -> None:
        """Nothing to put back."""

    def kept(self, averaged: nn.Module) -> nn.Module:
        """The averaged network itself."""
        return averaged


@dataclass(frozen=True, slots=True)
class Outcome:
    """The weights to keep (of the best epoch, or the last one), and what the epochs said."""

    state: State
    best_epoch: int
    epochs: tuple[Mapping[str, float | int | None], ...]


def train(
    trainee: Trainee,
    plan: Plan,
    progress: Progress,
    *,
    seed: int,
    checkpoint: Checkpoint,
    averaged: nn.Module,
) -> Outcome:
    """Train as planned, from the start or from where `checkpoint` was left.

    `averaged` is a second copy of the network that carries the mean weights.

    Raises:
        Cancelled: at the user's wish; the checkpoint holds everything up to the last epoch.
        ResourceError: the loss is not finite ten times in a row.
    """
    network = trainee.network
    groups: list[dict[str, Any]] = [dict(group) for group in trainee.groups()]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)
    history = checkpoint.restore(network, averaged, optimizer)
    if history.epochs:
        trainee.restore_extras(checkpoint.extras)
        progress.log(f"Going on after epoch {len(history.epochs)} of an earlier run.")
        progress.resume(len(history.epochs) / plan.epochs)
    strikes = 0
    for epoch in range(len(history.epochs), plan.epochs):
        torch.manual_seed(seed * 100_003 + epoch)
        network.train()
        losses = []
        for step in range(plan.steps):
            progress.update((epoch + step / plan.steps) / plan.epochs)
            done = epoch * plan.steps + step
            loss = _step(trainee, optimizer, plan, done, epoch, step)
            strikes = 0 if loss is not None else strikes + 1
            if strikes >= _PATIENCE_NOT_FINITE:
                raise ResourceError(
                    "The training lost its way: the loss was not a number ten times in a row. "
                    "Lower the learning rate, or look for extreme values in the images."
                )
            if loss is not None:
                losses.append(loss)
                trainee.stepped()
                _average(averaged, network, min(plan.average, (done + 1) / (done + 10)))
        averaged.eval()
        kept = trainee.kept(averaged)
        evaluation = trainee.evaluate(kept)
        numbers: dict[str, float | int | None] = {
            "epoch": epoch + 1,
            "epochs": plan.epochs,
            "loss": round(sum(losses) / len(losses), 6) if losses else None,
            **(evaluation.numbers if evaluation else {}),
        }
        progress.epoch(**numbers)
        score = evaluation.score if evaluation else float(epoch)
        history.add(numbers, score, kept)
        checkpoint.save(network, averaged, optimizer, history, trainee.extras())
    return Outcome(history.best_state, history.best_epoch, tuple(history.epochs))


def _step(
    trainee: Trainee,
    optimizer: torch.optim.AdamW,
    plan: Plan,
    done: int,
    epoch: int,
    step: int,
) -> float | None:
    """One step of the optimiser; None (and no step) where the loss is not finite."""
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate * plan.rate(done)
    optimizer.zero_grad(set_to_none=True)
    counted = [one for part in batch_norms(trainee.network) for one in part.buffers()]
    before = [one.clone() for one in counted]
    loss = trainee.loss(epoch, step)
    finite = bool(torch.isfinite(loss))
    if finite:
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(trainee.network.parameters(), plan.clip)
        finite = bool(torch.isfinite(norm))
    if not finite:
        for one, value in zip(counted, before, strict=True):
            one.copy_(value)
        return None
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the mean weights, and the normalisation statistics, towards the network's."""
    pairs: Iterable[tuple[Tensor, Tensor]] = zip(
        averaged.state_dict().values(), network.state_dict().values(), strict=True
    )
    for mean, value in pairs:
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)
