"""Attentive distillation: where the teacher may be trusted, and what the student takes from it.

Source: arXiv 2605.24460, whose abstract names attentive distillation at feature and at prediction
level. The formulas are our decision, after attentive imitation and attentive hint training (Saputra
et al., ICCV 2019), which weigh a teacher by its own error.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Distillation:
    """How a student listens to its teacher.

    `trust` and `feature` are keys of `TRUSTS` and `FEATURES`, `gamma` the power γ of the trust,
    `prediction_weight` λ_p, `feature_weight` λ_f, `temperature` τ. `share` is the
    teacher's in the weights that are kept, a mean of its own and the student's (Wortsman et al.
    2022, arXiv 2109.01903).
    """

    trust: str = "pixel"
    gamma: float = 1.0
    prediction_weight: float = 1.0
    feature_weight: float = 1.0
    feature: str = "cosine"
    temperature: float = 1.0
    share: float = 0.0

    @property
    def silent(self) -> bool:
        """Whether the teacher has no say in the loss: plain fine-tuning."""
        return self.prediction_weight == 0 and self.feature_weight == 0


@torch.no_grad()
def trust_map(logits: Tensor, target: Tensor, labelled: Tensor, how: Distillation) -> Tensor:
    """Φ (b, row, column) from 0 to 1: how far the teacher's `logits` are trusted at a pixel.

    `target` (from 0 to 1) and `labelled` are (b, row, column). Φ is 0 where nothing is labelled,
    and no gradient flows through it.
    """
    mask = labelled.to(torch.float32)
    return TRUSTS[how.trust](torch.sigmoid(logits.float()), target.float(), mask, how.gamma)


def _pixel(p: Tensor, target: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """The product m · (p_T of the true class)^γ."""
    return mask * _of_truth(p, target).pow(gamma)


def _hard(p: Tensor, target: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """Whether the teacher is right."""
    return mask * (_of_truth(p, target) > 0.5)


def _sample(p: Tensor, target: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """One trust for a window: the mean of its pixels'."""
    trust = _pixel(p, target, mask, gamma).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
    return mask * trust[:, None, None]


def _confidence(p: Tensor, target: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """1 − entropy of the teacher's answer, in bits; needs no label."""
    entropy: Tensor = (torch.special.entr(p) + torch.special.entr(1 - p)) / math.log(2)
    return mask * (1 - entropy).clamp(0, 1).pow(gamma)


def _none(p: Tensor, target: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """Everywhere the same: plain distillation."""
    return mask


def _of_truth(p: Tensor, target: Tensor) -> Tensor:
    return target * p + (1 - target) * (1 - p)


TRUSTS: Mapping[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "pixel": _pixel,
    "hard": _hard,
    "sample": _sample,
    "confidence": _confidence,
    "none": _none,
}


def prediction_loss(student: Tensor, teacher: Tensor, trust: Tensor, temperature: float) -> Tensor:
    """τ² Σ Φ·KL(Bernoulli(σ(z_T/τ)) ‖ Bernoulli(σ(z_S/τ))) / Σ Φ, in float32; 0 without trust.

    Logits and `trust` are (b, row, column); no gradient reaches the teacher.
    """
    z, t = student.float() / temperature, teacher.detach().float() / temperature
    yes = torch.sigmoid(t) * (functional.logsigmoid(t) - functional.logsigmoid(z))
    no = torch.sigmoid(-t) * (functional.logsigmoid(-t) - functional.logsigmoid(-z))
    return temperature**2 * _mean(yes + no, trust)


def feature_loss(
    student: Sequence[Tensor], teacher: Sequence[Tensor], trust: Tensor, kind: str
) -> Tensor:
    """The mean over the taps of Σ Φ_l · d_l / Σ Φ_l, with Φ averaged to the size of each tap.

    `student` and `teacher` are features as `Tapped` has them, `trust` (b, row, column); `kind` is
    a key of `FEATURES`, which gives d_l (b, rows, columns). No gradient reaches the teacher.
    """
    rows, columns = student[-1].shape[-2:]
    whole = functional.pad(trust, (0, columns - trust.shape[-1], 0, rows - trust.shape[-2]))
    losses = []
    for own, model in zip(student, teacher, strict=True):
        size = (own.shape[-2], own.shape[-1])
        share = functional.adaptive_avg_pool2d(whole[:, None], size)[:, 0]
        losses.append(_mean(FEATURES[kind](own.float(), model.detach().float(), share), share))
    return torch.stack(losses).mean()


def _cosine(own: Tensor, model: Tensor, share: Tensor) -> Tensor:
    """1 − cos of the angle between both vectors; 0 where both are 0."""
    product = (own * model).sum(1) + _LEAST
    lengths = own.square().sum(1).add(_LEAST).sqrt() * model.square().sum(1).add(_LEAST).sqrt()
    return 1 - product / lengths


def _attention_map(own: Tensor, model: Tensor, share: Tensor) -> Tensor:
    """(A_S − A_T)² of the maps A = Σ_c f_c², each divided by its root mean square.

    After Zagoruyko and Komodakis (2017); the mean runs over the window's trusted pixels.
    """
    return (_normalised(own, share) - _normalised(model, share)).square()


def _normalised(features: Tensor, share: Tensor) -> Tensor:
    attention = features.square().sum(1)
    trusted = (share > 0).to(attention)
    squares = (attention.square() * trusted).sum((1, 2)) / trusted.sum((1, 2)).clamp(min=1)
    return attention / squares.add(_LEAST).sqrt()[:, None, None]


def _squared(own: Tensor, model: Tensor, share: Tensor) -> Tensor:
    """The mean over the channels of (f_S − f_T)²: the plain feature distance of the comparison."""
    return (own - model).square().mean(1)


FEATURES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cosine": _cosine,
    "attention-map": _attention_map,
    "squared": _squared,
}


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Σ weight · values / Σ weight; 0 (with a gradient of 0) where nothing weighs."""
    return (weight * values).sum() / weight.sum().clamp(min=_LEAST)
