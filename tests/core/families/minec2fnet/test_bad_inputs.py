"""What does not fit is said with its remedy before any work, or put right and said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from terraweave.core.card import read_card
from terraweave.core.errors import InputError, ModelFileError, TerraweaveError
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.recipe import MineC2FNetRecipe
from terraweave.core.families.minec2fnet.view import ImageView
from terraweave.core.job import Features, Job
from terraweave.core.progress import Event, Progress
from terraweave.core.segmentation.sites import read_sites

from .places import (
    COLOURS,
    QUICK,
    WHOLE,
    in_degrees,
    layer,
    refinement_of,
    scenes,
    site,
    write_teacher,
)


@pytest.fixture
def refining(tmp_path: Path) -> Job:
    """A refinement that can work."""
    image, square = site(tmp_path, 0, 1)
    teacher = write_teacher(tmp_path / "teacher.safetensors")
    return refinement_of(teacher, (image,), layer(tmp_path, "mine", [square]), tmp_path)


@pytest.fixture
def two_stages(tmp_path: Path) -> Job:
    """A training in two stages that can work, on two coarse sites and a fine one."""
    images, labels = scenes(tmp_path, range(2), "coarse")
    further, fine = scenes(tmp_path, range(2, 3), "fine")
    return Job(
        "train",
        "minec2fnet",
        inputs={"IMAGE": images, "FINE_IMAGE": further},
        labels=labels,
        features={"FINE_LABELS": fine},
        settings={**QUICK, **WHOLE, "fine_epochs": 1},
        outputs={"MODEL": str(tmp_path / "model.safetensors")},
    )


def refused(job: Job, sentence: str, kind: type[TerraweaveError] = InputError) -> None:
    """The job is refused with the sentence before any epoch, and nothing is written."""
    events: list[Event] = []
    work = MineC2FNetRecipe().refine if job.task == "refine" else MineC2FNetRecipe().train
    before = Path(job.model).read_bytes() if job.model else b""
    with pytest.raises(kind, match=sentence):
        work(job, Progress(events.append))
    assert not [one for one in events if one["event"] == "epoch"]
    folder = Path(job.output("MODEL")).parent
    assert [one.name for one in folder.glob("*.safetensors")] == [
        Path(one).name for one in [job.model] if one
    ]
    assert before == (Path(job.model).read_bytes() if job.model else b"")


def said(job: Job) -> list[str]:
    """What a run that works has to say."""
    events: list[Event] = []
    work = MineC2FNetRecipe().refine if job.task == "refine" else MineC2FNetRecipe().train
    work(job, Progress(events.append))
    return [str(one.get("text")) for one in events]


def test_other_classes_than_the_teachers_are_refused(refining: Job, tmp_path: Path) -> None:
    _, square = site(tmp_path, 0, 1)
    lakes = layer(tmp_path, "lakes", [square], called="Lake")
    refused(
        replace(refining, labels=lakes),
        "“kind” of lakes holds “Lake”, and the model knows “Mine”. Choose another field",
    )


def test_other_classes_in_the_second_stage_are_refused_before_the_first(
    two_stages: Job, tmp_path: Path
) -> None:
    _, square = site(tmp_path, 2, 102)
    lakes = layer(tmp_path, "lakes", [square], called="Lake")
    refused(replace(two_stages, features={"FINE_LABELS": lakes}), "holds “Lake”, and the model")


def test_each_missing_area_is_named_once(two_stages: Job, tmp_path: Path) -> None:
    told = [one for one in said(two_stages) if "No surveyed area" in one]
    assert [one.split(")")[0] for one in told] == [
        "No surveyed area (AREA", "No surveyed area (FINE_AREA",
    ]  # fmt: skip
    assert "all ground outside fine counts as background" in told[1]
    (tmp_path / "again").mkdir()
    teacher = write_teacher(tmp_path / "again" / "teacher.safetensors")
    old = two_stages.inputs["IMAGE"]
    assert two_stages.labels is not None
    job = refinement_of(
        teacher, two_stages.inputs["FINE_IMAGE"], two_stages.features["FINE_LABELS"], tmp_path
    )
    with_old = replace(
        job,
        inputs={**job.inputs, "OLD_IMAGE": old},
        features={"OLD_LABELS": two_stages.labels},
    )
    told = [one for one in said(with_old) if "No surveyed area" in one]
    assert [one.split(")")[0] for one in told] == [
        "No surveyed area (AREA", "No surveyed area (OLD_AREA",
    ]  # fmt: skip


def test_other_classes_beside_the_familys_are_background(refining: Job, tmp_path: Path) -> None:
    _, square = site(tmp_path, 0, 1)
    away = [[[x + 310, y] for x, y in square[0]]]
    mines = json.loads(Path(layer(tmp_path, "both", [square], called="mine").path).read_text())
    woods = json.loads(Path(layer(tmp_path, "woods", [away], called="wood").path).read_text())
    mines["features"] += woods["features"]
    both = layer(tmp_path, "both", [square], called="mine")
    Path(both.path).write_text(json.dumps(mines))
    told: list[Event] = []
    job = replace(refining, labels=both)
    card = read_card(refining.model)
    (found,) = read_sites(
        job, MINEC2FNET, lambda facts: ImageView(3), 10.0, Progress(told.append), start=card
    ).sites
    assert (found.target == 1).sum() == 30 * 30
    assert (found.target == 0).sum() == found.target.size - 30 * 30
    sentence = "In the field “kind” of both “mine” is the class; “wood” counts as background."
    assert [one.get("text") for one in told].count(sentence) == 1


def test_another_band_count_is_refused(refining: Job, two_stages: Job, tmp_path: Path) -> None:
    image, _ = site(tmp_path, 0, 1, bands=("", ""))
    sentence = "has 2 bands; the model was trained on 3 bands .*Choose those bands"
    refused(replace(refining, inputs={"IMAGE": (image,)}), sentence)
    (tmp_path / "teacher.safetensors").unlink()
    image, _ = site(tmp_path, 2, 102, bands=("", ""))
    refused(replace(two_stages, inputs={**two_stages.inputs, "FINE_IMAGE": (image,)}), sentence)


def test_another_band_order_is_put_right_by_name_and_said(refining: Job, tmp_path: Path) -> None:
    image, _ = site(tmp_path, 0, 1, bands=COLOURS[::-1])
    told = said(replace(refining, inputs={"IMAGE": (image,)}))
    assert any("are put in the model's order by their names" in one for one in told)
    bands = read_card(refining.output("MODEL")).inputs[0].bands
    assert tuple(one.name for one in bands) == COLOURS


def test_finer_pixels_are_resampled_and_said(refining: Job, tmp_path: Path) -> None:
    image, _ = site(tmp_path, 0, 1, gsd=5.0)
    told = said(replace(refining, inputs={"IMAGE": (image,)}))
    assert any("resampled" in one and "to the network's grid of 10 m" in one for one in told)


def test_slightly_coarser_pixels_are_worked_at_the_teachers_size_and_said(
    refining: Job, tmp_path: Path
) -> None:
    image, _ = site(tmp_path, 0, 1, gsd=12.0)
    told = said(replace(refining, inputs={"IMAGE": (image,)}))
    assert any("has pixels of 12 m; the model works at 10 m" in one for one in told)
    assert read_card(refining.output("MODEL")).architecture["working_gsd"] == 10.0


def test_much_coarser_pixels_are_refused(refining: Job, tmp_path: Path) -> None:
    image, _ = site(tmp_path, 0, 1, gsd=40.0)
    refused(
        replace(refining, inputs={"IMAGE": (image,)}),
        "has pixels of 40 m; the model works at 10 m .*Choose an image of at most 15 m",
    )


def test_a_teacher_of_another_family_is_refused(refining: Job, tmp_path: Path) -> None:
    write_teacher(tmp_path / "teacher.safetensors", family="hpclnet")
    refused(refining, "is of the family hpclnet; choose a model that", ModelFileError)


@pytest.mark.parametrize(
    ("size", "sentence"), [(0.9, "damaged|truncated|shorter"), (0.0, "is not a model file")]
)
def test_a_damaged_teacher_is_refused(refining: Job, size: float, sentence: str) -> None:
    path = Path(refining.model)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size * len(whole))])
    refused(refining, sentence, ModelFileError)


def test_a_teacher_without_a_pixel_size_is_refused(refining: Job, tmp_path: Path) -> None:
    write_teacher(tmp_path / "teacher.safetensors", working_gsd="many")
    refused(refining, "has no working pixel size; the file is damaged", ModelFileError)


def test_no_polygon_inside_the_scene_is_refused(refining: Job, two_stages: Job) -> None:
    sentence = "No feature of {} lies in the scene .*choose labels of the same place"
    away = replace(refining, inputs={"IMAGE": two_stages.inputs["FINE_IMAGE"]})
    refused(away, sentence.format("mine"))
    Path(refining.model).unlink()
    coarse = {"FINE_IMAGE": two_stages.inputs["IMAGE"][:1]}
    refused(replace(two_stages, inputs={**two_stages.inputs, **coarse}), sentence.format("fine"))


def test_precise_ground_without_images_and_labels_is_refused(two_stages: Job) -> None:
    area = {"FINE_AREA": two_stages.features["FINE_LABELS"]}
    lonely = replace(two_stages, inputs={"IMAGE": two_stages.inputs["IMAGE"]}, features=area)
    refused(lonely, "FINE_IMAGE and FINE_LABELS are missing, although FINE_AREA is given")


def test_precise_labels_without_images_are_refused(two_stages: Job) -> None:
    lonely = replace(two_stages, inputs={"IMAGE": two_stages.inputs["IMAGE"]})
    refused(lonely, "FINE_IMAGE is missing, although FINE_LABELS is given; give both, or none")


def spots(kind: str, square: list[list[list[float]]]) -> list[object]:
    """The corners of a square as points, or its outline as a line."""
    return [*square[0]] if kind == "Point" else [square[0]]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("Point", "spots holds 5 points; this family learns outlines, so choose polygons"),
        ("LineString", "spots holds 1 feature with lines; use polygons"),
    ],
)
def test_points_and_lines_are_refused(
    refining: Job, two_stages: Job, tmp_path: Path, kind: str, sentence: str
) -> None:
    wrong = layer(tmp_path, "spots", spots(kind, site(tmp_path, 0, 1)[1]), kind=kind)
    refused(replace(refining, labels=wrong), sentence)
    Path(refining.model).unlink()
    there = layer(tmp_path, "spots", spots(kind, site(tmp_path, 2, 102)[1]), kind=kind)
    refused(replace(two_stages, features={"FINE_LABELS": there}), sentence)


def test_earlier_labels_that_do_not_fit_are_refused_before_refining(
    refining: Job, two_stages: Job
) -> None:
    old = {**refining.inputs, "OLD_IMAGE": two_stages.inputs["FINE_IMAGE"]}
    away: dict[str, Features] = {"OLD_LABELS": refining.labels} if refining.labels else {}
    refused(replace(refining, inputs=old, features=away), "No feature of mine lies in the scene")


def test_one_scene_is_enough_for_both_stages(tmp_path: Path) -> None:
    image, square = site(tmp_path, 0, 1)
    labels = layer(tmp_path, "labels", [square])
    told = said(
        Job(
            "train",
            "minec2fnet",
            inputs={"IMAGE": (image,), "FINE_IMAGE": (image,)},
            labels=labels,
            features={"FINE_LABELS": labels},
            settings={**QUICK, "fine_epochs": 1, "validation_share": 0.3, "block": 16},
            outputs={"MODEL": str(tmp_path / "model.safetensors")},
        )
    )
    assert any("judges the precise stage" in one for one in told)
    assert read_card(tmp_path / "model.safetensors").metrics["classes"]


def test_sites_in_different_zones_are_worked_in_metres(tmp_path: Path) -> None:
    first, one = site(tmp_path, 0, 1)
    second, other = site(tmp_path, 0, 2, crs="EPSG:32733", west=400_000.0)
    squares = [*in_degrees([one], "EPSG:32632"), *in_degrees([other], "EPSG:32733")]
    labels = layer(tmp_path, "labels", squares, crs="EPSG:4326")
    said(
        Job(
            "train",
            "minec2fnet",
            inputs={"IMAGE": (first, second)},
            labels=labels,
            settings={**QUICK, **WHOLE},
            outputs={"MODEL": str(tmp_path / "model.safetensors")},
        )
    )
    assert read_card(tmp_path / "model.safetensors").architecture["working_gsd"] == 10.0
