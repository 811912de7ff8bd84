"""What a training step of HPCL-Net costs and changes, and every degenerate batch."""

import copy
import math
from dataclasses import dataclass, replace

import pytest
import torch
from terraweave.core.families.hpclnet.architecture import Architecture
from terraweave.core.families.hpclnet.hyperpixel_learning import Contrast
from terraweave.core.families.hpclnet.network import HpclNet
from terraweave.core.families.hpclnet.queues import BACK_EDGE, BACK_FAR, SLIDE
from terraweave.core.families.hpclnet.statistics import Statistics
from terraweave.core.families.hpclnet.trainee import HpclTrainee, Lesson, contrast_weight
from terraweave.core.segmentation.sampler import Batch

EDGE, WINDOWS = 64, 4
LESSON = Lesson(epochs=20, steps=10, seed=0, contrast=Contrast())
LATE = 19
"""An epoch in which the contrastive loss counts fully."""

STATISTICS = Statistics(torch.tensor([100.0, 90.0]), torch.tensor([20.0, 30.0]), 12.0)


@dataclass
class Same:
    """Always the same ground, with the landslides that a test draws."""

    target: torch.Tensor
    labelled: torch.Tensor
    positive_weight: float = 2.0

    def draw(self, epoch: int, step: int) -> Batch:
        random = torch.Generator().manual_seed(epoch * 100 + step)
        values = 100 + 20 * torch.randn(WINDOWS, 7, EDGE, EDGE, generator=random)
        values[:, 0] += 40 * self.target
        values[:, 3:] = values[:, 3:] / 200
        return Batch(values, self.labelled, self.target, self.labelled, torch.zeros(WINDOWS))


def landslides() -> torch.Tensor:
    target = torch.zeros(WINDOWS, EDGE, EDGE)
    target[:2, 16:48, 8:40] = 1
    return target


def known() -> torch.Tensor:
    return torch.ones(WINDOWS, EDGE, EDGE, dtype=torch.bool)


def trainee(
    target: torch.Tensor | None = None,
    labelled: torch.Tensor | None = None,
    lesson: Lesson = LESSON,
) -> HpclTrainee:
    torch.manual_seed(0)
    network = HpclNet(Architecture(2, width=8, window=EDGE))
    sampler = Same(
        landslides() if target is None else target, known() if labelled is None else labelled
    )
    return HpclTrainee(network, sampler, STATISTICS, lesson)


def step(one: HpclTrainee, number: int = 0) -> float:
    """One step as the loop does it."""
    torch.manual_seed(7)
    optimizer = torch.optim.AdamW(one.groups(), lr=1e-3)
    loss = one.loss(LATE, number)
    if bool(torch.isfinite(loss)):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        one.stepped()
    return float(loss.detach())


def sizes(one: HpclTrainee) -> dict[str, int]:
    assert one.learning is not None
    return {name: len(one.learning.queues[name]) for name in (SLIDE, BACK_EDGE, BACK_FAR)}


def contrastive_part(one: HpclTrainee, number: int) -> float:
    """What the contrastive loss adds to a step's loss."""
    silent = copy.deepcopy(one)
    silent._lesson = replace(LESSON, contrast=replace(LESSON.contrast, weight=0.0))
    torch.manual_seed(1)
    whole = one.loss(LATE, number).item()
    torch.manual_seed(1)
    return whole - silent.loss(LATE, number).item()


def test_a_step_fills_the_queues_with_at_most_16_keys_of_a_kind_and_window() -> None:
    one = trainee()
    assert sizes(one) == {SLIDE: 0, BACK_EDGE: 0, BACK_FAR: 0}
    one.loss(LATE, 0)
    assert sizes(one) == {SLIDE: 0, BACK_EDGE: 0, BACK_FAR: 0}
    one.stepped()
    # A landslide of 4 × 4 cells has 12 at its boundary and 4 inside; two windows have one.
    assert sizes(one) == {SLIDE: 32, BACK_EDGE: 32, BACK_FAR: 64}


def test_the_first_step_has_no_keys_and_later_ones_are_compared() -> None:
    one = trainee()
    assert contrastive_part(one, 0) == pytest.approx(0.0, abs=1e-7)
    one.stepped()
    assert contrastive_part(one, 1) > 1e-3


def test_landslide_alone_draws_everything_together_and_both_sides_keep_it_apart() -> None:
    def across(both: bool) -> float:
        """How alike the keys of landslide and of background have become."""
        one = trainee(lesson=replace(LESSON, contrast=Contrast(weight=1.0, both=both)))
        for number in range(30):
            step(one, number)
        assert one.learning is not None
        queues = one.learning.queues
        return float((queues.positives @ queues.negatives.T).mean())

    assert across(both=True) < across(both=False) - 0.2


def test_lambda_is_silent_then_rises_then_stays() -> None:
    weights = [contrast_weight(LESSON, epoch, 0) for epoch in range(20)]
    assert weights[:2] == [0.0, 0.0]
    assert weights[2] == pytest.approx(0.05)
    assert weights[3:] == pytest.approx([0.1] * 17)


