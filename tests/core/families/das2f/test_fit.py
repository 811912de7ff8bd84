"""Training DAS²F on held patches: it learns, repeats itself, and goes on where it stopped."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from terraweave.core.classes import MapClass
from terraweave.core.errors import Cancelled
from terraweave.core.families.das2f.fit import Fit, PixelTrainee, fit_network, scores_of
from terraweave.core.families.das2f.network import Architecture, Das2f
from terraweave.core.families.das2f.patches import Patches
from terraweave.core.progress import Progress
from terraweave.core.training.checkpoint import Checkpoint
from terraweave.core.training.loop import Outcome, Plan

CLASSES = tuple(
    MapClass(value, name, "#808080") for value, name in ((2, "dark"), (5, "bright"), (9, "striped"))
)
ARCHITECTURE = Architecture(ms_bands=2, classes=3, window=8, ratio=2)
FIT = Fit(CLASSES, Plan(3, 16, learning_rate=5e-3), 16, 4, torch.device("cpu"))


def fields(count: int, seed: int) -> Patches:
    """Dark and bright fields differ in colour; striped ones only in the finer image."""
    random = torch.Generator().manual_seed(seed)
    target = torch.arange(count) % 3
    ms = torch.randn(count, 2, 9, 9, generator=random) * 0.5
    pan = torch.randn(count, 1, 18, 18, generator=random) * 0.5
    ms += torch.where(target == 0, -1.0, 1.0)[:, None, None, None]
    stripes = 2.0 * (torch.arange(18) % 2) - 1.0
    pan += torch.where(target == 2, 1.5, 0.0)[:, None, None, None] * stripes
    return Patches(ms, pan, target)


def fitted(
    fit: Fit = FIT,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    held_out: Patches | None = None,
) -> Outcome:
    torch.manual_seed(fit.seed)
    return fit_network(
        Das2f(ARCHITECTURE),
        fields(60, 1),
        held_out,
        fit,
        progress or Progress(),
        Checkpoint(checkpoint, "the same run"),
    )


def differing(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [key for key in one if not torch.equal(one[key], other[key])]


@pytest.fixture(scope="module")
def uninterrupted() -> Outcome:
    return fitted()


def test_few_steps_suffice_for_colour_and_texture(uninterrupted: Outcome) -> None:
    scores, loss = scores_of(Das2f(ARCHITECTURE), uninterrupted.state, fields(90, 2), FIT)
    assert scores.overall_accuracy is not None
    assert scores.overall_accuracy > 0.95
    assert loss < 0.5


def test_scores_are_in_the_numbers_of_the_map(uninterrupted: Outcome) -> None:
    held_out = fields(30, 3)
    scores, _ = scores_of(Das2f(ARCHITECTURE), uninterrupted.state, held_out, FIT)
    assert [one.mapclass.value for one in scores.per_class] == [2, 5, 9]
    assert [one.support for one in scores.per_class] == [10, 10, 10]


def test_the_same_seed_gives_the_same_weights(uninterrupted: Outcome) -> None:
    assert differing(fitted().state, uninterrupted.state) == []


def test_another_seed_gives_other_weights(uninterrupted: Outcome) -> None:
    short = replace(FIT, plan=Plan(1, 1, learning_rate=5e-3))
    one, other = (fitted(replace(short, seed=seed)).state for seed in (4, 5))
    assert differing(one, other)


def test_a_cancelled_training_goes_on_to_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, uninterrupted: Outcome
) -> None:
    kept = tmp_path / "model.resume"
    epochs: list[object] = []

    def note(event: Mapping[str, object]) -> None:
        epochs.extend([event["epoch"]] if event["event"] == "epoch" else [])

    with pytest.raises(Cancelled):
        fitted(checkpoint=kept, progress=Progress(note, cancelled=lambda: len(epochs) == 2))
    assert epochs == [1, 2]
    assert kept.exists()
    resumed = fitted(checkpoint=kept, progress=Progress(note))
    assert epochs == [1, 2, 3]
    assert differing(resumed.state, uninterrupted.state) == []
    assert resumed.epochs == uninterrupted.epochs


def test_looking_at_held_out_pixels_does_not_change_the_training(uninterrupted: Outcome) -> None:
    watched = fitted(held_out=fields(30, 3))
    assert [one["loss"] for one in watched.epochs] == [one["loss"] for one in uninterrupted.epochs]
    assert {"validation_loss", "overall_accuracy", "macro_f1"} <= watched.epochs[-1].keys()


def test_rare_classes_are_drawn_more_often_than_their_share() -> None:
    target = torch.tensor([0] * 96 + [1] * 4)
    patches = replace(fields(100, 1), target=target)
    trainee = PixelTrainee(Das2f(ARCHITECTURE), patches, None, FIT)
    drawn = np.concatenate([trainee.draw(0, step)[0] for step in range(200)])
    # 4 · 4^-½ / (4 · 4^-½ + 96 · 96^-½) = 0.17 instead of 0.04.
    assert (target[drawn] == 1).float().mean().item() == pytest.approx(0.17, abs=0.02)


def test_state_space_parameters_and_norms_do_not_decay() -> None:
    network = Das2f(ARCHITECTURE)
    names = {parameter: name for name, parameter in network.named_parameters()}
    kept = [
        names[parameter]
        for group in PixelTrainee(network, fields(3, 1), None, FIT).groups()
        if group["weight_decay"] == 0
        for parameter in group["params"]  # type: ignore[attr-defined]
    ]
    for part in ("a_log", "skip", "delta_bias", "norm", "bias"):
        assert {name for name in names.values() if name.endswith(f".{part}")} <= set(kept)
    assert not any(name.endswith(("project", "delta_weight", "gate.weight")) for name in kept)
