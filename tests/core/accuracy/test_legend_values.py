"""Classes that the map knows but no pixel has keep the map's values in an assessment."""

from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from terraweave.core.accuracy.comparison import open_comparison
from terraweave.core.accuracy.facts import ASSESS_SETTINGS
from terraweave.core.classes import MapClass
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.scene.sink import ClassSink
from terraweave.core.settings import resolve

GRID = Grid(CRS.from_epsg(32632).to_wkt(), Affine(2, 0, 500000, 0, -2, 5400000), Shape(1, 4))


def write(path: Path, values: list[int], classes: tuple[MapClass, ...]) -> str:
    """A class raster of one row with names for its classes."""
    with ClassSink(path, GRID, classes) as sink:
        sink.write(GRID.window, np.array([values], np.uint8))
    return str(path)


def test_class_without_a_pixel_keeps_the_value_that_the_map_gives_it(tmp_path: Path) -> None:
    on_map = (
        MapClass(1, "turf", "#000000"),
        MapClass(2, "cars", "#111111"),
        MapClass(3, "grass", "#222222"),
    )
    drawn = (MapClass(1, "grass", "#000000"), MapClass(2, "turf", "#111111"))
    job = Job(
        "assess",
        inputs={"CLASSES": (Source(write(tmp_path / "map.tif", [1, 1, 2, 2], on_map)),)},
        labels=Features(write(tmp_path / "reference.tif", [1, 1, 2, 2], drawn), classes=drawn),
    )
    comparison = open_comparison(job, resolve(ASSESS_SETTINGS, {}), Progress())
    assert [(one.value, one.name) for one in comparison.classes] == [
        (1, "turf"),
        (2, "cars"),
        (3, "grass"),
    ]
    pixels = comparison.read(GRID.window)
    names = [one.name for one in comparison.classes]
    assert [names[i] for i in pixels.reference[0]] == ["grass", "grass", "turf", "turf"]
    assert [names[i] for i in pixels.mapped[0]] == ["turf", "turf", "cars", "cars"]
