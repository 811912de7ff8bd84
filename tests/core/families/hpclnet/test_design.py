"""What HPCL-Net brings to the shared training, fresh and from an earlier model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from terraweave.core.card import Band, Card, CardInput, read_card
from terraweave.core.classes import MapClass
from terraweave.core.device import choose_device
from terraweave.core.errors import InputError, ModelFileError
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.architecture import Architecture
from terraweave.core.families.hpclnet.design import HpclDesign, contrast_of, earlier_model
from terraweave.core.families.hpclnet.network import HpclNet
from terraweave.core.families.hpclnet.view import RELATIVE, SLOPE
from terraweave.core.model_file import write_model
from terraweave.core.segmentation.sampler import Ground, Sampler
from terraweave.core.settings import Value, resolve

BANDS, EDGE = 2, 48


def settings(**given: object) -> dict[str, Value]:
    return resolve(HPCLNET.train_settings, given)


def ground(slope: float = 25.0, relief: float = 6.0) -> Ground:
    random = np.random.default_rng(0)
    values = random.normal(0, 0.1, (BANDS + 5, EDGE, EDGE)).astype(np.float32)
    values[:BANDS] = values[:BANDS] * 300 + 90
    values[BANDS + RELATIVE] = relief * random.normal(0, 1, (EDGE, EDGE))
    values[BANDS + SLOPE] = slope / 90
    target = np.zeros((EDGE, EDGE), np.float32)
    target[10:30, 10:30] = 1
    whole = np.ones((EDGE, EDGE), bool)
    return Ground(values, whole, target, whole)


def written(folder: Path, family: str = "hpclnet") -> Path:
    """A model of random weights for windows of 64 pixels of 3 m."""
    torch.manual_seed(0)
    architecture = Architecture(BANDS, width=8, window=64, working_gsd=3.0, wide=90.0)
    card = Card(
        family=family,
        name="earlier",
        inputs=(
            CardInput("IMAGE", (Band("red"), Band("green")), (7.0, 8.0), (2.0, 3.0), 0.5),
            CardInput("DEM", (Band("height"),), (0.0,), (4.5,), 1.0),
        ),
        classes=(MapClass(1, "Relic landslide", "#c0392b"),),
        window=64,
        overlap=32,
        architecture=architecture.to_json(),
    )
    path = folder / "earlier.safetensors"
    write_model(path, card, HpclNet(architecture).state_dict())
    return path


def test_statistics_are_those_of_the_training_ground() -> None:
    found = HpclDesign(settings()).statistics([ground()])
    values = ground().values
    np.testing.assert_allclose(found.mean, values[:BANDS].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found.std, values[:BANDS].std((1, 2)), rtol=1e-4)
    assert found.relief == pytest.approx(values[BANDS + RELATIVE].std(), rel=1e-4)


def test_ground_without_relief_is_refused() -> None:
    with pytest.raises(InputError, match="same height everywhere .* choose one that shows"):
        HpclDesign(settings()).statistics([ground(relief=0.0)])


@pytest.mark.parametrize(("slope", "doubts"), [(25.0, 0), (80.0, 1), (0.001, 1)])
def test_slopes_that_are_hard_to_believe_are_said_once(slope: float, doubts: int) -> None:
    texts: list[str] = []
    design = HpclDesign(settings(), warn=texts.append)
    for _ in range(3):
        design.statistics([ground(slope=slope)])
    assert len(texts) == doubts
    assert all("VERTICAL_UNIT" in text for text in texts)


def test_a_fresh_start_takes_window_and_pixel_size_from_the_settings() -> None:
    design = HpclDesign(settings(window=96, working_gsd=2.5, epochs=3))
    assert (design.effort.window, design.working_gsd, design.effort.plan.epochs) == (96, 2.5, 3)


def test_whoever_starts_from_a_model_keeps_what_it_is_made_of(tmp_path: Path) -> None:
    path = written(tmp_path)
    earlier = earlier_model(str(path), read_card(path))
    design = HpclDesign(settings(window=128, working_gsd=8.0, wide=500.0), earlier)
    assert (design.effort.window, design.working_gsd) == (64, 3.0)
    found = design.statistics([ground()])
    assert (found.mean.tolist(), found.relief) == ([7.0, 8.0], 4.5)
    network = design.network(earlier.card.architecture)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, earlier.state[key])


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "das2f")
    with pytest.raises(ModelFileError, match="of the family das2f; choose a model"):
        earlier_model(str(path), read_card(path))


def test_the_trainee_learns_from_what_the_sampler_draws() -> None:
    design = HpclDesign(settings(window=32, batch=2, epochs=2, lambda_hpcl=0.3))
    torch.manual_seed(0)
    architecture = Architecture(BANDS, width=8, window=32)
    network = design.network(architecture.to_json())
    view = design.segmenter(network, design.statistics([ground()]), choose_device("cpu"))
    sampler = Sampler([ground()], view, window=32, batch=2, seed=0)
    statistics = design.statistics([ground()])
    one = design.trainee(network, sampler, statistics, design.effort, choose_device("cpu"))
    loss = one.loss(1, 29)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert all(weight.grad is not None for weight in network.parameters())
    assert any(key.startswith("queues.") for key in one.extras())


def test_settings_say_how_hyper_pixels_are_compared() -> None:
    assert contrast_of(settings()).edge_share == 0.75
    other = contrast_of(settings(anchors="uniform", contrast="batch", lambda_hpcl=0.0))
    assert (other.edge_share, other.mode, other.weight) == (None, "batch", 0.0)
    assert not other.both
    assert contrast_of(settings(anchors="both")) == replace(contrast_of(settings()), both=True)
