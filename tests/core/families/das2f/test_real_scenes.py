"""Real pairs of images: other ratios, bands, types, grids that do not quite fit, nodata."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from terraweave.core.card import read_card
from terraweave.core.families.das2f import learn as learning
from terraweave.core.families.das2f.apply import predict
from terraweave.core.families.das2f.learn import learn
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Event, Progress

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
PAIRS = [
    ("rotterdam/ms1.tif", "rotterdam/pan1.tif", 4),
    ("rotterdam/ms2.tif", "rotterdam/pan2.tif", 4),
    ("wv3/ms.tif", "wv3/pan.tif", 4),
    ("landsat_x2/pamplona_ms.tif", "landsat_x2/pamplona_pan.tif", 2),
    ("landsat_x2/istanbul_ms.tif", "landsat_x2/istanbul_pan.tif", 2),
    ("landsat7/01_ms.tif", "landsat7/01_pan.tif", 2),
]

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the real scenes are not here")


def write_labels(ms: Path, path: Path) -> Path:
    """Three brightness classes in scattered squares, on the grid of the MS image."""
    with rasterio.open(ms) as file:
        values = file.read(1, masked=True).astype(float)
        profile = file.profile
    brightness = values.filled(np.nan)
    cuts = np.nanpercentile(brightness, [33, 67])
    classes = np.where(np.isnan(brightness), 0, 1 + np.digitize(brightness, cuts))
    squares = np.random.default_rng(0).random((classes.shape[0] // 12, classes.shape[1] // 12))
    chosen = np.zeros(classes.shape, bool)
    grown = np.kron(squares < 0.1, np.ones((12, 12), bool))
    chosen[: grown.shape[0], : grown.shape[1]] = grown
    labels = np.where(chosen, classes, 0).astype(np.uint8)
    for key in ("photometric", "predictor"):
        profile.pop(key, None)
    profile.update(count=1, dtype="uint8", nodata=0)
    with rasterio.open(path, "w", **profile) as file:
        file.write(labels, 1)
    return path


@pytest.mark.parametrize(("ms", "pan", "ratio"), PAIRS)
def test_model_trained_on_a_real_pair_maps_its_grid_pixel_for_pixel(
    ms: str, pan: str, ratio: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "STEPS_PER_EPOCH", 6)
    inputs = {"MS": (Source(str(DATA / ms)),), "PAN": (Source(str(DATA / pan)),)}
    labels = Features(str(write_labels(DATA / ms, tmp_path / "labels.tif")))
    model, classes = tmp_path / "model.safetensors", tmp_path / "classes.tif"
    short = {"epochs": 1, "batch": 8, "device": "cpu", "refit": False}
    learn(
        Job("train", "das2f", inputs, labels, settings=short, outputs={"MODEL": str(model)}),
        Progress(),
    )
    card = read_card(model)
    assert card.input("PAN").scale == ratio
    told: list[Event] = []
    coarse = {"mode": "stride", "stride": 6, "device": "cpu"}
    outputs = {"CLASSES": str(classes)}
    predict(
        Job("predict", "das2f", inputs, model=str(model), settings=coarse, outputs=outputs),
        Progress(told.append),
    )
    with rasterio.open(classes) as made, rasterio.open(DATA / ms) as image:
        assert (made.shape, made.transform, made.crs) == (
            image.shape,
            image.transform,
            image.crs,
        )
        missing = (image.dataset_mask() == 0) | (image.read_masks() == 0).any(axis=0)
        mapped = made.read(1)
    assert not mapped[missing].any()
    # All that both images show is mapped; PAN leaves out edges at most.
    assert (mapped[~missing] > 0).mean() > 0.97
