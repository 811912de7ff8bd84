"""Whole scenes become maps of one class, on the image's grid, whatever the network works on."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from numpy.typing import NDArray
from terraweave.core.card import Card
from terraweave.core.errors import Cancelled, InputError
from terraweave.core.job import Extent, Job
from terraweave.core.progress import Event, Progress
from terraweave.core.record import TAG, Record
from terraweave.core.scene.grid import Shape, Window
from terraweave.core.segmentation import blending, cleaning, predict as module
from terraweave.core.segmentation.attributes import OwnAttributes
from terraweave.core.segmentation.predict import predict, remembered

from .stand_in import FAMILY, PLACE, job_for, write_card, write_image

Make = Callable[..., Any]
Floats = NDArray[np.float32]


class Scene:
    """An image and a model in a folder, and runs over them."""

    def __init__(self, folder: Path, bright: Make) -> None:
        self.folder, self.bright, self.told = folder, bright, []
        self.values: dict[str, object] = {}

    def run(self, job: Job, **how: Any) -> tuple[NDArray[np.uint8], Floats]:  # noqa: ANN401
        """Class raster and confidence."""

        def make(card: Card, device: torch.device) -> Any:  # noqa: ANN401
            return self.bright(**how.get("segmenter", {}))

        progress = Progress(self._hear)
        self.values = predict(job, progress, FAMILY, make, own=how.get("own"))
        with rasterio.open(job.output("CLASSES")) as classes:
            found = classes.read(1)
        with rasterio.open(job.output("CONFIDENCE")) as confidence:
            return found, confidence.read(1)

    def _hear(self, event: Event) -> None:
        if event["event"] == "log":
            self.told.append(str(event["text"]))


@pytest.fixture
def scene(tmp_path: Path, bright: Make) -> Scene:
    return Scene(tmp_path, bright)


def blobs(rows: int, columns: int) -> Floats:
    """Bright blobs on dark ground."""
    y, x = np.mgrid[0:rows, 0:columns]
    waves = np.sin(x / 4.1) + np.cos(y / 3.3) + np.sin((x + y) / 6.7)
    return (60 + 40 * waves).astype(np.float32)


def logistic(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(values - 100) / 20)), dtype=np.float32)


def areas(path: str) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    meta, _, shapes, data = pyogrio.raw.read(path)
    return shapely.from_wkb(shapes), dict(zip(meta["fields"], data, strict=True))


def test_map_confidence_and_polygons_say_the_same(scene: Scene, tmp_path: Path) -> None:
    values = blobs(50, 60)
    values[10:14, 20:31] = np.nan
    job = job_for(
        write_image(tmp_path / "image.tif", values), write_card(tmp_path / "m.safetensors")
    )
    classes, confidence = scene.run(replace(job, settings={**job.settings, "simplify": 0}))
    missing = np.isnan(values)
    np.testing.assert_allclose(confidence, np.where(missing, np.nan, logistic(values)), atol=1e-5)
    np.testing.assert_array_equal(classes, np.where(missing, 255, confidence >= 0.5))
    outlines, fields = areas(job.output("POLYGONS"))
    assert len(outlines) == scene.values["POLYGON_COUNT"] > 3
    assert shapely.is_valid(outlines).all()
    assert set(shapely.get_type_id(outlines)) == {3}
    assert fields["area_m2"].sum() == pytest.approx((classes == 1).sum() * 4.0, rel=1e-3)
    assert scene.values["AREA_HA"] == pytest.approx((classes == 1).sum() * 4e-4)
    assert scene.values["PIXELS"] == (~missing).sum()
    with rasterio.open(job.output("CLASSES")) as data:
        assert data.nodata == 255
        assert data.colormap(1)[0][:3] == (255, 255, 255)
        assert data.colormap(1)[255] == (0, 0, 0, 0)
        assert data.colormap(1)[1] == (0xD5, 0x5E, 0, 255)
        assert "no likelihood" in data.tags()[f"{TAG}_NOTE"]
        assert Record.from_text(data.tags()[TAG], "map").family == "bright"


def test_styles_beside_the_rasters_let_the_background_through(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", blobs(20, 30))
    scene.run(job_for(image, write_card(tmp_path / "m.safetensors")))
    palette = (tmp_path / "map.qml").read_text(encoding="utf-8")
    assert re.findall(r"<paletteEntry value=\"(\d+)\" .* label=\"(.*)\"", palette) == [
        ("1", "scar")
    ]
    ramp = (tmp_path / "map_confidence.qml").read_text(encoding="utf-8")
    assert 'opacity="0.5"' in ramp
    assert re.findall(r"<item .*alpha=\"(\d+)\"", ramp)[0] == "0"
    with rasterio.open(tmp_path / "map_confidence.tif") as data:
        assert data.descriptions == ("probability",)


def test_constant_network_gives_a_constant_map(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", np.full((37, 53), 130.0), gsd=0.5)
    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=2.0))
    classes, confidence = scene.run(job)
    assert (classes == 1).all()
    np.testing.assert_allclose(confidence, logistic(np.float32(130)), atol=1e-5)


def test_extent_is_a_crop_of_the_whole(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", blobs(90, 110), gsd=0.5)
    model = write_card(tmp_path / "m.safetensors", working_gsd=1.7)
    whole, sure = scene.run(job_for(image, model, "whole"))
    # Rows 20 to 69 and columns 31 to 90 of 0.5 m pixels.
    x, y = PLACE
    box = Extent(x + 15.5, y - 35, x + 45.5, y - 10, "EPSG:32632")
    part, sure_too = scene.run(replace(job_for(image, model, "part"), extent=box))
    np.testing.assert_allclose(sure_too, sure[20:70, 31:91], atol=1e-6)
    np.testing.assert_array_equal(part, whole[20:70, 31:91])


def test_fine_image_is_worked_coarser_and_delivered_fine(scene: Scene, tmp_path: Path) -> None:
    coarse = blobs(40, 44)
    fine = np.kron(coarse, np.ones((8, 8), dtype=np.float32))
    fine[100:110, 60:75] = np.nan
    image = write_image(tmp_path / "image.tif", fine, gsd=0.5)
    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=4.0))
    classes, confidence = scene.run(job)
    assert classes.shape == fine.shape
    np.testing.assert_array_equal(classes == 255, np.isnan(fine))
    # In the middle of working pixels the answer is that of the pixel; between, of both.
    centres = confidence[3::8, 3::8]
    usable = np.isfinite(centres)
    assert np.abs(centres - logistic(coarse))[usable].max() < 0.1
    assert any("resampled (average) to the network's grid of 4 m" in text for text in scene.told)
    assert np.unique(confidence[40:48, 40:48]).size > 16


def test_scene_in_degrees_is_worked_in_metres(scene: Scene, tmp_path: Path) -> None:
    step = 1e-4  # 11.1 m north to south, 5.6 m east to west at 60° north
    values = blobs(120, 240)
    image = write_image(
        tmp_path / "image.tif", values, crs="EPSG:4326", transform=Affine(step, 0, 10, 0, -step, 60)
    )
    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=8.0))
    classes, confidence = scene.run(job)
    assert classes.shape == values.shape
    assert (classes != 255).mean() > 0.98
    assert np.corrcoef(confidence[5:-5, 5:-5].ravel(), logistic(values)[5:-5, 5:-5].ravel())[
        0, 1
    ] == pytest.approx(1, abs=0.03)
    _, fields = areas(job.output("POLYGONS"))
    # Square metres on the ground: a pixel has 111.4 m × 55.8 m / 100.
    pixel = 11.14 * 5.58
    assert fields["area_m2"].sum() == pytest.approx((classes == 1).sum() * pixel, rel=0.02)
    assert scene.values["AREA_HA"] == pytest.approx((classes == 1).sum() * pixel / 1e4, rel=0.01)


def test_a_part_can_be_seen_on_the_working_grid(scene: Scene, tmp_path: Path) -> None:
    step = 1e-4
    values = np.zeros((60, 120))
    values[20:40, 40:80] = 200.0
    image = write_image(
        tmp_path / "image.tif", values, crs="EPSG:4326", transform=Affine(step, 0, 10, 0, -step, 60)
    )
    seen = []

    def describe(scene: Any, part: Any) -> dict[str, float]:  # noqa: ANN401
        window, inside = part.on(scene.grid)
        block = scene.read("IMAGE", window)
        assert not inside[0].any()
        assert not inside[:, 0].any()
        seen.append((inside.sum() * scene.grid.gsd**2, block.values[0][inside].mean()))
        return {"mean": seen[-1][1]}

    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=8.0))
    scene.run(job, own=OwnAttributes(("mean",), describe))
    _, fields = areas(job.output("POLYGONS"))
    assert len(seen) == 1
    assert seen[0][0] == pytest.approx(fields["area_m2"][0], rel=0.05)
    assert seen[0][1] > 180
    assert fields["mean"][0] == pytest.approx(seen[0][1])


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (15, 2)])
def test_scene_smaller_than_a_window_is_mapped(
    scene: Scene, tmp_path: Path, shape: tuple[int, int]
) -> None:
    values = blobs(*shape)
    image = write_image(tmp_path / "image.tif", values)
    classes, confidence = scene.run(job_for(image, write_card(tmp_path / "m.safetensors")))
    np.testing.assert_allclose(confidence, logistic(values), atol=1e-5)
    np.testing.assert_array_equal(classes, logistic(values) >= 0.5)


def test_scene_without_any_data_gives_an_empty_map(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", np.full((20, 20), np.nan))
    job = job_for(image, write_card(tmp_path / "m.safetensors"))
    classes, _ = scene.run(job)
    assert (classes == 255).all()
    assert scene.values["WINDOWS"] == 0
    (told,) = [text for text in scene.told if "The map is empty" in text]
    assert told.startswith("image.tif (IMAGE) has no pixel with data in the scene; choose a raster")
    assert not any("threshold" in text for text in scene.told)
    outlines, fields = areas(job.output("POLYGONS"))
    assert not len(outlines)
    assert list(fields)[:3] == ["class_value", "class_name", "area_m2"]


def test_attributes_are_those_counted_by_hand(scene: Scene, tmp_path: Path) -> None:
    values = np.full((20, 24), 0.0)
    values[4:8, 6:12] = 160.0  # 24 pixels, away from everything
    values[5, 7] = 110.0
    values[15:20, 20:24] = 130.0  # 20 pixels in the corner
    values[11, 2] = np.nan
    values[10:13, 1:4] = np.where(np.isnan(values[10:13, 1:4]), np.nan, 200.0)  # around a gap
    values[12, 4] = 0.0
    values[13, 4] = 200.0  # touches by a corner
    image = write_image(tmp_path / "image.tif", values)
    job = job_for(image, write_card(tmp_path / "m.safetensors"), simplify=0)
    own = OwnAttributes(
        ("rows", "brightest"),
        lambda scene, part: {
            "rows": float(part.mask.any(axis=1).sum()),
            "brightest": float(
                scene.placed("IMAGE", scene.delivery).read(part.window)[0][0][part.mask].max()
            ),
        },
    )
    scene.run(job, own=own)
    outlines, fields = areas(job.output("POLYGONS"))
    order = np.argsort(fields["area_m2"])
    small, corner, large = (dict(zip(fields, row, strict=True)) for row in
                            np.array(list(fields.values()), dtype=object)[:, order].T)  # fmt: skip
    assert large["area_m2"] == 24 * 4
    assert large["area_ha"] == pytest.approx(0.0096)
    assert large["perimeter_m"] == 20 * 2
    assert large["compactness"] == pytest.approx(4 * np.pi * 96 / 1600, abs=1e-4)
    inside = logistic(np.array([160.0] * 23 + [110.0], dtype=np.float32))
    assert large["mean_prob"] == pytest.approx(inside.mean(), abs=1e-4)
    assert large["max_prob"] == large["p90_prob"] == pytest.approx(inside.max(), abs=1e-4)
    assert (large["confidence"], corner["confidence"]) == ("high", "medium")
    assert (large["touches_edge"], corner["touches_edge"], small["touches_edge"]) == (
        False, True, True,
    )  # fmt: skip
    assert small["nodata_share"] == pytest.approx(1 / 10, abs=1e-4)
    assert small["area_m2"] == pytest.approx(9 * 4, abs=0.1)
    assert large["nodata_share"] == corner["nodata_share"] == 0
    assert (large["rows"], large["brightest"]) == (4, 160)
    assert (small["rows"], small["brightest"]) == (4, 200)
    assert large["threshold"] == 0.5
    assert not fields["reviewed"].any()
    assert shapely.is_valid(outlines).all()


def test_small_areas_and_holes_go_by_square_metres(scene: Scene, tmp_path: Path) -> None:
    values = np.full((20, 24), 0.0)
    values[2:8, 2:8] = 160.0
    values[4, 4:6] = 0.0
    values[12:14, 12:14] = 160.0
    image = write_image(tmp_path / "image.tif", values)
    model = write_card(tmp_path / "m.safetensors")
    classes, _ = scene.run(job_for(image, model, minimum_area=16.5, fill_holes=8.5))
    assert (classes == 1).sum() == 36
    classes, _ = scene.run(job_for(image, model, minimum_area=16, fill_holes=8))
    assert (classes == 1).sum() == 36 - 2 + 4


def test_strips_do_not_show(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = write_image(tmp_path / "image.tif", blobs(70, 60), gsd=0.7)
    model = write_card(tmp_path / "m.safetensors", working_gsd=2.0)
    how = {"hysteresis": 0.2, "closing": 1, "fill_holes": 20, "minimum_area": 10}
    whole, sure = scene.run(job_for(image, model, "whole", **how))
    monkeypatch.setattr(cleaning, "_STRIP_PIXELS", 60 * 7)
    monkeypatch.setattr(module, "_STRIP_PIXELS", 1)
    monkeypatch.setattr(module, "_TILE", 16)
    strips, sure_too = scene.run(job_for(image, model, "strips", **how))
    np.testing.assert_array_equal(strips, whole)
    np.testing.assert_allclose(sure_too, sure, atol=1e-6)


def test_remembered_numbers_are_those_that_were_read() -> None:
    values = np.random.default_rng(0).random((700, 2300), dtype=np.float32)
    asked: list[Window] = []

    def read(window: Window) -> Floats:
        asked.append(window)
        return values[window.slices]

    cut = remembered(read, Shape(700, 2300))
    for window in (Window(3, 5, 2, 4), Window(250, 1000, 300, 1200), Window(699, 2299, 1, 1)):
        np.testing.assert_array_equal(cut(window), values[window.slices])
    np.testing.assert_array_equal(cut(Window(0, 0, 700, 2300)), values)
    assert len(asked) == len(set(asked)) == 9


def test_scene_without_a_coordinate_system_is_mapped_in_its_own_units(
    scene: Scene, tmp_path: Path
) -> None:
    fine = np.kron(blobs(30, 32), np.ones((4, 4), dtype=np.float32))
    image = write_image(tmp_path / "image.tif", fine, gsd=0.5, crs=None)
    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=2.0))
    classes, _ = scene.run(job, minimum_area=3)
    assert classes.shape == fine.shape
    assert 0 < (classes == 1).sum() < classes.size
    assert any("no coordinate system" in text for text in scene.told)
    assert scene.values["AREA_HA"] is None
    outlines, fields = areas(job.output("POLYGONS"))
    assert np.isnan(fields["area_m2"]).all()
    assert shapely.area(outlines).sum() == pytest.approx((classes == 1).sum() / 4, rel=0.02)
    assert np.isfinite(fields["compactness"]).all()


@pytest.mark.parametrize("after", [1, 5, 12, 20, 30])
def test_cancelled_run_leaves_nothing(tmp_path: Path, bright: Make, after: int) -> None:
    image = write_image(tmp_path / "image.tif", blobs(50, 60))
    job = job_for(image, write_card(tmp_path / "m.safetensors"))
    Path(job.output("CLASSES")).write_bytes(b"old map")
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    with pytest.raises(Cancelled):
        predict(job, Progress(cancelled=cancelled), FAMILY, lambda card, device: bright())
    assert Path(job.output("CLASSES")).read_bytes() == b"old map"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "image.tif", "m.safetensors", "map.tif",
    ]  # fmt: skip


def test_a_finished_run_leaves_its_outputs_only(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", blobs(20, 30))
    scene.run(job_for(image, write_card(tmp_path / "m.safetensors")))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "image.tif", "m.safetensors", "map.qml", "map.tif", "map.tif.aux.xml",
        "map_areas.gpkg", "map_areas.qml", "map_confidence.qml", "map_confidence.tif",
    ]  # fmt: skip


def test_image_too_coarse_for_the_model_is_refused(tmp_path: Path, bright: Make) -> None:
    image = write_image(tmp_path / "image.tif", blobs(20, 30), gsd=10)
    job = job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=4.0))
    with pytest.raises(InputError, match="pixels of 10 m; the model works at 4 m.*at most 6 m"):
        predict(job, Progress(), FAMILY, lambda card, device: bright())


def test_image_a_little_coarse_is_mapped_with_a_warning(scene: Scene, tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.tif", blobs(20, 30), gsd=5)
    scene.run(job_for(image, write_card(tmp_path / "m.safetensors", working_gsd=4.0)))
    assert any("the model works at 4 m. What is smaller" in text for text in scene.told)


def test_unknown_polygon_format_is_refused_before_any_work(tmp_path: Path, bright: Make) -> None:
    image = write_image(tmp_path / "image.tif", blobs(20, 30))
    job = job_for(image, write_card(tmp_path / "m.safetensors"))
    job = replace(job, outputs={**job.outputs, "POLYGONS": str(tmp_path / "areas.docx")})
    segmenter = bright()
    with pytest.raises(InputError, match="No vector format is known for areas.docx"):
        predict(job, Progress(), FAMILY, lambda card, device: segmenter)
    assert not segmenter.asked


def test_threshold_of_the_user_goes_before_that_of_the_model(scene: Scene, tmp_path: Path) -> None:
    values = blobs(20, 30)
    image = write_image(tmp_path / "image.tif", values)
    model = write_card(tmp_path / "m.safetensors", threshold=0.7)
    own, _ = scene.run(job_for(image, model))
    np.testing.assert_array_equal(own, logistic(values) >= 0.7)
    assert scene.values["THRESHOLD"] == 0.7
    given, _ = scene.run(job_for(image, model, threshold=0.3))
    np.testing.assert_array_equal(given, logistic(values) >= 0.3)


@pytest.mark.parametrize(("free", "times"), [(10**6, 8), (100, 1)])
def test_small_scenes_are_seen_in_all_orientations_and_large_ones_in_one(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, times: int
) -> None:
    monkeypatch.setattr(blending, "FREE_PIXELS", free)
    image = write_image(tmp_path / "image.tif", blobs(30, 30))
    segmenter = scene.bright()
    scene.bright = lambda: segmenter
    scene.run(job_for(image, write_card(tmp_path / "m.safetensors")))
    windows = scene.values["WINDOWS"]
    assert sum(segmenter.asked) == times * int(str(windows))
    (said,) = [text for text in scene.told if "ORIENTATIONS" in text]
    assert ("in all 8 flips and rotations" in said) == (times == 8)
    assert ("take 8 times as long" in said) == (times == 1)
