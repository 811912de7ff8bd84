"""Both stages as the shared loop runs them: identities, and that they learn."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from terraweave.core.families.minec2fnet.architecture import Architecture
from terraweave.core.families.minec2fnet.augmentation import Augmentation
from terraweave.core.families.minec2fnet.distillation import Distillation
from terraweave.core.families.minec2fnet.network import FootprintNet
from terraweave.core.families.minec2fnet.statistics import Statistics
from terraweave.core.families.minec2fnet.trainee import (
    CoarseTrainee,
    Draws,
    FineTrainee,
    Lesson,
    distilled,
    student_of,
)
from torch import Tensor, nn

from .stand_ins import Discs

Weights = dict[str, Tensor]


def lesson(sampler: Draws, bands: int = 4, augmentation: Augmentation | None = None) -> Lesson:
    statistics = Statistics(torch.full((bands,), 1000.0), torch.full((bands,), 300.0))
    how = augmentation or Augmentation(droppable=(bands - 1,))
    return Lesson(sampler, statistics, how, 3, torch.device("cpu"))


def nothing(network: nn.Module) -> None:
    return None


def coarse(network: FootprintNet, sampler: Draws) -> CoarseTrainee:
    return CoarseTrainee(network, lesson(sampler), nothing)


def fine(
    network: FootprintNet, teacher: FootprintNet, sampler: Draws, how: Distillation
) -> FineTrainee:
    return FineTrainee(network, teacher, lesson(sampler), how, nothing)


def steps(trainee: CoarseTrainee | FineTrainee, count: int, rate: float = 1e-3) -> list[float]:
    """The losses of some steps of AdamW, as the loop takes them."""
    optimizer = torch.optim.AdamW([dict(one) for one in trainee.groups()], lr=rate)
    losses = []
    for step in range(count):
        optimizer.zero_grad()
        loss = trainee.loss(0, step)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def weights(network: nn.Module) -> Weights:
    return {key: value.clone() for key, value in network.state_dict().items()}


def test_without_weight_on_the_teacher_it_is_plain_fine_tuning_bit_for_bit(
    network: FootprintNet,
) -> None:
    plain, student = student_of(network), student_of(network)
    how = Distillation(prediction_weight=0, feature_weight=0)
    by_labels = steps(coarse(plain, Discs()), 3)
    with_teacher = steps(fine(student, network, Discs(), how), 3)
    assert by_labels == with_teacher
    for key, value in weights(plain).items():
        assert torch.equal(value, student.state_dict()[key]), key


@pytest.mark.parametrize("feature", ["cosine", "attention-map", "squared"])
def test_a_student_that_has_not_moved_pays_nothing_for_its_teacher(
    network: FootprintNet, feature: str
) -> None:
    windows = lesson(Discs()).windows(0, 0)
    student = student_of(network).tapped(windows.bands)
    teacher = network.eval().tapped(windows.bands)
    assert distilled(student, teacher, windows, Distillation(feature=feature)).abs() < 1e-6


def test_the_teacher_stays_and_the_student_moves(network: FootprintNet) -> None:
    before, student = weights(network), student_of(network)
    steps(fine(student, network, Discs(), Distillation()), 2)
    assert not network.training
    assert all(one.grad is None for one in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in weights(network).items())
    assert not torch.equal(student.state_dict()["head.weight"], before["head.weight"])


def test_more_weight_on_the_teacher_keeps_the_student_nearer_to_it(network: FootprintNet) -> None:
    windows = lesson(Discs()).windows(0, 9)
    found = []
    for weight in (0.0, 30.0):
        student = student_of(network)
        how = Distillation("none", prediction_weight=weight, feature_weight=0.0)
        steps(fine(student, network, Discs(), how), 8)
        with torch.no_grad():
            found.append(float((student(windows.bands) - network(windows.bands)).abs().mean()))
    assert found[1] < found[0] / 2


def test_the_loss_depends_on_seed_epoch_and_step_alone(network: FootprintNet) -> None:
    trainee = fine(student_of(network), network, Discs(), Distillation())
    first = float(trainee.loss(2, 5).detach())
    trainee.loss(0, 0)
    torch.manual_seed(99)
    assert float(trainee.loss(2, 5).detach()) == first
    assert float(trainee.loss(2, 6).detach()) != first


@pytest.mark.parametrize("stage", ["coarse", "fine"])
@pytest.mark.parametrize("filler", [float("nan"), 65535.0])
def test_what_stands_in_missing_pixels_changes_no_loss(
    network: FootprintNet, stage: str, filler: float
) -> None:
    make: dict[str, Callable[[Discs], CoarseTrainee | FineTrainee]] = {
        "coarse": lambda discs: coarse(network, discs),
        "fine": lambda discs: fine(student_of(network), other, discs, Distillation()),
    }
    other = copy.deepcopy(network)
    clean = Discs(missing=20)
    expected = make[stage](clean).loss(0, 0)
    assert torch.equal(make[stage](replace(clean, filler=filler)).loss(0, 0), expected)
    assert torch.isfinite(expected)


@pytest.mark.parametrize("bands", [4, 10])
def test_any_number_of_bands_is_learnt(bands: int) -> None:
    network = FootprintNet(Architecture(bands))
    discs = Discs(bands=bands, fixed=True)
    losses = steps(CoarseTrainee(network, lesson(discs, bands), nothing), 12, 3e-3)
    student = student_of(network)
    refined = FineTrainee(student, network, lesson(discs, bands), Distillation(), nothing)
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.isfinite(torch.tensor(steps(refined, 2))))


@pytest.mark.slow
def test_four_windows_can_be_learnt_by_heart(network: FootprintNet) -> None:
    discs = Discs(fixed=True)
    still = Augmentation(scale=1.0, gain=0.0, offset=0.0, blur=0.0, drop=0.0)
    taught = lesson(discs, augmentation=still)
    steps(CoarseTrainee(network, taught, nothing), 120, 3e-3)
    windows = taught.windows(0, 0)
    with torch.no_grad():
        found = network(windows.bands) > 0
    truth = windows.target > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.95


def test_a_teacher_with_a_share_is_part_of_the_weights_that_are_kept(network: FootprintNet) -> None:
    student = student_of(network)
    trainee = fine(student, network, Discs(), Distillation(share=0.25))
    steps(trainee, 2)
    before, own, theirs = weights(student), weights(student), weights(network)
    kept = weights(trainee.kept(student))
    for key, value in kept.items():
        torch.testing.assert_close(value, 0.75 * own[key] + 0.25 * theirs[key])
    assert any(not torch.equal(value, own[key]) for key, value in kept.items())
    # Neither of the two is touched: the student goes on from where it was.
    assert all(torch.equal(value, before[key]) for key, value in weights(student).items())
    assert all(torch.equal(value, theirs[key]) for key, value in weights(network).items())
    alone = fine(student, network, Discs(), Distillation())
    assert alone.kept(student) is student
