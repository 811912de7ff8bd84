"""A map of one class says where it found nothing, and that is not the same as missing data."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from terraweave.core.accuracy.sampling import sample_points
from terraweave.core.classes import MapClass
from terraweave.core.job import Job, Source
from terraweave.core.progress import Progress
from terraweave.core.scene.sink import ClassSink

from .conftest import Workbench

SCAR = (MapClass(1, "scar", "#d55e00"),)


def write(bench: Workbench, values: np.ndarray) -> Path:
    """A map of one class as a segmenting family writes it: 0 = nothing found, 255 = missing."""
    path, grid = bench.folder / "map.tif", bench.grid(*values.shape)
    with ClassSink(path, grid, SCAR, background=True) as sink:
        sink.write(grid.window, values)
    return path


@pytest.fixture
def mapped() -> np.ndarray:
    """20 × 30 pixels: a scar of 6 × 8, and two columns of missing data."""
    values = np.zeros((20, 30), np.uint8)
    values[4:10, 5:13] = 1
    values[:, 28:] = 255
    return values


def test_zero_is_background_and_255_is_missing(bench: Workbench, mapped: np.ndarray) -> None:
    reference = bench.layer([shapely.box(5, 4, 15, 10), shapely.box(26, 15, 30, 20)], {})
    found = bench.assess(write(bench, mapped), reference, unmarked="background")
    assert found["PIXELS"] == 20 * 28
    # 48 of the 60 + 10 reference pixels that the map has are found, and nothing is invented.
    assert found["IOU"] == pytest.approx(48 / 70)
    assert found["F1"] == pytest.approx(2 * 48 / (48 + 70))
    assert not any("shows one class and nothing else" in one for one in bench.warnings)
    assert any("the map is empty" in one for one in bench.warnings)


def test_a_map_of_one_class_needs_no_word_about_unmarked_ground(
    bench: Workbench, mapped: np.ndarray
) -> None:
    reference = bench.layer([shapely.box(5, 4, 15, 10), shapely.box(26, 15, 30, 20)], {})
    found = bench.assess(write(bench, mapped), reference)
    assert found["IOU"] == pytest.approx(48 / 70)
    truth = np.zeros((20, 30), np.uint8)
    truth[4:10, 5:15] = 1
    raster = bench.folder / "truth.tif"
    with ClassSink(raster, bench.grid(20, 30), SCAR, background=True) as sink:
        sink.write(bench.grid(20, 30).window, truth)
    assert bench.assess(write(bench, mapped), raster)["IOU"] == pytest.approx(48 / 60)


def test_nor_does_one_whose_reference_has_a_field_of_that_one_class(
    bench: Workbench, mapped: np.ndarray
) -> None:
    shapes = [shapely.box(5, 4, 15, 10), shapely.box(26, 15, 30, 20)]
    reference = bench.layer(shapes, {"class": ["scar", "scar"]})
    found = bench.assess(write(bench, mapped), reference, field="class")
    assert found["IOU"] == pytest.approx(48 / 70)


def test_a_map_that_is_all_class_does_not_take_missing_data_for_background(
    bench: Workbench, mapped: np.ndarray
) -> None:
    mapped[mapped == 0] = 1
    reference = bench.layer([shapely.box(0, 0, 14, 20)], {})
    found = bench.assess(write(bench, mapped), reference, unmarked="background")
    assert found["PIXELS"] == 20 * 28
    assert found["IOU"] == pytest.approx(0.5)
    assert not any("shows one class and nothing else" in one for one in bench.warnings)


def test_a_class_that_only_the_reference_has_is_background(
    bench: Workbench, mapped: np.ndarray
) -> None:
    reference = bench.layer(
        [shapely.box(5, 4, 15, 10), shapely.box(0, 12, 10, 20)], {"kind": ["scar", "stable"]}
    )
    found = bench.assess(write(bench, mapped), reference, field="kind")
    assert found["PIXELS"] == 60 + 80
    assert found["OA"] == pytest.approx((48 + 80) / 140)


def test_sample_points_are_drawn_from_the_background_too(
    bench: Workbench, mapped: np.ndarray
) -> None:
    job = Job(
        "samplepoints",
        inputs={"CLASSES": (Source(str(write(bench, mapped))),)},
        settings={"number": 60, "least": 20},
        outputs={"POINTS": str(bench.folder / "points.gpkg")},
    )
    found = sample_points(job, Progress(bench.events.append))
    said = [str(one["text"]) for one in bench.events if one["event"] == "log"]
    assert "scar: 20 points of 48 pixels." in said
    assert "everything else: 40 points of 512 pixels." in said
    assert found["COUNT"] == 60
