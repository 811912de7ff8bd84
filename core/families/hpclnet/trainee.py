"""HPCL-Net for the shared training loop: what a batch costs, and what follows a step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ...nn.decay import ParameterGroup, parameter_groups
from ...segmentation.losses import segmentation_loss
from ...segmentation.sampler import Batch
from ...training.loop import Evaluation, Plain
from .hyperpixel_learning import Contrast, HyperpixelLearning
from .network import HpclNet
from .photometric import jittered, with_missing
from .statistics import Statistics

_DECAY = 0.05
_SILENT, _FULL = 0.05, 0.15
"""Shares of the training: before the first the contrastive loss is silent, from the second full."""


class Draws(Protocol):
    """Where batches come from; the shared sampler."""

    @property
    def positive_weight(self) -> float:
        """How much more a pixel of the class counts in the cross-entropy."""

    def draw(self, epoch: int, step: int) -> Batch:
        """The batch of one step."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """How to train: `epochs` of `steps`, the light's `jitter`, the share of `missing` inputs."""

    epochs: int
    steps: int
    seed: int
    contrast: Contrast
    jitter: float = 1.0
    missing: float = 0.1


class HpclTrainee(Plain):
    """Labels teach the map, and hyper-pixels are pulled together and pushed apart beside it."""

    def __init__(
        self, network: HpclNet, sampler: Draws, statistics: Statistics, lesson: Lesson
    ) -> None:
        """`network` is on its device; batches are brought there."""
        self.network: nn.Module = network
        self._network = network
        self._sampler = sampler
        self._statistics = statistics
        self._lesson = lesson
        self.learning = (
            HyperpixelLearning(network, lesson.contrast, lesson.epochs * lesson.steps)
            if lesson.contrast.weight > 0
            else None
        )

    def groups(self) -> list[ParameterGroup]:
        """Weight decay touches the convolutions only; the projector learns too."""
        extra = [self.learning.projector] if self.learning else []
        return parameter_groups(nn.ModuleList([self._network, *extra]), _DECAY)

    def loss(self, epoch: int, step: int) -> Tensor:
        """Cross-entropy, Dice and λ times the contrastive loss of one batch.

        Without a single labelled pixel it is not a number: then there is no step.
        """
        lesson, bands = self._lesson, self._network.architecture.image_bands
        device = next(self._network.parameters()).device
        batch = self._sampler.draw(epoch, step)
        valid, target = batch.valid.to(device), batch.target.to(device)
        labelled = batch.labelled.to(device) & valid
        if self.learning:
            self.learning.forget()
        if not bool(labelled.any()):
            return torch.tensor(math.nan, device=device)
        random = torch.Generator().manual_seed((lesson.seed * 100_003 + epoch) * 10_007 + step)
        scaled = self._statistics.standardised(batch.values.to(device), valid)
        seen = jittered(scaled, valid, bands, lesson.jitter, random)
        answer = self._network.answer(with_missing(seen, bands, lesson.missing, random))
        loss = segmentation_loss(answer.logits, target, labelled, self._sampler.positive_weight)
        weight = contrast_weight(lesson, epoch, step)
        if self.learning and weight > 0:
            again = jittered(scaled, valid, bands, lesson.jitter, random)
            loss = loss + weight * self.learning.loss(answer.fused, again, target, labelled, random)
        return loss

    def stepped(self) -> None:
        """The momentum encoder follows, and this step's keys join the queues."""
        if self.learning:
            self.learning.stepped()

    def extras(self) -> dict[str, Tensor]:
        """Projector, momentum encoder and queues."""
        return self.learning.state() if self.learning else {}

    def restore_extras(self, extras: Mapping[str, Tensor]) -> None:
        """Put back what `extras` gave."""
        if self.learning:
            self.learning.restore(extras)

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        """Nothing by itself: the shared training judges every family alike."""
        return None


def contrast_weight(lesson: Lesson, epoch: int, step: int) -> float:
    """λ at a step: 0 for the first 5 % of the training, then rising to its value at 15 %."""
    done = (epoch * lesson.steps + step) / max(1, lesson.epochs * lesson.steps)
    rise = min(1.0, max(0.0, (done - _SILENT) / (_FULL - _SILENT)))
    return lesson.contrast.weight * rise
