"""The task `samplepoints`: stratified random points of a class raster, ready for labelling.

Source of the sizes: Olofsson et al. (2014), section 5.1 and equation 13,
doi 10.1016/j.rse.2014.02.015 (after Cochran 1977).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml  # nosec B405 - writes, and reads nothing

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError

from ..classes import MapClass
from ..errors import InputError
from ..job import Job
from ..progress import Progress
from ..scene.aside import check_writable, written_aside
from ..scene.grid import Grid
from ..scene.labels import BACKGROUND, LabelMap
from ..scene.sink import states_background
from ..settings import resolve
from ..words import counted
from .comparison import open_map
from .confusion import class_index
from .facts import SAMPLE_SETTINGS
from .matching import BACKGROUND_NAME
from .worst import dataset_options, driver_of

Ints = NDArray[np.int64]

_STRIP_PIXELS = 2**22


def sample_points(job: Job, progress: Progress) -> dict[str, object]:
    """Draw points from the map (CLASSES) inside the area and write them as the layer POINTS.

    The points are in random order and do not tell the map's class, so that whoever labels them
    is not led by it.

    Raises:
        InputError: the map, the area, a setting or the output does not fit.
    """
    settings = resolve(SAMPLE_SETTINGS, job.settings)
    if not job.output("POINTS"):
        raise InputError("No output was named for POINTS; name the layer to write.")
    driver_of(job.output("POINTS"))
    check_writable(job.output("POINTS"))
    with progress.stage("Counting the map's classes", 0.45):
        on_map = open_map(job, progress)
        classes = _strata(on_map.classes, states_background(job.inputs["CLASSES"][0].path))
        counts = _counted(on_map, classes, progress)
    if not counts.sum():
        raise InputError("The map is empty inside the surveyed area; there is nothing to sample.")
    expected = expected_accuracies(str(settings["expected_accuracy"]), classes)
    sizes = sample_sizes(
        counts, expected,
        standard_error=float(settings["standard_error"]),
        least=int(settings["least"]), total=int(settings["number"]),
    )  # fmt: skip
    rng = np.random.default_rng(int(settings["seed"]))
    with progress.stage("Drawing points", 0.5):
        rows, columns = _drawn(on_map, classes, counts, sizes, rng, progress)
    order = rng.permutation(len(rows))
    _write(job.output("POINTS"), rows[order], columns[order], on_map.grid, classes)
    for one, size, count in zip(classes, sizes.tolist(), counts.tolist(), strict=True):
        progress.log(f"{one.name}: {counted(size, 'point')} of {counted(count, 'pixel')}.")
    return {"COUNT": len(rows)}


def sample_sizes(
    pixels: Iterable[float],
    expected: Sequence[float],
    *,
    standard_error: float,
    least: int,
    total: int = 0,
) -> Ints:
    """Points for each class: `total`, or as many as the standard error asks for.

    `pixels` are the mapped pixels of each class and `expected` its user's accuracy. Rare classes
    get `least` points, the rest is shared out by area. A class never gets more points than it
    has pixels.
    """
    mapped = np.array(list(pixels), np.float64)
    weights = mapped / mapped.sum()
    spread = np.sqrt(np.array(expected) * (1 - np.array(expected)))
    wanted = total or math.ceil((float(weights @ spread) / standard_error) ** 2)
    rare = (weights * wanted < least) & (mapped > 0)
    sizes = np.where(rare, least, 0.0)
    rest = max(wanted - sizes.sum(), 0.0)
    common = np.where(rare, 0.0, weights)
    if common.sum():
        sizes = sizes + rest * common / common.sum()
    sizes = np.maximum(sizes, np.where(mapped > 0, least, 0))
    return np.minimum(np.round(sizes), mapped).astype(np.int64)


def expected_accuracies(text: str, classes: Sequence[MapClass]) -> list[float]:
    """The expected user's accuracy of each class, from “water=0.95, roads=0.7, 0.9”.

    Raises:
        InputError: a part is no number from 0 to 1, or names no class.
    """
    known = {one.name.strip().casefold(): one.value for one in classes}
    known |= {str(one.value): one.value for one in classes}
    given: dict[int, float] = {}
    rest = 0.85
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, number = part.rpartition("=")
        accuracy = _accuracy(number)
        if not name:
            rest = accuracy
        elif name.strip().casefold() in known:
            given[known[name.strip().casefold()]] = accuracy
        else:
            names = ", ".join(one.name for one in classes)
            raise InputError(f"The map has no class “{name.strip()}”; it has {names}.")
    return [given.get(one.value, rest) for one in classes]


def _accuracy(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise InputError(
            f"The expected accuracy “{text.strip()}” is no number from 0 to 1; write for example "
            "0.85, or roads=0.7, 0.9."
        )
    return number


def _strata(classes: tuple[MapClass, ...], background: bool) -> tuple[MapClass, ...]:
    """What to draw from: the map's classes, and the background where the map states one."""
    if not background:
        return classes
    free = next(value for value in range(1, 65536) if value not in {one.value for one in classes})
    return (*classes, MapClass(free, BACKGROUND_NAME, "#bdbdbd"))