def test_without_landslide_the_background_is_still_kept_and_dice_left_out() -> None:
    one = trainee(target=torch.zeros(WINDOWS, EDGE, EDGE))
    for number in range(3):
        assert math.isfinite(step(one, number))
    assert sizes(one) == {SLIDE: 0, BACK_EDGE: 0, BACK_FAR: 192}
    assert contrastive_part(one, 4) == pytest.approx(0.0, abs=1e-7)


def test_all_landslide_is_learned_from_without_contrast() -> None:
    one = trainee(target=torch.ones(WINDOWS, EDGE, EDGE))
    assert math.isfinite(step(one))
    assert sizes(one) == {SLIDE: 4 * WINDOWS, BACK_EDGE: 0, BACK_FAR: 0}


def test_all_nodata_has_no_step_no_average_and_no_keys() -> None:
    one = trainee()
    step(one)
    extras = one.extras()
    weights = copy.deepcopy(one.network.state_dict())
    before = sizes(one)
    one._sampler = Same(landslides(), ~known())
    assert math.isnan(step(one, 1))
    one.stepped()
    assert sizes(one) == before
    torch.testing.assert_close(one.network.state_dict(), weights)
    for key, value in one.extras().items():
        if "queues" in key:
            torch.testing.assert_close(value, extras[key])


def test_a_step_that_was_skipped_leaves_no_keys_behind() -> None:
    one = trainee()
    one.loss(LATE, 0)
    one._sampler = Same(landslides(), ~known())
    one.loss(LATE, 1)
    one.stepped()
    assert sizes(one) == {SLIDE: 0, BACK_EDGE: 0, BACK_FAR: 0}


def test_pixels_that_are_not_valid_have_no_influence() -> None:
    one = trainee(labelled=known().index_fill(2, torch.arange(20), False))
    torch.manual_seed(3)
    expected = one.loss(LATE, 0).item()
    sampler = one._sampler
    plain = sampler.draw

    def spoilt(epoch: int, number: int) -> Batch:
        batch = plain(epoch, number)
        batch.values[:, :, :, :20] = math.nan
        return batch

    sampler.draw = spoilt  # type: ignore[method-assign]
    torch.manual_seed(3)
    assert one.loss(LATE, 0).item() == pytest.approx(expected)


def test_steps_lower_what_the_labels_cost() -> None:
    plain = replace(LESSON, contrast=Contrast(weight=0.0), jitter=0.0, missing=0.0)
    one = trainee(lesson=plain)
    optimizer = torch.optim.AdamW(one.groups(), lr=3e-3)
    losses = []
    for number in range(15):
        optimizer.zero_grad()
        loss = one.loss(LATE, number)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


@pytest.mark.parametrize("mode", ["full", "queues", "batch"])
def test_a_resumed_training_goes_on_as_if_never_stopped(mode: str) -> None:
    lesson = replace(LESSON, contrast=Contrast(mode=mode))
    one, other = trainee(lesson=lesson), trainee(lesson=lesson)
    for number in range(3):
        step(one, number)
    other.network.load_state_dict(one.network.state_dict())
    other.restore_extras(one.extras())
    assert step(one, 3) == pytest.approx(step(other, 3), rel=1e-5)
    for key, value in other.extras().items():
        torch.testing.assert_close(value, one.extras()[key], rtol=1e-4, atol=1e-6)


def test_comparison_within_the_batch_needs_no_queue_and_no_momentum() -> None:
    one = trainee(lesson=replace(LESSON, contrast=Contrast(mode="batch")))
    assert contrastive_part(one, 0) > 1e-3
    one.stepped()
    assert sizes(one) == {SLIDE: 0, BACK_EDGE: 0, BACK_FAR: 0}
    assert not any(key.startswith("slow.") for key in one.extras())


def test_without_contrast_there_is_nothing_to_keep() -> None:
    one = trainee(lesson=replace(LESSON, contrast=Contrast(weight=0.0)))
    assert math.isfinite(step(one))
    assert one.extras() == {}


def test_the_network_that_is_kept_has_no_projector() -> None:
    one = trainee()
    assert set(one.network.state_dict()) == set(
        HpclNet(Architecture(2, width=8, window=EDGE)).state_dict()
    )
    learnt = {id(weight) for group in one.groups() for weight in group["params"]}
    assert one.learning is not None
    assert all(id(weight) in learnt for weight in one.learning.projector.parameters())


def test_the_loss_depends_on_seed_epoch_and_step_alone() -> None:
    def losses(seed: int) -> list[float]:
        one = trainee(lesson=replace(LESSON, seed=seed))
        one.network.eval()  # dropout draws from the loop's own seed
        return [one.loss(epoch, number).item() for epoch, number in ((0, 0), (19, 3), (19, 3))]

    assert losses(0)[1] == losses(0)[2]
    assert losses(0) == losses(0)
    assert losses(0) != losses(1)
