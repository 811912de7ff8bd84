"""Both stages for the shared loop: a teacher on coarse labels, a student on fine ones."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ...nn.decay import ParameterGroup, parameter_groups
from ...segmentation.losses import segmentation_loss
from ...segmentation.sampler import Batch
from ...training.loop import Evaluation, Plain
from .augmentation import Augmentation, Windows, augmented
from .distillation import Distillation, feature_loss, prediction_loss, trust_map
from .network import FootprintNet, Tapped
from .statistics import Statistics

_DECAY = 0.05

Evaluate = Callable[[nn.Module], Evaluation | None]


class Draws(Protocol):
    """Where batches come from; the shared sampler."""

    def draw(self, epoch: int, step: int) -> Batch:
        """The batch of one step."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What both stages see: standardised, augmented windows that depend on seed and step alone."""

    sampler: Draws
    statistics: Statistics
    augmentation: Augmentation
    seed: int
    device: torch.device

    def windows(self, epoch: int, step: int) -> Windows:
        """The windows of one step, on the device."""
        batch = self.sampler.draw(epoch, step)
        values, valid, target, labelled = (
            one.to(self.device) for one in (batch.values, batch.valid, batch.target, batch.labelled)
        )
        bands = self.statistics.standardised(values, valid)
        random = torch.Generator().manual_seed((self.seed * 100_003 + epoch) * 10_007 + step)
        drawn = Windows(bands, valid, target, labelled & valid)
        return augmented(drawn, self.augmentation, random)

    def loss(self, logits: Tensor, windows: Windows) -> Tensor:
        """What the labels say about `logits` (b, row, column).

        The class has no extra weight: half of the windows show it anyway, and a teacher that
        exaggerates is trusted too little on the background.
        """
        return segmentation_loss(logits, windows.target, windows.labelled)


class CoarseTrainee(Plain):
    """Stage 1, and plain fine-tuning: the labels alone."""

    def __init__(self, network: FootprintNet, lesson: Lesson, evaluate: Evaluate) -> None:
        """`network` is on the lesson's device; `evaluate` scores it on the held-out part."""
        self.network: nn.Module = network
        self._lesson = lesson
        self._evaluate = evaluate

    def groups(self) -> list[ParameterGroup]:
        """Weight decay touches the convolutions only."""
        return parameter_groups(self.network, _DECAY)

    def loss(self, epoch: int, step: int) -> Tensor:
        """Masked cross-entropy and Dice of one batch."""
        windows = self._lesson.windows(epoch, step)
        return self._lesson.loss(self.network(windows.bands), windows)

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        """The score of `network` on the held-out part."""
        return self._evaluate(network)


class FineTrainee(Plain):
    """Stage 2: the labels, and the teacher where it may be trusted.

    The student starts from the teacher's weights (`student_of`). Both see the same pixels. Without
    any weight on the teacher this is plain fine-tuning, bit for bit.
    """

    def __init__(
        self,
        network: FootprintNet,
        teacher: FootprintNet,
        lesson: Lesson,
        distillation: Distillation,
        evaluate: Evaluate,
    ) -> None:
        """`network` learns; `teacher` is frozen and put into evaluation mode."""
        self.network: nn.Module = network
        self._student = network
        self._teacher = teacher.eval().requires_grad_(False)
        self._lesson = lesson
        self._how = distillation
        self._evaluate = evaluate

    def groups(self) -> list[ParameterGroup]:
        """Weight decay touches the convolutions only."""
        return parameter_groups(self.network, _DECAY)

    def loss(self, epoch: int, step: int) -> Tensor:
        """L_seg + λ_p·L_pred + λ_f·L_feat of one batch."""
        windows = self._lesson.windows(epoch, step)
        student = self._student.tapped(windows.bands)
        loss = self._lesson.loss(student.logits, windows)
        if self._how.silent:
            return loss
        with torch.no_grad():
            teacher = self._teacher.tapped(windows.bands)
        return loss + distilled(student, teacher, windows, self._how)

    def kept(self, averaged: nn.Module) -> nn.Module:
        """The student, or where the teacher has a share, the mean of both by their weights."""
        if not self._how.share:
            return averaged
        mean = copy.deepcopy(self._teacher)
        theirs, own = mean.state_dict(), averaged.state_dict()
        mean.load_state_dict(
            {key: torch.lerp(own[key], value, self._how.share) for key, value in theirs.items()}
        )
        return mean

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        """The score of `network` on the held-out part."""
        return self._evaluate(network)


def student_of(teacher: FootprintNet) -> FootprintNet:
    """A network that starts where the teacher stands and may move."""
    return copy.deepcopy(teacher).requires_grad_(True).train()


def distilled(student: Tapped, teacher: Tapped, windows: Windows, how: Distillation) -> Tensor:
    """λ_p·L_pred + λ_f·L_feat: how far the student has left what it may trust in the teacher."""
    trust = trust_map(teacher.logits, windows.target, windows.labelled, how)
    loss = how.prediction_weight * prediction_loss(
        student.logits, teacher.logits, trust, how.temperature
    )
    if how.feature_weight:
        loss = loss + how.feature_weight * feature_loss(
            student.features, teacher.features, trust, how.feature
        )
    return loss
