"""A prediction that is run again from its own record gives the same pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from terraweave.core.errors import InputError
from terraweave.core.families.das2f.apply import predict
from terraweave.core.job import Extent, Job, Source
from terraweave.core.progress import Event, Progress
from terraweave.core.record import TAG
from terraweave.core.rerun import compare
from terraweave.core.worker.run import run_job

Pairs = Callable[..., Any]


def job_again(job: Job, *, to: str = "again.tif", **changes: object) -> Job:
    """The rerun of `job`, as a person would ask for it: no settings, only files."""
    old = Path(job.output("CLASSES"))
    made = Job(
        "rerun",
        inputs={**job.inputs, "RESULT": (Source(str(old)),)},
        model=job.model,
        outputs={"CLASSES": str(old.with_name(to))},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def again(job: Job) -> tuple[dict[str, Any], list[Event]]:
    """The values of a run, and what it said."""
    events: list[Event] = []
    result = run_job(job, Progress(events.append))
    values = result["values"]
    assert isinstance(values, dict)
    return values, events


def pixels(path: str | Path) -> bytes:
    with rasterio.open(path) as data:
        return bytes(data.read(1).tobytes())


def test_rerun_gives_the_same_pixels_without_being_told_the_settings(pair: Pairs) -> None:
    job = pair(15, 17).job(mode="stride", stride=3)
    predict(job, Progress())
    values, events = again(job_again(job))
    assert values == {"PIXELS": 255, "DIFFERENT": 0, "IDENTICAL": True}
    new = Path(job.output("CLASSES")).with_name("again.tif")
    assert pixels(new) == pixels(job.output("CLASSES"))
    assert "All 255 pixels are the same as in classes.tif." in [one.get("text") for one in events]
    exact = replace(job, settings={"device": "cpu"}, outputs={"CLASSES": str(new)})
    predict(exact, Progress())
    assert pixels(new) != pixels(job.output("CLASSES")), "the settings would not have mattered"


def test_rerun_of_a_rerun_is_the_same_again(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    again(job_again(job))
    second = Path(job.output("CLASSES")).with_name("again.tif")
    assert again(job_again(replace(job, outputs={"CLASSES": str(second)}), to="third.tif"))[0][
        "IDENTICAL"
    ]


def test_part_of_a_scene_is_made_again_as_that_part(pair: Pairs) -> None:
    extent = Extent(500010, 5400000 - 20, 500030, 5400000 - 8, "EPSG:32632")
    job = replace(pair(15, 17).job(), extent=extent)
    predict(job, Progress())
    assert again(job_again(job))[0] == {"PIXELS": 60, "DIFFERENT": 0, "IDENTICAL": True}


def test_picked_bands_are_picked_again(pair: Pairs) -> None:
    scene = pair(9, 9)
    job = scene.job()
    order = {**job.inputs, "MS": (Source(str(scene.ms), bands=(3, 1, 2)),)}
    predict(replace(job, inputs=order), Progress())
    assert again(job_again(job))[0]["IDENTICAL"]


@pytest.mark.parametrize("role", ["MS", "PAN", "MODEL"])
def test_changed_input_is_refused_by_name_and_nothing_is_written(pair: Pairs, role: str) -> None:
    scene = pair(6, 7)
    job = scene.job()
    predict(job, Progress())
    if role == "MODEL":
        other = scene.folder / "other.safetensors"
        whole = bytearray(Path(job.model).read_bytes())
        whole[-1] ^= 1
        other.write_bytes(whole)
        job, name = replace(job, model=str(other)), other.name
    else:
        getattr(scene, f"{role.lower()}_values")[0, 2, 2] += 1
        scene.write()
        name = f"{role.lower()}.tif"
    with pytest.raises(InputError, match=rf"^{role} “{name}” is not the file .* made from") as told:
        again(job_again(job))
    assert "Choose that file, or run the prediction anew" in str(told.value)
    assert not (scene.folder / "again.tif").exists()


def test_missing_input_is_asked_for_by_name(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    inputs = job_again(job).inputs
    lacking = {role: some for role, some in inputs.items() if role != "PAN"}
    with pytest.raises(InputError, match=r"made from PAN “pan\.tif”, which is missing"):
        again(job_again(job, inputs=lacking))
    with pytest.raises(InputError, match="made from MODEL “random.safetensors”, which is missing"):
        again(job_again(job, model=""))


def test_raster_without_a_record_is_refused(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    with rasterio.open(job.output("CLASSES"), "r+") as data:
        data.update_tags(**{TAG: ""})
    with pytest.raises(InputError, match=r"classes\.tif does not say how it was made"):
        again(job_again(job))


def test_settings_that_this_version_does_not_know_are_refused(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    with rasterio.open(job.output("CLASSES"), "r+") as data:
        text = data.tags()[TAG]
        data.update_tags(**{TAG: text.replace('"stride":', '"strode":')})
    with pytest.raises(InputError, match="There is no setting “strode”"):
        again(job_again(job))


def test_confidence_raster_is_no_result_to_compare(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    confidence = (Source(job.output("CONFIDENCE")),)
    with pytest.raises(InputError, match=r"is a raster of numbers; choose the class raster"):
        again(job_again(job, inputs={**job.inputs, "RESULT": confidence}))


def test_result_itself_is_never_written_over(pair: Pairs) -> None:
    job = pair(6, 7).job()
    with pytest.raises(InputError, match=r"The output CLASSES is the same file as an input"):
        again(job_again(job, to="classes.tif"))


def test_other_versions_are_said(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    with rasterio.open(job.output("CLASSES"), "r+") as data:
        text = data.tags()[TAG]
        data.update_tags(**{TAG: text.replace(f'"numpy": "{np.__version__}"', '"numpy": "0.1"')})
    _, events = again(job_again(job))
    told = [str(one["text"]) for one in events if one.get("level") == "warning"]
    assert any(f"numpy 0.1 then, {np.__version__} now" in one for one in told)


def test_difference_counts_pixels(pair: Pairs) -> None:
    job = pair(6, 7).job()
    predict(job, Progress())
    other = Path(job.output("CLASSES")).with_name("other.tif")
    other.write_bytes(Path(job.output("CLASSES")).read_bytes())
    with rasterio.open(other, "r+") as data:
        values = data.read(1)
        values[2, 3:5] = 0
        data.write(values, 1)
    found = compare(job.output("CLASSES"), other)
    assert (found.pixels, found.different, found.identical) == (42, 2, False)
    assert found.sentence("a.tif") == "2 of 42 pixels (4.76%) differ from a.tif."
