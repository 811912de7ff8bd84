"""Trains DAS²F on labelled pixels: measured on held-out blocks, then once more on all labels."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...accuracy.confusion import confusion_matrix
from ...accuracy.scores import Scores
from ...classes import MapClass
from ...nn.decay import ParameterGroup, parameter_groups
from ...progress import Progress
from ...training.checkpoint import Checkpoint
from ...training.loop import Evaluation, Outcome, Plain, Plan, train
from .network import Das2f
from .patches import ORIENTATIONS, Patches

STEPS_PER_EPOCH = 50
_DECAY = 0.05
_SMOOTHING = 0.05
_EVALUATION_BATCH = 128
# Held-out pixels that are looked at after each epoch; the last word has all of them.
QUICK_LOOK = 2000


@dataclass(frozen=True, slots=True)
class Fit:
    """What does not change between measuring and the training on all labels."""

    classes: tuple[MapClass, ...]
    plan: Plan
    batch: int
    seed: int
    device: torch.device


class PixelTrainee(Plain):
    """Draws windows of labelled pixels in random orientations, and scores held-out pixels."""

    def __init__(
        self, network: Das2f, patches: Patches, held_out: Patches | None, fit: Fit
    ) -> None:
        """`patches` train and `held_out` measures; both standardised."""
        self.network: nn.Module = network
        self._patches = patches
        self._held_out = held_out
        self._fit = fit
        counts = torch.bincount(patches.target, minlength=len(fit.classes)).clamp(min=1)
        self._weights = counts.double().pow(-0.5)[patches.target].numpy()
        self._weights /= self._weights.sum()
        self._loss = nn.CrossEntropyLoss(label_smoothing=_SMOOTHING)

    def groups(self) -> list[ParameterGroup]:
        """Weight decay touches matrices only, never A, D, biases and norms."""
        return parameter_groups(self.network, _DECAY)

    def draw(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Which patches make a batch, drawn with weight count^-½ a class, and how each is turned.

        Both are (b,) int64 and depend on seed, epoch and step alone.
        """
        random = np.random.default_rng([self._fit.seed, epoch, step])
        index = random.choice(len(self._patches), self._fit.batch, p=self._weights)  # nosec B311
        orientation = random.integers(0, ORIENTATIONS, self._fit.batch)
        return torch.from_numpy(index), torch.from_numpy(orientation)

    def loss(self, epoch: int, step: int) -> Tensor:
        """The smoothed cross-entropy of a batch."""
        chosen, orientation = self.draw(epoch, step)
        windows = self._patches.windows(chosen, orientation)
        logits = self.network(*(part.to(self._fit.device) for part in windows))
        loss: Tensor = self._loss(logits, self._patches.target[chosen].to(self._fit.device))
        return loss

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        """Macro-F1 (mean with overall accuracy) of a fixed draw of the held-out pixels."""
        if self._held_out is None or not len(self._held_out):
            return None
        index = np.random.default_rng(self._fit.seed).permutation(len(self._held_out))
        scores, loss = measured(
            network, self._held_out, torch.from_numpy(index[:QUICK_LOOK]), self._fit
        )
        accuracy, macro = scores.overall_accuracy or 0.0, scores.macro_f1 or 0.0
        return Evaluation(
            score=macro,
            numbers={
                "validation_loss": round(loss, 6),
                "overall_accuracy": round(accuracy, 6),
                "macro_f1": round(macro, 6),
            },
        )


@torch.inference_mode()
def measured(network: nn.Module, patches: Patches, index: Tensor, fit: Fit) -> tuple[Scores, float]:
    """Scores and mean cross-entropy of `network` on the patches at `index`."""
    network.eval()
    predicted, total = [], 0.0
    loss = nn.CrossEntropyLoss(reduction="sum")
    upright = torch.zeros(_EVALUATION_BATCH, dtype=torch.int64)
    for part in torch.split(index, _EVALUATION_BATCH):
        windows = patches.windows(part, upright[: len(part)])
        logits = network(*(one.to(fit.device) for one in windows)).float().cpu()
        total += float(loss(logits, patches.target[part]))
        predicted.append(logits.argmax(1))
    values = np.array([one.value for one in fit.classes])
    matrix = confusion_matrix(
        values[patches.target[index].numpy()], values[torch.cat(predicted).numpy()], fit.classes
    )
    return Scores.from_matrix(matrix, fit.classes), total / len(index)


def fit_network(
    network: Das2f,
    patches: Patches,
    held_out: Patches | None,
    fit: Fit,
    progress: Progress,
    checkpoint: Checkpoint,
) -> Outcome:
    """Train `network` from its present weights."""
    network = network.to(fit.device)
    return train(
        PixelTrainee(network, patches, held_out, fit),
        fit.plan,
        progress,
        seed=fit.seed,
        checkpoint=checkpoint,
        averaged=copy.deepcopy(network),
    )


def scores_of(
    network: Das2f, state: Mapping[str, Tensor], held_out: Patches, fit: Fit
) -> tuple[Scores, float]:
    """Scores and loss of the weights `state` on all held-out pixels."""
    network.load_state_dict(state)
    return measured(network.to(fit.device), held_out, torch.arange(len(held_out)), fit)
