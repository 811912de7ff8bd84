"""What the subcommands make of their arguments."""

from pathlib import Path

import pytest
from terraweave.core.errors import InputError
from terraweave.core.job import Features, Job, Source
from terraweave.core.worker import command

SCENE = ["--image", "a.tif", "b.tif", "--labels", "l.gpkg", "--model", "m.safetensors"]


def job_of(*arguments: str) -> Job:
    """The job behind a command line."""
    return command._job(command._parser().parse_args(arguments))


def test_training_in_two_stages() -> None:
    job = job_of(
        "train", "minec2fnet", *SCENE, "--class-field", "kind", "--fine-image", "f.tif",
        "--fine-labels", "f.gpkg", "--fine-class-field", "what", "--fine-area", "fa.gpkg",
        "--fine-epochs", "2",
    )  # fmt: skip
    assert job.task == "train"
    assert job.inputs == {
        "IMAGE": (Source("a.tif"), Source("b.tif")), "FINE_IMAGE": (Source("f.tif"),),
    }  # fmt: skip
    assert job.labels == Features("l.gpkg", field="kind")
    assert job.features == {
        "FINE_LABELS": Features("f.gpkg", field="what"), "FINE_AREA": Features("fa.gpkg"),
    }  # fmt: skip
    assert job.settings == {"fine_epochs": "2"}


def test_training_in_one_stage_has_no_further_scenes() -> None:
    job = job_of("train", "minec2fnet", *SCENE)
    assert set(job.inputs) == {"IMAGE"}
    assert not job.features
    assert job.model == ""


def test_a_folder_stands_for_its_rasters(tmp_path: Path) -> None:
    for name in ("b.tif", "a.vrt", "a.txt"):
        (tmp_path / name).touch()
    scenes = ["--image", str(tmp_path), "x.tif", *SCENE[3:]]
    job = job_of("train", "minec2fnet", *scenes)
    paths = [one.path for one in job.inputs["IMAGE"]]
    assert paths == [str(tmp_path / "a.vrt"), str(tmp_path / "b.tif"), "x.tif"]


def test_a_folder_without_rasters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no raster .*choose another folder"):
        job_of("train", "minec2fnet", "--image", str(tmp_path), *SCENE[3:])


def test_refining() -> None:
    job = job_of(
        "refine", "minec2fnet", *SCENE, "--teacher", "t.safetensors", "--old-image", "o.tif",
        "--old-labels", "o.gpkg", "--trust", "hard", "--report", "r.html",
    )  # fmt: skip
    assert job.task == "refine"
    assert job.model == "t.safetensors"
    assert job.outputs == {"MODEL": "m.safetensors", "REPORT": "r.html"}
    assert job.inputs["OLD_IMAGE"] == (Source("o.tif"),)
    assert job.features == {"OLD_LABELS": Features("o.gpkg")}
    assert job.settings == {"trust": "hard"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["refine", "minec2fnet", *SCENE], "--teacher"),
        (["refine", "das2f"], "invalid choice: 'das2f'"),
        (["refine", "minec2fnet", *SCENE, "--teacher", "t", "--profile", "small"], "--profile"),
        (["train", "hpclnet", "--fine-labels", "f.gpkg"], "required"),
    ],
)
def test_what_a_stage_does_not_have_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        job_of(*arguments)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("task", ["train", "refine", "predict"])
def test_help_shows_no_names_of_the_programs_own(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command._parser().parse_args([task, "minec2fnet", "--help"])
    text = capsys.readouterr().out
    assert "--image FILE" in text
    assert not [one for one in ("SETTING_", "ROLE_", "FEATURES_", "FIELD_") if one in text]
