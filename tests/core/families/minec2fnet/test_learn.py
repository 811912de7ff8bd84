"""Whole trainings on tiny scenes: one stage, two, a refinement, and a prediction after it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rasterio
from terraweave.core.card import read_card
from terraweave.core.errors import InputError, ModelFileError
from terraweave.core.families.minec2fnet.recipe import MineC2FNetRecipe
from terraweave.core.families.minec2fnet.settings import REFINE_SETTINGS
from terraweave.core.job import Job
from terraweave.core.model_file import read_weights
from terraweave.core.progress import Event, Progress
from terraweave.core.provenance import fingerprint

from .places import EDGE, QUICK, WHOLE, refinement, refinement_of, scenes, write_teacher


def _tables(path: Path) -> list[dict[str, Any]]:
    """The tables of a report's numbers."""
    return json.loads(path.read_text())["tables"]


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
    events: list[Event] = []
    found = MineC2FNetRecipe().train(both, Progress(events.append))
    teacher = read_card(tmp_path / "model_teacher.safetensors")
    student = read_card(coarse.output("MODEL"))
    assert student.inputs[0].mean == teacher.inputs[0].mean
    assert found["THRESHOLD"] == student.training["threshold"]
    page = (tmp_path / "report.html").read_text()
    assert "Gained on held-out precise labels" in page
    assert "Forgotten on earlier labels" in page
    assert "loses points here without being worse" in page
    (gained,) = [one for one in _tables(tmp_path / "report.json") if "Gained" in one["title"]]
    before, after = (row[2] for row in gained["rows"][1:])
    assert found["TEACHER_IOU"] == before
    assert found["GAIN"] == pytest.approx(after - before)
    told = [str(one.get("text")) for one in events]
    (line,) = [one for one in told if one.startswith("On held-out precise labels")]
    assert line in json.loads((tmp_path / "report.json").read_text())["summary"]
    assert "The teacher is kept as model_teacher.safetensors and its report as" in " ".join(told)
    of_teacher = json.loads((tmp_path / "report_teacher.json").read_text())
    assert of_teacher["card"]["name"] == "model_teacher"
    assert of_teacher["scores"]
    assert of_teacher["epochs"]
    assert "How the teacher learnt from coarse outlines is told in report_teacher.html" in page


def test_the_comparison_is_told_without_a_report_too(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "first.safetensors", ("", "", ""))
    images, labels = scenes(tmp_path, range(4), "fine")
    job = refinement_of(path, images, labels, tmp_path)
    job = replace(job, settings={**job.settings, "epochs": 1, "validation_share": 0.3})
    events: list[Event] = []
    found = MineC2FNetRecipe().refine(job, Progress(events.append))
    assert found["GAIN"] == pytest.approx(found["IOU"] - found["TEACHER_IOU"])
    told = [str(one.get("text")) for one in events]
    assert any(
        one.startswith("On held-out precise labels in 1 scene the refined model") for one in told
    )


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


def test_a_refined_model_names_its_teacher_and_remembers_its_scores(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "first.safetensors", ("", "", ""))
    images, labels = scenes(tmp_path, range(4), "fine")
    job = refinement_of(path, images, labels, tmp_path)
    job = replace(job, settings={**job.settings, "epochs": 1, "validation_share": 0.3})
    MineC2FNetRecipe().refine(job, Progress())
    card = read_card(job.output("MODEL"))
    assert card.provenance["earlier_model"] == {"name": "first", "sha256": fingerprint(path)}
    assert set(card.provenance["settings"]) == {one.key for one in REFINE_SETTINGS}
    again = replace(
        job,
        model=job.output("MODEL"),
        outputs={
            "MODEL": str(tmp_path / "again.safetensors"),
            "REPORT": str(tmp_path / "again.html"),
        },
    )
    MineC2FNetRecipe().refine(again, Progress())
    before = read_card(again.output("MODEL")).metrics["earlier"]
    assert [one["model"] for one in before] == ["refined", "first"]
    assert before[1]["classes"][0]["iou"] == 0.5
    page = json.loads((tmp_path / "again.json").read_text())
    (table,) = [one for one in page["tables"] if one["title"].startswith("Earlier models")]
    assert [row[0] for row in table["rows"]] == ["refined", "first"]
    assert "profile" not in page["settings"]
    assert "What cleaning costs on held-out ground" in [one["title"] for one in page["tables"]]


def test_without_held_out_ground_the_teachers_threshold_is_kept(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "first.safetensors", ("", "", ""))
    images, labels = scenes(tmp_path, range(1), "fine")
    job = refinement_of(path, images, labels, tmp_path)
    MineC2FNetRecipe().refine(replace(job, settings={**job.settings, "epochs": 1}), Progress())
    assert read_card(job.output("MODEL")).training["threshold"] == 0.4


def test_images_in_other_units_than_the_models_are_told(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "first.safetensors", ("", "", ""))
    old, old_labels = scenes(tmp_path, range(1), "coarse")
    images, labels = scenes(tmp_path, range(1, 2), "fine")
    with rasterio.open(images[0].path) as file:
        profile, values = {**file.profile, "dtype": "float32"}, file.read()
    with rasterio.open(images[0].path, "w", **profile) as file:
        file.write((values / 10000).astype("float32"))
    said: list[str] = []

    def heard() -> Progress:
        return Progress(lambda event: said.append(str(event)))

    job = refinement_of(path, images, labels, tmp_path)
    job = replace(job, settings={**job.settings, "epochs": 1})
    recipe = MineC2FNetRecipe()
    recipe.refine(job, heard())
    assert any("times smaller than those of the model" in one for one in said)
    predict = Job(
        task="predict",
        family="minec2fnet",
        model=str(path),
        inputs={"IMAGE": images},
        settings={"device": "cpu"},
        outputs={"CLASSES": str(tmp_path / "classes.tif")},
    )
    said.clear()
    recipe.predict(predict, heard())
    assert any("times smaller than those of the model" in one for one in said)
    said.clear()
    told = replace(
        job,
        inputs={"IMAGE": images, "OLD_IMAGE": old},
        features={"OLD_LABELS": old_labels},
        settings={**job.settings, "reflectance_scale": 10000.0},
        outputs={**job.outputs, "REPORT": str(tmp_path / "told.html")},
    )
    recipe.refine(told, heard())
    assert not any("times smaller" in one for one in said)
    alike = replace(
        told,
        inputs={"IMAGE": old, "OLD_IMAGE": old},
        labels=old_labels,
        settings=job.settings,
        outputs={**job.outputs, "REPORT": str(tmp_path / "alike.html")},
    )
    recipe.refine(alike, Progress())
    before = [
        next(
            one
            for one in json.loads((tmp_path / name).read_text())["tables"]
            if one["title"].startswith("Forgotten")
        )["rows"][0]
        for name in ("told.json", "alike.json")
    ]
    assert before[0] == before[1]
