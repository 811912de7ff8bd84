"""What the family brings to the shared training: soft ground, kept statistics, its teacher."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.device import Device
from terraweave.core.errors import ModelFileError
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.architecture import Architecture
from terraweave.core.families.minec2fnet.design import (
    FootprintDesign,
    distillation_of,
    droppable_bands,
    earlier_model,
    network_of,
)
from terraweave.core.families.minec2fnet.distillation import FEATURES, TRUSTS, Distillation
from terraweave.core.families.minec2fnet.labels import BOUNDARIES
from terraweave.core.families.minec2fnet.network import FootprintNet
from terraweave.core.families.minec2fnet.trainee import CoarseTrainee, FineTrainee
from terraweave.core.families.minec2fnet.view import ImageView
from terraweave.core.model_file import write_model
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.segmentation.earlier import Earlier
from terraweave.core.segmentation.sampler import Sampler
from terraweave.core.segmentation.sites import IGNORED, Site
from terraweave.core.settings import Value, resolve

CPU = Device(torch.device("cpu"), "for the test")


def settings(**given: object) -> Mapping[str, Value]:
    return resolve(MINEC2FNET.train_settings, {"window": 64, "batch": 2, **given})


def site(gsd: float = 10.0) -> Site:
    """The right half is a mine, the lowest rows are unknown."""
    target = np.zeros((80, 80), np.uint8)
    target[:, 40:] = 1
    target[70:] = IGNORED
    values = np.random.default_rng(0).normal(1000, 300, (4, 80, 80)).astype(np.float32)
    grid = Grid("", Affine(gsd, 0, 0, 0, -gsd, 0), Shape(80, 80))
    return Site("site", grid, values, np.ones((80, 80), bool), target)


def coarse_model() -> Earlier:
    bands = tuple(Band(name) for name in ("B2", "B3", "B4", "B8"))
    network = FootprintNet(Architecture(4))
    card = Card(
        family="minec2fnet",
        name="coarse",
        inputs=(CardInput("IMAGE", bands, (900.0,) * 4, (250.0,) * 4, 10.0),),
        classes=(MapClass(1, "mine", "#d55e00"),),
        window=96,
        overlap=48,
        architecture={**Architecture(4).to_json(), "working_gsd": 20.0},
    )
    return Earlier(card, network.state_dict())


@pytest.mark.parametrize(("gsd", "pixels"), [(10.0, 6), (20.0, 3)])
def test_outlines_are_as_soft_as_their_uncertainty_in_metres(gsd: float, pixels: int) -> None:
    one = site(gsd)
    ground = FootprintDesign(settings(boundary_uncertainty=60.0)).ground(one, one.target <= 1)
    soft = (ground.target > 0) & (ground.target < 1)
    assert np.flatnonzero(soft[10]).tolist() == list(range(40 - pixels, 40 + pixels))
    assert not ground.counts[70:].any()
    assert ground.counts[:70].all()


def test_fine_outlines_count_as_drawn() -> None:
    one = site()
    ground = FootprintDesign(settings(), fine=True).ground(one, one.target <= 1)
    assert set(np.unique(ground.target)) == {0, 1}


def test_ground_that_validates_teaches_nothing_but_its_outlines_are_known() -> None:
    one = site()
    counts = one.target <= 1
    counts[:, 42:] = False
    ground = FootprintDesign(settings()).ground(one, counts)
    assert not ground.counts[:, 42:].any()
    assert ground.target[10, 39] == pytest.approx(0.5 - 0.5 / 12)


def test_the_student_keeps_the_teachers_statistics_window_and_pixel_size() -> None:
    design = FootprintDesign(settings(), coarse_model(), fine=True)
    one = site()
    statistics = design.statistics([design.ground(one, one.target <= 1)])
    assert statistics.mean.tolist() == [900.0] * 4
    assert statistics.std.tolist() == [250.0] * 4
    assert (design.effort.window, design.working_gsd) == (96, 20.0)


def test_without_a_teacher_statistics_are_those_of_the_training_ground() -> None:
    design, one = FootprintDesign(settings()), site()
    one.values[:, :, :10] = 1e6
    counts = one.target <= 1
    counts[:, :10] = False
    statistics = design.statistics([design.ground(one, counts)])
    assert torch.allclose(statistics.mean, torch.full((4,), 1000.0), rtol=0.05)


def test_the_student_starts_as_the_teacher_and_learns_more_gently() -> None:
    one, alone = coarse_model(), FootprintDesign(settings())
    design = FootprintDesign(settings(rate_factor=0.3, fine_epochs=7), one, fine=True)
    network = design.network({})
    assert all(torch.equal(network.state_dict()[key], one.state[key]) for key in one.state)
    assert design.effort.plan.epochs == 7
    expected = 0.3 * alone.effort.plan.learning_rate
    assert design.effort.plan.learning_rate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("earlier", "fine", "kind"),
    [
        (None, False, CoarseTrainee),
        (coarse_model(), False, CoarseTrainee),
        (None, True, CoarseTrainee),
        (coarse_model(), True, FineTrainee),
    ],
)
def test_a_teacher_has_a_say_in_stage_2_only(
    earlier: Earlier | None, fine: bool, kind: type[CoarseTrainee | FineTrainee]
) -> None:
    design = FootprintDesign(settings(), earlier, fine=fine)
    one = site()
    grounds = [design.ground(one, one.target <= 1)]
    view = design.view({"IMAGE": _Facts()})
    sampler = Sampler(grounds, view, window=64, batch=2, seed=0)
    network = design.network(Architecture(4).to_json())
    trainee = design.trainee(network, sampler, design.statistics(grounds), design.effort, CPU)
    assert isinstance(trainee, kind)
    trainee.loss(0, 0).backward()
    assert all(one.grad is not None for one in network.parameters())


class _Facts:
    """As much of `RasterFacts` as a view looks at."""

    bands = tuple(Band(name) for name in ("B2", "B3", "B4", "B8"))


def test_a_refinement_sees_images_as_the_teacher_does_unless_told_otherwise() -> None:
    earlier = coarse_model()
    numbers = {"reflectance_scale": 1e-4, "reflectance_offset": -0.1}
    known = replace(earlier.card, architecture={**earlier.card.architecture, **numbers})
    given = {**settings(), "reflectance_scale": 0.0, "reflectance_offset": 0.0}
    seen = FootprintDesign(given, Earlier(known, earlier.state), fine=True)
    assert seen.view({"IMAGE": _Facts()}) == ImageView(4, 1e-4, -0.1)
    told = FootprintDesign({**given, "reflectance_scale": 2e-4}, Earlier(known, earlier.state))
    assert told.view({"IMAGE": _Facts()}) == ImageView(4, 2e-4, 0.0)


def test_only_bands_beyond_red_may_be_missing() -> None:
    waves = (None, 0.49, 0.56, 0.665, 0.705, 0.842, 1.61)
    assert droppable_bands([Band("b", wave) for wave in waves]) == (4, 5, 6)


def test_settings_and_code_offer_the_same_choices() -> None:
    offered = {one.key: [c.key for c in one.choices] for one in MINEC2FNET.train_settings}
    assert offered["trust"] == list(TRUSTS)
    assert offered["feature"] == list(FEATURES)
    assert offered["boundary"] == list(BOUNDARIES)


def test_settings_become_the_distillation() -> None:
    given = {"trust": "hard", "gamma": 2, "lambda_prediction": 0.5, "lambda_feature": 0}
    found = distillation_of(settings(**given, feature="attention-map", temperature=3))
    assert found == Distillation("hard", 2.0, 0.5, 0.0, "attention-map", 3.0)


def test_a_model_file_becomes_an_earlier_model(tmp_path: Path) -> None:
    one = coarse_model()
    write_model(tmp_path / "coarse.safetensors", one.card, one.state)
    found = earlier_model(str(tmp_path / "coarse.safetensors"), one.card)
    bands = torch.randn(1, 4, 32, 32)
    assert torch.equal(network_of(found)(bands), network_of(one)(bands))


def test_a_model_of_another_family_is_refused() -> None:
    card = Card("das2f", "cover", coarse_model().card.inputs, coarse_model().card.classes, 8, 0, {})
    with pytest.raises(ModelFileError, match="cover is of the family das2f; choose a model that"):
        earlier_model("cover.safetensors", card)
