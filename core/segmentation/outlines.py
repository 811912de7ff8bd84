"""The areas of a clean map as polygons with attributes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes

from ..classes import MapClass
from ..progress import Progress
from ..scene.aside import Together, written_aside
from ..scene.grid import Grid, Window
from ..scene.layers import Polygons, driver_of, layer_path, moved, write_layer
from ..scene.legend import write_outline_style
from ..scene.scene import Scene
from .attributes import OwnAttributes, Part, measures_of, said_of
from .cleaning import CLASS, Cleaned, Probabilities
from .parts import Mask, labelled

# Half the diagonal of the squares that hold together pixels touching by a corner, in pixels.
_BRIDGE = 0.05
# How far a line between the middles of two edges is from the corner that they meet in, in pixels.
_CHAMFER = 0.3536


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A clean map, where it lies, and what its polygons are to say.

    `region` is its window on `scene.delivery`; `probabilities` are read in windows of that grid.
    """

    scene: Scene
    region: Window
    cleaned: Cleaned
    probabilities: Probabilities
    mapclass: MapClass
    threshold: float
    tolerance: float
    own: OwnAttributes | None = None


def write_outlines(
    drawing: Drawing, path: str, progress: Progress, together: Together | None = None
) -> int:
    """Write a polygon for each area of the class, and return how many there are.

    Valid single polygons within `tolerance` pixels of the pixels' outline, held together where
    pixels touch by a corner; background has none. Areas are handled one by one, each within the
    pixels around it. See `attributes.py` for what the fields mean.

    Raises:
        InputError: the format is unknown, or the folder is not writable.
        ResourceError: the disk is full.
    """
    target = layer_path(path)
    driver = driver_of(target)
    grid = drawing.scene.delivery
    outlines, said = [], []
    count = len(drawing.cleaned.parts)
    for index in range(count):
        progress.update(0.9 * index / count)
        outline, words = _drawn(drawing, index)
        outlines.append(outline)
        said.append(words)
    polygons = np.array(outlines, dtype=object)
    fields = _fields(drawing, polygons, said, grid)
    with written_aside(target, together) as aside:
        write_layer(aside, target.stem, driver, polygons, fields, grid)
        write_outline_style(aside)
    return count


def _drawn(drawing: Drawing, index: int) -> tuple[shapely.Polygon, dict[str, object]]:
    """The outline of one part, in map coordinates, and what is said about it."""
    cleaned, region = drawing.cleaned, drawing.region
    here = cleaned.parts.window(index)
    around = cleaned.sheet.window(here.grown(1))
    labels, _ = labelled(around == CLASS, diagonal=True)
    seed = labels[1, int(cleaned.parts.seeds[index]) - here.column + 1]
    window = here.shifted(region.row, region.column)
    grid, mask = drawing.scene.delivery.cropped(window), labels[1:-1, 1:-1] == seed
    whole = outline_of(mask)
    part = Part(
        window=window,
        grid=grid,
        mask=mask,
        probabilities=drawing.probabilities(window),
        outline=_placed(whole, grid),
    )
    words = said_of(part, around, drawing.threshold)
    if drawing.own:
        found = drawing.own.describe(drawing.scene, part)
        words |= {name: float(found.get(name, np.nan)) for name in drawing.own.fields}
    return _placed(simplified(whole, drawing.tolerance), grid), words


def _placed(outline: shapely.Polygon, grid: Grid) -> shapely.Polygon:
    """The outline in map coordinates."""
    return moved(np.array([outline], dtype=object), grid.transform)[0]


