"""Whole scenes: the same answer however the scene is cut, and nodata stays nodata."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from terraweave.core.card import read_card
from terraweave.core.errors import Cancelled, InputError, ModelFileError
from terraweave.core.families.das2f import apply
from terraweave.core.families.das2f.apply import load_network, predict, statistics_of
from terraweave.core.job import Extent, Job, Source
from terraweave.core.model_file import read_weights, write_model
from terraweave.core.progress import Progress
from terraweave.core.record import TAG, Record

Pairs = Callable[..., Any]


def classified(job: Job) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Run the job; the class raster and the confidence raster it wrote."""
    predict(job, Progress())
    with rasterio.open(job.output("CLASSES")) as classes:
        values = classes.read(1)
    with rasterio.open(job.output("CONFIDENCE")) as confidence:
        return values, confidence.read(1)


def test_every_pixel_has_the_class_of_its_own_window(pair: Pairs) -> None:
    scene = pair(12, 13)
    classes, confidence = classified(scene.job())
    row, column, ratio = 6, 7, 2
    ms = scene.ms_values[:, row - 3 : row + 5, column - 3 : column + 5]
    pan = scene.pan_values[
        :, (row - 3) * ratio : (row + 5) * ratio, (column - 3) * ratio : (column + 5) * ratio
    ]
    card = read_card(scene.model)
    inputs = statistics_of(card).standardised(torch.tensor(ms[None]), torch.tensor(pan[None]))
    with torch.inference_mode():
        expected = torch.softmax(load_network(str(scene.model), card)(*inputs), 1)[0]
    assert classes[row, column] == card.classes[int(expected.argmax())].value
    assert confidence[row, column] == pytest.approx(float(expected.max()), abs=1e-5)


def test_map_has_several_classes_and_the_grid_of_the_ms_image(pair: Pairs) -> None:
    scene = pair(16, 20)
    job = scene.job()
    classes, _ = classified(job)
    assert len(np.unique(classes)) > 1
    with rasterio.open(job.output("CLASSES")) as made, rasterio.open(scene.ms) as ms:
        assert (made.transform, made.crs, made.shape) == (ms.transform, ms.crs, ms.shape)


def test_one_block_and_many_give_the_same_map(pair: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = pair(15, 17)
    whole, sure = classified(scene.job("whole"))
    monkeypatch.setattr(apply, "_BLOCK", (4, 6))
    blocks, sure_too = classified(scene.job("blocks"))
    np.testing.assert_array_equal(whole, blocks)
    np.testing.assert_allclose(sure, sure_too, atol=1e-5)


def test_extent_gives_the_same_answer_as_the_whole_scene(pair: Pairs) -> None:
    scene = pair(15, 17)
    whole, _ = classified(scene.job("whole"))
    # Rows 4 to 9 and columns 5 to 14 of 2 m pixels.
    extent = Extent(500010, 5400000 - 20, 500030, 5400000 - 8, "EPSG:32632")
    part, _ = classified(replace(scene.job("part"), extent=extent))
    np.testing.assert_array_equal(part, whole[4:10, 5:15])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 17), (15, 1), (2, 3), (15, 17), (9, 40)])
def test_scene_of_any_shape_is_classified_completely(pair: Pairs, rows: int, columns: int) -> None:
    classes, confidence = classified(pair(rows, columns).job())
    assert classes.shape == (rows, columns)
    assert set(np.unique(classes)) <= {2, 5, 9}
    assert ((confidence > 0.3) & (confidence <= 1)).all()


def test_inside_of_a_part_is_classified_as_in_the_larger_scene(pair: Pairs) -> None:
    larger = pair(30, 30, "larger")
    smaller = pair(15, 17, "smaller")
    smaller.ms_values = larger.ms_values[:, :15, :17]
    smaller.pan_values = larger.pan_values[:, :30, :34]
    smaller.write()
    whole, _ = classified(larger.job())
    part, _ = classified(smaller.job())
    # The last four rows and columns look beyond the part's edge, where it is mirrored.
    np.testing.assert_array_equal(part[:11, :13], whole[:11, :13])


@pytest.mark.parametrize("mode", ["exact", "stride"])
def test_nodata_of_either_image_stays_nodata(pair: Pairs, mode: str) -> None:
    scene = pair(14, 15)
    scene.ms_values[1, 2:5, 3:9] = -9
    scene.pan_values[0, 16:20, 10:14] = -9
    scene.write(nodata=-9)
    classes, confidence = classified(scene.job(mode=mode, stride=3))
    missing = np.zeros((14, 15), bool)
    missing[2:5, 3:9] = True
    missing[8:10, 5:7] = True
    np.testing.assert_array_equal(classes == 0, missing)
    np.testing.assert_array_equal(np.isnan(confidence), missing)


