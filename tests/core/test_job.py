"""The job document: what goes in comes out, and what does not fit is named."""

import json

import pytest
from terraweave.core.classes import MapClass
from terraweave.core.errors import JobError
from terraweave.core.job import Extent, Features, Job, Source

JOB = Job(
    task="train",
    family="das2f",
    inputs={"MS": (Source("a.tif", "A", (3, 1)),), "PAN": (Source("b.tif"),),
            "CLASSES": (Source("c.tif", classes=(MapClass(7, "lake", "#0072b2"),)),)},
    labels=Features("l.geojson", "Labels", field="class", crs="EPSG:32632",
                    classes=(MapClass(1, "water", "#0072b2"),)),
    area=Features("area.gpkg", layer="area"),
    model="start.safetensors",
    extent=Extent(0.0, 1.0, 2.0, 3.0, "EPSG:4326"),
    features={"FINE_LABELS": Features("fine.gpkg", field="kind")},
    settings={"epochs": 3},
    outputs={"MODEL": "m.safetensors"},
    about="train",
)  # fmt: skip


def test_job_survives_its_document() -> None:
    assert Job.from_text(json.dumps(JOB.to_json())) == JOB


def test_smallest_document_is_a_job() -> None:
    assert Job.from_json({"terraweave_job": 1, "task": "inspect"}) == Job("inspect")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"terraweave_job": 2}, "version 2; this worker understands 1"),
        ({"surprise": 1}, "unknown part “surprise”"),
        ({"inputs": {"MS": [{}]}}, "input MS in the job document has no path"),
        ({"inputs": {"MS": [{"path": "a", "bands": [0]}]}}, r"bands of input MS are \[0\]"),
        ({"inputs": {"MS": [{"path": "a", "classes": "x"}]}}, "classes of input MS .* be a list"),
        ({"labels": {"name": "x"}}, "“labels” in the job document has no path"),
        ({"features": {"FINE_LABELS": {"name": "x"}}}, "“FINE_LABELS” in the job document has no"),
        ({"extent": {"west": 1}}, "needs the numbers west, south, east, north"),
        ({"extent": {"west": 2, "south": 0, "east": 1, "north": 1, "crs": ""}}, "is empty"),
        ({"outputs": {"MODEL": 3}}, "“MODEL” in the job document is 3"),
        ({"settings": []}, "“settings” in the job document"),
    ],
)
def test_document_that_does_not_fit_is_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(JobError, match=complaint):
        Job.from_json({**JOB.to_json(), **change})


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(JobError, match="is not JSON"):
        Job.from_text("{")


def test_raster_without_a_name_is_called_by_its_file() -> None:
    assert Source("C:\\data\\scene.tif").title == "scene.tif"