def outline_of(mask: Mask) -> shapely.Polygon:
    """The one polygon around the pixels of a connected part, in (column, row).

    Where pixels touch by a corner only, a square of a twentieth of a pixel holds them
    together: two polygons that share a point would not be one valid polygon.
    """
    rings = [
        outline["coordinates"]
        for outline, _ in shapes(
            mask.astype(np.uint8), mask, connectivity=4, transform=Affine.identity()
        )
    ]
    pieces = [shapely.Polygon(one[0], one[1:]) for one in rings]
    if len(pieces) == 1 and pieces[0].is_valid:
        return pieces[0]
    bridges = [
        shapely.Polygon([(x - _BRIDGE, y), (x, y - _BRIDGE), (x + _BRIDGE, y), (x, y + _BRIDGE)])
        for x, y in _corners(mask)
    ]
    joined = shapely.union_all([*pieces, *bridges])
    if joined.geom_type != "Polygon":
        raise ValueError("the pixels are not connected")
    return joined


def _corners(mask: Mask) -> list[tuple[int, int]]:
    """Where (column, row) two pixels touch by a corner only."""
    a, b, c, d = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
    rows, columns = np.nonzero((a & d & ~b & ~c) | (b & c & ~a & ~d))
    return [(int(column) + 1, int(row) + 1) for row, column in zip(rows, columns, strict=True)]


def simplified(outline: shapely.Polygon, tolerance: float) -> shapely.Polygon:
    """The outline with fewer vertices, at most `tolerance` pixels off, and valid.

    A line from stair to stair is 0.71 pixels off the corners between, one through the middles of
    the steps 0.35: so where the tolerance allows it, middles are taken first.
    """
    if tolerance <= 0:
        return outline
    soft, left = (_through_middles(outline), tolerance - _CHAMFER) if tolerance >= _CHAMFER else (
        outline, tolerance,
    )  # fmt: skip
    simple = shapely.simplify(soft, left, preserve_topology=True)
    return simple if _stands_for(simple, outline, tolerance) else outline


def _through_middles(outline: shapely.Polygon) -> shapely.Polygon:
    """The outline through the middles of all pixel edges, which cuts its corners."""
    kind, points, offsets = shapely.to_ragged_array([shapely.segmentize(outline, 1.0)])
    middles = (points[:-1] + points[1:]) / 2
    # The last vertex of a ring is its first; there, the first middle comes again.
    ends = offsets[0][1:] - 1
    middles = np.vstack([middles, points[-1:]])
    middles[ends] = middles[offsets[0][:-1]]
    return shapely.from_ragged_array(kind, middles, offsets)[0]


def _stands_for(simple: shapely.Polygon, outline: shapely.Polygon, tolerance: float) -> bool:
    """Whether `simple` is a valid polygon with no vertex of `outline` too far from its border."""
    if simple.geom_type != "Polygon" or simple.is_empty or not simple.is_valid:
        return False
    border = simple.boundary
    shapely.prepare(border)
    corners = shapely.points(shapely.get_coordinates(outline))
    return bool(shapely.dwithin(border, corners, tolerance + 1e-6).all())


_WORDS: dict[str, Callable[[list[Any]], NDArray[Any]]] = {
    "mean_prob": lambda some: np.array(some, dtype=np.float64),
    "max_prob": lambda some: np.array(some, dtype=np.float64),
    "p90_prob": lambda some: np.array(some, dtype=np.float64),
    "confidence": lambda some: np.array(some, dtype=object),
    "nodata_share": lambda some: np.array(some, dtype=np.float64),
    "touches_edge": lambda some: np.array(some, dtype=bool),
}


def _fields(
    drawing: Drawing, polygons: Polygons, said: list[dict[str, object]], grid: Grid
) -> dict[str, NDArray[Any]]:
    """The columns of the layer."""
    count, own = len(polygons), drawing.own.fields if drawing.own else ()
    return {
        "class_value": np.full(count, drawing.mapclass.value, dtype=np.int32),
        "class_name": np.full(count, drawing.mapclass.name, dtype=object),
        **measures_of(polygons, grid),
        **{name: column([one[name] for one in said]) for name, column in _WORDS.items()},
        **{name: np.array([one[name] for one in said], dtype=np.float64) for name in own},
        "threshold": np.full(count, round(drawing.threshold, 4)),
        "reviewed": np.zeros(count, dtype=bool),
    }