def test_scene_without_any_data_gives_an_empty_map(pair: Pairs) -> None:
    scene = pair(9, 9)
    scene.ms_values[:] = np.nan
    scene.write()
    classes, _ = classified(scene.job())
    assert not classes.any()


def test_stride_equals_exact_on_its_lattice(pair: Pairs) -> None:
    scene = pair(14, 15)
    exact, sure = classified(scene.job("exact"))
    coarse, sure_too = classified(scene.job("stride", mode="stride", stride=4))
    np.testing.assert_array_equal(coarse[2::4, 2::4], exact[2::4, 2::4])
    np.testing.assert_allclose(sure_too[2::4, 2::4], sure[2::4, 2::4], atol=1e-5)


def test_stride_is_the_same_in_one_block_and_in_many(
    pair: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = pair(14, 15)
    whole, _ = classified(scene.job("whole", mode="stride", stride=4))
    monkeypatch.setattr(apply, "_BLOCK", (3, 5))
    blocks, _ = classified(scene.job("blocks", mode="stride", stride=4))
    np.testing.assert_array_equal(whole, blocks)


def test_island_between_the_lattice_is_classified_from_its_own_window(pair: Pairs) -> None:
    scene = pair(16, 16)
    exact_values = scene.ms_values.copy()
    scene.ms_values[:] = np.nan
    scene.ms_values[:, 5, 9] = exact_values[:, 5, 9]
    scene.write()
    exact, _ = classified(scene.job("exact"))
    coarse, _ = classified(scene.job("stride", mode="stride", stride=8))
    assert coarse[5, 9] != 0
    np.testing.assert_array_equal(coarse, exact)


def test_eight_orientations_of_a_transformed_scene_give_the_transformed_map(
    pair: Pairs,
) -> None:
    scene = pair(12, 14, "upright")
    turned = pair(14, 12, "turned")
    turned.ms_values = np.rot90(scene.ms_values, axes=(1, 2)).copy()
    turned.pan_values = np.rot90(scene.pan_values, axes=(1, 2)).copy()
    turned.write()
    _, sure = classified(scene.job(orientations="8"))
    _, sure_turned = classified(turned.job(orientations="8"))
    np.testing.assert_allclose(sure_turned, np.rot90(sure), atol=1e-5)


def test_cancelled_run_leaves_the_old_map(pair: Pairs) -> None:
    scene = pair(12, 12)
    job = scene.job()
    Path(job.output("CLASSES")).write_bytes(b"old map")
    with pytest.raises(Cancelled):
        predict(job, Progress(cancelled=lambda: True))
    assert Path(job.output("CLASSES")).read_bytes() == b"old map"
    assert sorted(path.name for path in scene.folder.iterdir()) == [
        "classes.tif",
        "ms.tif",
        "pan.tif",
    ]


def test_map_knows_what_its_model_learnt_from(pair: Pairs, tmp_path: Path) -> None:
    scene = pair(2, 3)
    card = read_card(scene.model)
    told = {"inputs": [{"role": "LABELS", "name": "fields.gpkg", "sha256": "b" * 64}]}
    model = tmp_path / "told.safetensors"
    write_model(model, replace(card, provenance=told), read_weights(str(scene.model)))
    job = replace(scene.job(), model=str(model))
    classified(job)
    with rasterio.open(job.output("CLASSES")) as data:
        record = Record.from_text(data.tags()[TAG], "classes")
    assert record.trained_on == ("b" * 64,)
    assert [one.role for one in record.inputs] == ["MS", "PAN", "MODEL"]


def test_pan_with_three_bands_is_refused(pair: Pairs) -> None:
    scene = pair(9, 9)
    job = replace(
        scene.job(), inputs={"MS": (Source(str(scene.ms)),), "PAN": (Source(str(scene.ms)),)}
    )
    with pytest.raises(InputError, match=r"ms\.tif.*has 3 bands"):
        predict(job, Progress())


def test_weights_that_are_not_numbers_are_refused(pair: Pairs, tmp_path: Path) -> None:
    scene = pair(9, 9)
    weights = read_weights(scene.model)
    weights["head.map.weight"][0, 0] = float("nan")
    card = read_card(scene.model)
    scene.model = tmp_path / "broken.safetensors"
    write_model(scene.model, card, weights)
    with pytest.raises(ModelFileError, match="weights that are not numbers"):
        predict(scene.job(), Progress())


def test_weights_of_another_shape_than_the_card_says_are_refused(
    pair: Pairs, tmp_path: Path
) -> None:
    scene = pair(9, 9)
    weights = read_weights(scene.model)
    weights["head.map.weight"] = torch.zeros(2, 2)
    card = read_card(scene.model)
    scene.model = tmp_path / "broken.safetensors"
    write_model(scene.model, card, weights)
    with pytest.raises(ModelFileError, match=r"does not fit its own card: “head\.map\.weight”"):
        predict(scene.job(), Progress())
