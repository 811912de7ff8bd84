"""Names of files that are refused before any work."""

from pathlib import Path

import pytest
from terraweave.core.errors import InputError
from terraweave.core.job import Features, Job, Source
from terraweave.core.worker.files import check_files


def job(task: str = "predict", **parts: object) -> Job:
    """A job with an image pair, labels and a model."""
    given: dict[str, object] = {
        "inputs": {"MS": (Source("ms.tif"),), "PAN": (Source("pan.tif"),)},
        "labels": Features("labels.gpkg"),
        "model": "model.safetensors",
        "outputs": {"CLASSES": "classes.tif"},
        **parts,
    }
    return Job(task, "das2f", **given)  # type: ignore[arg-type]


def test_usual_job_passes() -> None:
    check_files(job(outputs={"CLASSES": "c.tif", "POLYGONS": "p.gpkg", "CONFIDENCE": ""}))


@pytest.mark.parametrize("name", ["ms.tif", "./pan.tif", "labels.gpkg", "model.safetensors"])
def test_output_over_an_input_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="same file as an input"):
        check_files(job(outputs={"FOLDER": name}))


def test_input_behind_a_link_is_recognised(tmp_path: Path) -> None:
    image, link = tmp_path / "image.tif", tmp_path / "link.tif"
    image.write_bytes(b"image")
    link.symlink_to(image)
    inputs = {"MS": (Source(str(image)),)}
    with pytest.raises(InputError, match="same file as an input, “image.tif”"):
        check_files(job(inputs=inputs, outputs={"CLASSES": str(link)}))


def test_two_outputs_in_one_file_are_refused() -> None:
    with pytest.raises(InputError, match="CLASSES and CONFIDENCE are the same file"):
        check_files(job(outputs={"CLASSES": "a.tif", "CONFIDENCE": "a.tif"}))


@pytest.mark.parametrize(
    ("key", "name", "wanted"),
    [
        ("REPORT", "report", ".html or .htm"),
        ("MODEL", "model", ".safetensors"),
        ("POLYGONS", "polygons.txt", ".gpkg"),
        ("CLASSES", "classes.png", ".tif or .tiff"),
    ],
)
def test_unfitting_ending_is_refused_with_the_remedy(key: str, name: str, wanted: str) -> None:
    with pytest.raises(InputError, match=f"{key} is named “{name}”; let its name end in {wanted}"):
        check_files(job("train", outputs={key: name}))


def test_scene_given_twice_is_refused() -> None:
    inputs = {"MS": (Source("ms.tif"), Source("./ms.tif")), "PAN": (Source("pan.tif"),)}
    with pytest.raises(InputError, match=r"ms\.tif was given twice as MS"):
        check_files(job(inputs=inputs))


def test_training_may_replace_the_model_it_goes_on_from() -> None:
    check_files(job("train", outputs={"MODEL": "model.safetensors"}))


def test_an_estimate_of_a_training_is_checked_as_a_training() -> None:
    outputs = {"MODEL": "model.safetensors"}
    check_files(job("estimate", outputs=outputs, about="train"))
    with pytest.raises(InputError, match="MODEL is the same file as an input"):
        check_files(job("estimate", outputs=outputs, about="refine"))
