"""Whole trainings on tiny scenes: one stage, two, a refinement, and a prediction after it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin
from terraweave.core.card import read_card
from terraweave.core.errors import InputError, ModelFileError
from terraweave.core.families.minec2fnet.recipe import MineC2FNetRecipe
from terraweave.core.job import Features, Job, Source
from terraweave.core.model_file import read_weights
from terraweave.core.progress import Progress

EDGE = 72
UTM = "EPSG:32632"
QUICK = {"epochs": 1, "batch": 1, "window": 64, "device": "cpu", "refit": False}
WHOLE = {"validation_share": 0.0}


def site(folder: Path, number: int, seed: int) -> tuple[Source, list[list[list[float]]]]:
    """An image of three bands with a bright square, and the ring around the square."""
    random = np.random.default_rng(seed)
    values = random.normal(1000, 100, (3, EDGE, EDGE))
    row, column = random.integers(10, 30, 2)
    values[:, row : row + 30, column : column + 30] += 800
    west, north = 500_000 + number * 5_000, 5_400_000
    path = folder / f"site{number}_{seed}.tif"
    profile = {"driver": "GTiff", "count": 3, "height": EDGE, "width": EDGE, "dtype": "uint16"}
    place = {"crs": UTM, "transform": from_origin(west, north, 10, 10)}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(values.clip(1, 5000).astype(np.uint16))
    left, top = west + 10.0 * column, north - 10.0 * row
    corners = ((0, 0), (300, 0), (300, -300), (0, -300), (0, 0))
    return Source(str(path)), [[[left + x, top + y] for x, y in corners]]


def scenes(folder: Path, numbers: range, name: str) -> tuple[tuple[Source, ...], Features]:
    """Sites, and one layer with their squares."""
    images, squares = zip(*(site(folder, number, 100 + number) for number in numbers), strict=True)
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": one}}
        for one in squares
    ]
    path = folder / f"{name}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return images, Features(str(path), name, crs=CRS.from_user_input(UTM).to_wkt())


@pytest.fixture
def coarse(tmp_path: Path) -> Job:
    """A training on two sites, as short as can be."""
    images, labels = scenes(tmp_path, range(2), "coarse")
    return Job(
        task="train",
        family="minec2fnet",
        inputs={"IMAGE": images},
        labels=labels,
        settings={**QUICK, **WHOLE},
        outputs={"MODEL": str(tmp_path / "model.safetensors")},
    )


def refinement(job: Job, folder: Path) -> Job:
    """A refinement of the job's model on a third site."""
    images, labels = scenes(folder, range(2, 3), "fine")
    settings = {"epochs": 2, "batch": 1, "device": "cpu", "refit": False, **WHOLE}
    return Job(
        task="refine",
        family="minec2fnet",
        model=job.output("MODEL"),
        inputs={"IMAGE": images},
        labels=labels,
        settings=settings,
        outputs={"MODEL": str(folder / "refined.safetensors")},
    )


def test_a_model_can_be_trained_refined_without_its_scenes_and_applied(
    coarse: Job, tmp_path: Path
) -> None:
    recipe = MineC2FNetRecipe()
    recipe.train(coarse, Progress())
    card = read_card(coarse.output("MODEL"))
    assert card.architecture["working_gsd"] == 10.0
    assert card.classes[0].name == "Mine"
    refine = refinement(coarse, tmp_path)
    for source in coarse.inputs["IMAGE"]:
        Path(source.path).unlink()
    Path(coarse.labels.path).unlink()
    recipe.refine(refine, Progress())
    refined = read_card(refine.output("MODEL"))
    assert refined.inputs[0].mean == card.inputs[0].mean
    assert refined.training["epochs"] == 2
    before, after = (read_weights(one.output("MODEL")) for one in (coarse, refine))
    assert any(not (before[key] == after[key]).all() for key in before)
    predict = Job(
        task="predict",
        family="minec2fnet",
        model=refine.output("MODEL"),
        inputs=refine.inputs,
        settings={"device": "cpu"},
        outputs={"CLASSES": str(tmp_path / "classes.tif")},
    )
    found = recipe.predict(predict, Progress())
    assert found["PIXELS"] == EDGE**2


def test_two_stages_in_one_run_keep_the_teacher_and_report_both(
    coarse: Job, tmp_path: Path
) -> None:
    images, labels = scenes(tmp_path, range(2, 4), "fine")
    both = replace(
        coarse,
        inputs={**coarse.inputs, "FINE_IMAGE": images},
        features={"FINE_LABELS": labels},
        settings={**QUICK, "fine_epochs": 1, "validation_share": 0.3, "block": 36},
        outputs={**coarse.outputs, "REPORT": str(tmp_path / "report.html")},
    )
    found = MineC2FNetRecipe().train(both, Progress())
    teacher = read_card(tmp_path / "model_teacher.safetensors")
    student = read_card(coarse.output("MODEL"))
    assert student.inputs[0].mean == teacher.inputs[0].mean
    assert found["THRESHOLD"] == student.training["threshold"]
    page = (tmp_path / "report.html").read_text()
    assert "Gained on held-out precise labels" in page
    assert "Forgotten on earlier labels" in page


def test_precise_images_without_labels_are_refused(coarse: Job) -> None:
    lacking = replace(coarse, inputs={**coarse.inputs, "FINE_IMAGE": coarse.inputs["IMAGE"]})
    with pytest.raises(InputError, match="FINE_LABELS is missing, although FINE_IMAGE is given"):
        MineC2FNetRecipe().train(lacking, Progress())
    assert not Path(coarse.output("MODEL")).exists()


def test_a_refinement_needs_a_teacher(coarse: Job, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No teacher was given; choose the model file"):
        MineC2FNetRecipe().refine(replace(refinement(coarse, tmp_path), model=""), Progress())


def test_a_teacher_that_is_no_model_is_refused(coarse: Job, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="is not a model file"):
        MineC2FNetRecipe().refine(refinement(coarse, tmp_path), Progress())
