"""Sample points follow the recommended sizes and lie where the map has their class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import pytest
import shapely
from terraweave.core.accuracy.sampling import expected_accuracies, sample_points, sample_sizes
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress

if TYPE_CHECKING:
    from .conftest import Workbench

Truth = Callable[..., np.ndarray]
# The worked example of Olofsson et al. (2014).
MAPPED = (200_000, 150_000, 3_200_000, 6_450_000)
EXPECTED = (0.7, 0.6, 0.9, 0.95)


def test_worked_example_needs_641_points_and_gives_rare_classes_their_least() -> None:
    proportional = sample_sizes(MAPPED, EXPECTED, standard_error=0.01, least=0)
    assert proportional.sum() == 641
    sizes = sample_sizes(MAPPED, EXPECTED, standard_error=0.01, least=75)
    assert sizes.tolist() == [75, 75, 163, 328]


def test_no_class_gets_more_points_than_pixels_and_an_empty_one_none() -> None:
    sizes = sample_sizes((10, 0, 1000), (0.8, 0.8, 0.8), standard_error=0.02, least=50)
    assert sizes.tolist()[:2] == [10, 0]
    assert sizes[2] >= 50


def test_total_replaces_the_standard_error() -> None:
    sizes = sample_sizes((600, 400), (0.8, 0.8), standard_error=0.01, least=10, total=100)
    assert sizes.tolist() == [60, 40]


CLASSES = (MapClass(1, "water", "#0072b2"), MapClass(2, "field", "#e69f00"))


@pytest.mark.parametrize(
    ("text", "found"),
    [("0.9", [0.9, 0.9]), ("Water=0.5, 0.8", [0.5, 0.8]), ("2=0.6", [0.85, 0.6]), ("", [0.85] * 2)],
)
def test_expected_accuracies_are_read(text: str, found: list[float]) -> None:
    assert expected_accuracies(text, CLASSES) == found


@pytest.mark.parametrize(
    ("text", "why"), [("1.2", "no number from 0 to 1"), ("lake=0.5", "no class “lake”"), ("x", "x")]
)
def test_expected_accuracy_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        expected_accuracies(text, CLASSES)


def drawn(on: Path, area: Path | None = None, **settings: object) -> list[tuple[int, int]]:
    """Row and column of the points of a run, on a grid of 10 m."""
    path = on.with_name("points.gpkg")
    job = Job(
        "samplepoints",
        inputs={"CLASSES": (Source(str(on)),)},
        area=Features(str(area)) if area else None,
        settings=settings,
        outputs={"POINTS": str(path)},
    )
    assert sample_points(job, Progress())["COUNT"] == pyogrio.read_info(path)["features"]
    x, y = shapely.get_coordinates(shapely.from_wkb(pyogrio.raw.read(path)[2])).T
    columns, rows = (x - 500_000) / 10, (5_000_000 - y) / 10
    assert np.allclose(columns % 1, 0.5)
    assert np.allclose(rows % 1, 0.5)
    return list(zip(rows.astype(int).tolist(), columns.astype(int).tolist(), strict=True))


def test_points_are_distinct_pixels_with_the_wanted_number_in_each_class(
    bench: Workbench, truth: Truth
) -> None:
    values = truth()
    values[:5] = 0
    spots = drawn(bench.map(values), number=90, least=20)
    assert len(set(spots)) == len(spots)
    assert Counter(int(values[spot]) for spot in spots) == {1: 30, 2: 30, 5: 30}


def test_points_stay_in_the_area(bench: Workbench, truth: Truth) -> None:
    area = bench.layer([shapely.box(0, 10, 60, 20)], {"id": [1]}, name="area.gpkg")
    spots = drawn(bench.map(truth()), area, number=90, least=20)
    assert {row for row, _ in spots} <= set(range(10, 20))


def test_seed_decides_the_points(bench: Workbench, truth: Truth) -> None:
    on = bench.map(truth())
    assert drawn(on, number=60, seed=1) == drawn(on, number=60, seed=1)
    assert drawn(on, number=60, seed=1) != drawn(on, number=60, seed=2)


def test_order_and_fields_do_not_betray_the_map(bench: Workbench, truth: Truth) -> None:
    values = truth()
    spots = drawn(bench.map(values), number=90, least=20)
    kinds = [int(values[spot]) for spot in spots]
    assert kinds != sorted(kinds)
    meta, _, _, columns = pyogrio.raw.read(bench.folder / "points.gpkg")
    assert list(meta["fields"]) == ["id", "class", "note"]
    assert set(columns[1]) == {None}
    style = (bench.folder / "points.qml").read_text(encoding="utf-8")
    assert 'value="forest"' in style


def test_labelled_points_can_be_assessed(bench: Workbench, truth: Truth) -> None:
    values = truth()
    on = bench.map(values)
    spots = drawn(on, number=150, least=20)
    names = {one.value: one.name for one in bench.classes}
    points = [shapely.Point(column + 0.5, row + 0.5) for row, column in spots]
    labelled = bench.layer(points, {"class": [names[int(values[spot])] for spot in spots]})
    found = bench.assess(on, labelled, field="class")
    assert (found["OA"], found["OA_ADJUSTED"]) == (1.0, 1.0)


def test_empty_map_is_refused(bench: Workbench, truth: Truth) -> None:
    with pytest.raises(InputError, match="The map is empty"):
        drawn(bench.map(truth() * 0))


def test_output_that_is_no_layer_is_refused(bench: Workbench) -> None:
    job = Job("samplepoints", outputs={"POINTS": str(bench.folder / "points.txt")})
    with pytest.raises(InputError, match=r"let its name end in \.gpkg"):
        sample_points(job, Progress())
