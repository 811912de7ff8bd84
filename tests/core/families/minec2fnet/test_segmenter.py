"""View, statistics and segmenter: reflectance, missing pixels, probabilities."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.network import FootprintNet
from terraweave.core.families.minec2fnet.statistics import Statistics
from terraweave.core.families.minec2fnet.view import ImageView
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Window
from terraweave.core.scene.scene import Scene, open_scene
from terraweave.core.segmentation.orientations import ORIENTATIONS, turned
from terraweave.core.segmentation.segmenter import TrainedSegmenter
from terraweave.core.settings import resolve


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Four bands of 40 × 50 pixels, one of them missing."""
    values = np.random.default_rng(0).integers(1, 5000, (4, 40, 50)).astype(np.uint16)
    values[:, 3, 7] = 0
    profile = {"driver": "GTiff", "count": 4, "height": 40, "width": 50, "dtype": "uint16"}
    place = {"crs": "EPSG:32632", "transform": from_origin(5e5, 5.4e6, 10, 10), "nodata": 0}
    with rasterio.open(tmp_path / "image.tif", "w", **profile, **place) as file:
        file.write(values)
    inputs = {"IMAGE": Source(str(tmp_path / "image.tif"))}
    with open_scene(inputs, MINEC2FNET.roles, progress=Progress()) as opened:
        yield opened


def test_reflectance_is_scale_and_offset_and_missing_pixels_are_0(scene: Scene) -> None:
    window = Window(0, 0, 40, 50)
    raw = ImageView(4).read(scene, window)
    block = ImageView(4, scale=1e-4, offset=-0.1).read(scene, window)
    assert np.array_equal(raw.valid, block.valid)
    assert not raw.valid[3, 7]
    assert (block.values[:, 3, 7] == 0).all()
    expected = raw.values[:, raw.valid] * 1e-4 - 0.1
    assert np.allclose(block.values[:, block.valid], expected, atol=1e-6)


def test_a_window_may_leave_the_scene(scene: Scene) -> None:
    assert ImageView(4).read(scene, Window(-5, -5, 60, 70)).values.shape == (4, 60, 70)


@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_bands_turn_as_pictures_do(orientation: int) -> None:
    values = torch.randn(2, 4, 6, 9)
    assert torch.equal(ImageView(4).turned(values, orientation), turned(values, orientation))


def segmenter(network: FootprintNet) -> TrainedSegmenter:
    statistics = Statistics(torch.full((4,), 1000.0), torch.full((4,), 300.0))
    return TrainedSegmenter(ImageView(4), network, statistics)


def test_probabilities_are_those_of_standardised_bands(network: FootprintNet) -> None:
    values = 1000 + 300 * torch.randn(2, 4, 32, 32)
    found = segmenter(network).probabilities(values, torch.ones(2, 32, 32, dtype=torch.bool))
    expected = torch.sigmoid(network((values - 1000) / 300))
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-6)
    assert not found.requires_grad


@pytest.mark.parametrize("filler", [0.0, 65535.0, float("nan")])
def test_missing_pixels_change_no_probability(network: FootprintNet, filler: float) -> None:
    values, valid = 1000 + 300 * torch.randn(1, 4, 32, 32), torch.rand(1, 32, 32) < 0.7
    one = segmenter(network)
    expected = one.probabilities(values * valid[:, None], valid)
    filled = torch.where(valid[:, None], values, filler)
    assert torch.equal(one.probabilities(filled, valid), expected)


def test_a_segmenter_puts_its_network_into_evaluation_mode(network: FootprintNet) -> None:
    network.train()
    assert segmenter(network).channels == 4
    assert not network.training


def card(**architecture: object) -> Card:
    bands = tuple(Band(f"B{n}") for n in range(4))
    image = CardInput("IMAGE", bands, (0.1,) * 4, (0.03,) * 4, 10.0)
    classes = (MapClass(1, "mine", "#d55e00"),)
    return Card("minec2fnet", "model", (image,), classes, 64, 32, architecture)


def test_an_image_is_seen_as_those_of_the_model_unless_it_is_written_differently() -> None:
    known = card(reflectance_scale=1e-4, reflectance_offset=-0.1)
    usual = resolve(MINEC2FNET.predict_settings, {})
    other = resolve(MINEC2FNET.predict_settings, {"reflectance_scale": 1e-4})
    assert ImageView.of_card(known, usual) == ImageView(4, 1e-4, -0.1)
    assert ImageView.of_card(known, other) == ImageView(4, 1e-4, 0.0)
    assert ImageView.of_card(card(), usual) == ImageView(4, 1.0, 0.0)