def _counted(on_map: LabelMap, classes: Sequence[MapClass], progress: Progress) -> Ints:
    counts = np.zeros(len(classes), np.int64)
    for _, place in _strips(on_map, classes, progress):
        counts += np.bincount(place[place >= 0], minlength=len(counts))
    return counts


def _strips(
    on_map: LabelMap, classes: Sequence[MapClass], progress: Progress
) -> Iterable[tuple[int, Ints]]:
    """First row and class positions (row, column) of strips, from top to bottom."""
    shape = on_map.grid.shape
    for window in on_map.grid.strips(max(1, _STRIP_PIXELS // max(shape.columns, 1))):
        values = on_map.read(window)
        place = class_index(values, on_map.classes)
        if len(classes) > len(on_map.classes):
            place[values == BACKGROUND] = len(classes) - 1
        yield window.row, place
        progress.update(window.end_row / shape.rows)


def _drawn(
    on_map: LabelMap,
    classes: Sequence[MapClass],
    counts: Ints,
    sizes: Ints,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[Ints, Ints]:
    """Rows and columns of the drawn pixels; the n-th pixel of a class is found on the way."""
    wanted = [
        np.sort(rng.choice(count, size, replace=False))
        for count, size in zip(counts.tolist(), sizes.tolist(), strict=True)
    ]
    passed = np.zeros(len(counts), np.int64)
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for first, place in _strips(on_map, classes, progress):
        width = place.shape[1]
        for kind, ordinals in enumerate(wanted):
            here = np.flatnonzero(place == kind)
            low, high = np.searchsorted(ordinals, (passed[kind], passed[kind] + len(here)))
            spots = here[ordinals[low:high] - passed[kind]]
            rows.append(spots // width + first)
            columns.append(spots % width)
            passed[kind] += len(here)
    return np.concatenate(rows), np.concatenate(columns)


def _write(path: str, rows: Ints, columns: Ints, grid: Grid, classes: Sequence[MapClass]) -> None:
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    x, y = columns + 0.5, rows + 0.5
    points = shapely.points(a * x + b * y + c, d * x + e * y + f)
    driver = driver_of(path)
    fields: Mapping[str, NDArray[np.generic] | NDArray[np.object_]] = {
        "id": np.arange(1, len(rows) + 1, dtype=np.int32),
        "class": np.full(len(rows), None, dtype=object),
        "note": np.full(len(rows), None, dtype=object),
    }
    with written_aside(path) as aside:
        try:
            pyogrio.raw.write(
                aside, shapely.to_wkb(points), list(fields.values()), list(fields),
                layer="sample_points" if driver == "GPKG" else None, driver=driver,
                geometry_type="Point", crs=grid.crs or None,
                dataset_options=dataset_options(driver),
            )  # fmt: skip
        except DataSourceError as error:
            raise OSError(str(error)) from error
        _write_style(aside.with_suffix(".qml"), classes)


def _write_style(path: Path, classes: Sequence[MapClass]) -> None:
    """Crosses that leave the pixel visible, and a list of the classes to choose from."""
    root = Xml.Element("qgis", version="3.40.0", styleCategories="Symbology|Fields|Forms")
    renderer = Xml.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0")
    symbol = Xml.SubElement(
        Xml.SubElement(renderer, "symbols"), "symbol", type="marker", name="0", alpha="1"
    )
    layer = Xml.SubElement(symbol, "layer", {"class": "SimpleMarker", "enabled": "1"})
    options = Xml.SubElement(layer, "Option", type="Map")
    for name, value in (("name", "cross"), ("color", "255,255,255,0"), ("size", "4"),
                        ("outline_color", "230,0,110,255"), ("outline_width", "0.6")):  # fmt: skip
        Xml.SubElement(options, "Option", name=name, type="QString", value=value)
    field = Xml.SubElement(Xml.SubElement(root, "fieldConfiguration"), "field", name="class")
    widget = Xml.SubElement(field, "editWidget", type="ValueMap")
    config = Xml.SubElement(Xml.SubElement(widget, "config"), "Option", type="Map")
    choices = Xml.SubElement(config, "Option", name="map", type="List")
    for one in classes:
        pair = Xml.SubElement(choices, "Option", type="Map")
        Xml.SubElement(pair, "Option", name=one.name, type="QString", value=one.name)
    Xml.indent(root)
    start = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    path.write_text(start + Xml.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
