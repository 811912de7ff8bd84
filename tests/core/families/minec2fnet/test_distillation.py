"""Trust and distillation against what the formulas must give at their ends, and against a twin."""

import math

import pytest
import torch
from terraweave.core.families.minec2fnet.distillation import (
    FEATURES,
    TRUSTS,
    Distillation,
    feature_loss,
    prediction_loss,
    trust_map,
)
from terraweave.core.families.minec2fnet.network import FootprintNet
from torch import Tensor

TAPS = ((8, 8, 8), (12, 4, 4), (4, 16, 16))
"""Channels, rows and columns of made-up features, the last at full resolution."""


def case(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits of student and teacher, a target, and what is labelled; all (2, 16, 16)."""
    random = torch.Generator().manual_seed(seed)
    student, teacher = (3 * torch.randn(2, 16, 16, generator=random) for _ in range(2))
    target = (torch.rand(2, 16, 16, generator=random) < 0.4).float()
    return student, teacher, target, torch.rand(2, 16, 16, generator=random) < 0.8


def features(seed: int) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, *tap, generator=random) for tap in TAPS)


@pytest.mark.parametrize("trust", ["pixel", "hard", "sample"])
def test_a_perfect_teacher_is_trusted_fully_where_labelled(trust: str) -> None:
    _, _, target, labelled = case()
    found = trust_map(200 * target - 100, target, labelled, Distillation(trust))
    assert torch.allclose(found, labelled.float())


@pytest.mark.parametrize("trust", ["pixel", "hard", "sample"])
def test_an_inverted_teacher_is_not_trusted(trust: str) -> None:
    _, _, target, labelled = case()
    found = trust_map(100 - 200 * target, target, labelled, Distillation(trust))
    assert found.abs().max() < 1e-12


@pytest.mark.parametrize("trust", TRUSTS)
def test_trust_lies_between_0_and_1_and_is_0_where_not_labelled(trust: str) -> None:
    _, teacher, target, labelled = case()
    found = trust_map(teacher, target, labelled, Distillation(trust))
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found[~labelled] == 0).all()


def test_pixel_trust_is_the_probability_of_the_truth_to_a_power() -> None:
    logits = torch.tensor([[[math.log(3), math.log(3)]]])
    target = torch.tensor([[[1.0, 0.0]]])
    found = trust_map(logits, target, target >= 0, Distillation("pixel", gamma=2))
    assert torch.allclose(found, torch.tensor([[[0.75**2, 0.25**2]]]))


def test_sample_trust_is_one_number_a_window() -> None:
    _, teacher, target, labelled = case()
    found = trust_map(teacher, target, labelled, Distillation("sample"))
    pixel = trust_map(teacher, target, labelled, Distillation("pixel"))
    for one, mask, by_pixel in zip(found, labelled, pixel, strict=True):
        assert torch.allclose(one[mask], by_pixel[mask].mean())


def test_confidence_needs_no_label() -> None:
    _, _, target, labelled = case()
    unsure, sure = torch.zeros_like(target), torch.full_like(target, 50.0)
    how = Distillation("confidence")
    assert trust_map(unsure, target, labelled, how).abs().max() < 1e-6
    assert torch.allclose(trust_map(sure, target, labelled, how), labelled.float())
    assert torch.equal(
        trust_map(sure, target, labelled, how), trust_map(sure, 1 - target, labelled, how)
    )


@pytest.mark.parametrize("trust", TRUSTS)
def test_no_gradient_flows_through_the_trust_or_into_the_teacher(trust: str) -> None:
    student, teacher, target, labelled = case()
    student.requires_grad_(True)
    teacher.requires_grad_(True)
    own, model = features(1), features(2)
    for one in (*own, *model):
        one.requires_grad_(True)
    found = trust_map(teacher, target, labelled, Distillation(trust))
    loss = prediction_loss(student, teacher, found, 2.0)
    (loss + feature_loss(own, model, found, "cosine")).backward()
    assert not found.requires_grad
    assert student.grad is not None
    assert teacher.grad is None
    assert all(one.grad is not None for one in own)
    assert all(one.grad is None for one in model)


@pytest.mark.parametrize("kind", FEATURES)
def test_a_student_like_its_teacher_has_nothing_to_learn(kind: str, network: FootprintNet) -> None:
    _, _, target, labelled = case()
    tapped = network.tapped(torch.randn(2, 4, 16, 16))
    trust = trust_map(tapped.logits, target, labelled, Distillation())
    assert prediction_loss(tapped.logits, tapped.logits, trust, 1.0).abs() < 1e-6
    assert feature_loss(tapped.features, tapped.features, trust, kind).abs() < 1e-6


def plain_distillation(student: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> float:
    """Hinton's loss with two classes, one pixel at a time in float64."""
    total, count = 0.0, 0
    for z, t, known in zip(
        student.flatten().tolist(), teacher.flatten().tolist(), mask.flatten().tolist(), strict=True
    ):
        if known:
            p, q = (1 / (1 + math.exp(-x / temperature)) for x in (t, z))
            total += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
            count += 1
    return temperature**2 * total / count


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_without_trust_it_is_plain_knowledge_distillation(temperature: float) -> None:
    student, teacher, target, labelled = case(3)
    trust = trust_map(teacher, target, labelled, Distillation("none"))
    found = prediction_loss(student, teacher, trust, temperature)
    expected = plain_distillation(student, teacher, labelled, temperature)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_extreme_logits_stay_finite() -> None:
    student = torch.full((1, 4, 4), -300.0, requires_grad=True)
    loss = prediction_loss(student, torch.full((1, 4, 4), 300.0), torch.ones(1, 4, 4), 1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("kind", FEATURES)
def test_what_nobody_labelled_changes_no_distillation(kind: str) -> None:
    student, teacher, target, labelled = case()
    labelled[:, :, 8:] = False
    own, model = features(1), features(2)
    trust = trust_map(teacher, target, labelled, Distillation())
    before = prediction_loss(student, teacher, trust, 1.0) + feature_loss(own, model, trust, kind)
    for one in (student, teacher, target, *own, *model):
        one[..., one.shape[-1] // 2 :] += 5
    trust = trust_map(teacher, target, labelled, Distillation())
    after = prediction_loss(student, teacher, trust, 1.0) + feature_loss(own, model, trust, kind)
    assert torch.allclose(before, after)


@pytest.mark.parametrize("kind", FEATURES)
def test_without_any_label_there_is_nothing_to_learn(kind: str) -> None:
    student, teacher, _, _ = case()
    own = tuple(one.requires_grad_(True) for one in features(1))
    nothing = torch.zeros(2, 16, 16)
    loss = feature_loss(own, features(2), nothing, kind)
    loss = loss + prediction_loss(student, teacher, nothing, 1.0)
    loss.backward()
    assert loss == 0
    assert all((one.grad == 0).all() for one in own)


def test_cosine_is_half_way_for_right_angles_everywhere() -> None:
    own, model = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    own[:, 0], model[:, 1] = 1, 3
    loss = feature_loss([own], [model], torch.ones(1, 4, 4), "cosine")
    assert float(loss) == pytest.approx(1.0)


def test_attention_maps_do_not_depend_on_the_size_of_features() -> None:
    own = features(1)
    loss = feature_loss(own, [5 * one for one in own], torch.ones(2, 16, 16), "attention-map")
    assert float(loss) < 1e-6


def test_features_cost_a_different_amount_where_trust_is() -> None:
    own = torch.ones(1, 1, 4, 4)
    model = own.clone()
    model[:, :, :, 2:] = 3
    trust = torch.zeros(1, 4, 4)
    trust[:, :, :2] = 1
    assert feature_loss([own], [model], trust, "squared") == 0
    assert feature_loss([own], [model], 1 - trust, "squared") == 4
