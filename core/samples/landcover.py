"""The sample for land cover from multispectral and panchromatic images: a river landscape."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from ..classes import MapClass
from ..errors import InputError
from ..scene.aside import Together
from ..scene.grid import Shape
from .canvas import Canvas, Floats, Mask, block_mean, fractal_noise, smooth_noise, step_between
from .farmland import Texture, farm
from .files import Ground, save_class_raster, save_image, save_shapes
from .labels import draw_polygons
from .lines import Points, branch, corridor, crossing_line, headings
from .painting import Cover, Painting
from .parcels import Parcels, cut_parcels
from .sensor import illuminate, record
from .settlement import (
    Building,
    lay_gardens,
    park_car,
    pave_drive,
    place_buildings,
    raise_building,
)
from .waterways import flood, lay_track, pave_road, pond_depth
from .woodland import forest_blobs, grow_forest, grow_hedges, scatter_trees

GSD = 2.0
"""Metres per pixel of the multispectral image."""

BANDS = (("blue", 0.480), ("green", 0.560), ("red", 0.660), ("nir", 0.830))
"""Name and central wavelength in µm of the multispectral bands."""

PAN_WAVELENGTH = 0.640

CLASSES = (
    MapClass(int(Cover.WATER), "Water", "#2f66c0"),
    MapClass(int(Cover.TREES), "Trees", "#1f4d2b"),
    MapClass(int(Cover.GRASS), "Grassland", "#b9e6a8"),
    MapClass(int(Cover.CROPS), "Crops", "#f7ea4a"),
    MapClass(int(Cover.SOIL), "Bare soil", "#d8974c"),
    MapClass(int(Cover.ORCHARD), "Orchard", "#d3a8f0"),
    MapClass(int(Cover.ROAD), "Road", "#55526b"),
    MapClass(int(Cover.BUILDING), "Building", "#cf5468"),
)

SMALLEST = 64
LARGEST = 4096


@dataclass(frozen=True, slots=True)
class LandcoverScene:
    """A synthetic scene with its truth.

    `ms` (band, row, column) and `pan` (1, row · ratio, column · ratio) are uint16 reflectance
    × 10000 with nodata 0; `truth` (row, column) holds the class that covers most of each
    multispectral pixel, `truth_fine` the class of each panchromatic one, both 0 for nodata.
    """

    ms: NDArray[np.uint16]
    pan: NDArray[np.uint16]
    truth: NDArray[np.uint8]
    truth_fine: NDArray[np.uint8]
    ratio: int
    seed: int
    gsd: float = GSD
    classes: tuple[MapClass, ...] = CLASSES
    bands: tuple[tuple[str, float], ...] = BANDS


def make(
    size: Shape | int = 256, ratio: int = 4, seed: int = 7, *, nodata: bool = False
) -> LandcoverScene:
    """A scene of `size` multispectral pixels; the same arguments give the same scene.

    With `nodata` a wedge at the left edge is empty, in the two images not quite the same one.

    Raises:
        InputError: the size or the ratio is out of range.
    """
    shape = Shape(size, size) if isinstance(size, int) else size
    _check(shape, ratio)
    canvas = Canvas(shape.rows * ratio, shape.columns * ratio, GSD / ratio)
    painting, ground = _landscape(seed, canvas)
    radiance = illuminate(canvas, painting.colour, ground, painting.height)
    recording = record(np.random.default_rng([seed, 90]), radiance, ratio)
    truth = _majority(painting.cover, ratio)
    ms, pan, truth_fine = recording.ms, recording.pan, painting.cover
    if nodata:
        fine = _wedge(canvas, 0.10)
        coarse = _wedge(Canvas(shape.rows, shape.columns, GSD), 0.115)
        pan[:, fine], truth_fine[fine] = 0, 0
        ms[:, coarse] = 0
        truth[coarse | (block_mean(fine.astype(np.float32), ratio) > 0)] = 0
    return LandcoverScene(ms, pan, truth, truth_fine, ratio, seed)


def write(
    folder: Path, size: Shape | int = 256, ratio: int = 4, seed: int = 7, *, nodata: bool = False
) -> dict[str, Path]:
    """Make a scene and write it into `folder` (made if missing): the files by what they hold.

    MS `ms.tif`, PAN `pan.tif`, TRUTH `truth.tif` (with colours and names), and LABELS
    `labels.gpkg`, sparse training polygons with the fields class_id and class_name.
    """
    scene = make(size, ratio, seed, nodata=nodata)
    folder.mkdir(parents=True, exist_ok=True)
    ground, fine = Ground(scene.gsd), Ground(scene.gsd / ratio)
    paths = {"MS": folder / "ms.tif", "PAN": folder / "pan.tif",
             "LABELS": folder / "labels.gpkg", "TRUTH": folder / "truth.tif"}  # fmt: skip
    per_class = max(6, round(20 * math.sqrt(scene.truth.size) / 256))
    polygons = draw_polygons(np.random.default_rng([seed, 91]), scene.truth, per_class)
    names = {one.value: one.name for one in CLASSES}
    fields = {
        "class_id": np.array([one.value for one in polygons], np.int32),
        "class_name": np.array([names[one.value] for one in polygons], object),
    }
    shapes = [shapely.Polygon(ground.coordinates(one.ring)) for one in polygons]
    with Together() as together:
        save_image(paths["MS"], scene.ms, ground, scene.bands, together)
        save_image(paths["PAN"], scene.pan, fine, (("pan", PAN_WAVELENGTH),), together)
        save_class_raster(paths["TRUTH"], scene.truth, ground, scene.classes, together)
        save_shapes(paths["LABELS"], shapes, fields, together, scene.classes)
    return paths


def _check(shape: Shape, ratio: int) -> None:
    if not all(SMALLEST <= side <= LARGEST for side in (shape.rows, shape.columns)):
        raise InputError(
            f"A sample scene of {shape.rows} × {shape.columns} pixels cannot be made; "
            f"give {SMALLEST} to {LARGEST} pixels along each side."
        )
    if ratio not in (2, 3, 4):
        raise InputError(f"The ratio {ratio} is not offered; choose 2, 3 or 4.")


def _majority(cover: NDArray[np.uint8], ratio: int) -> NDArray[np.uint8]:
    shares = [block_mean((cover == item.value).astype(np.float32), ratio) for item in CLASSES]
    values = np.array([item.value for item in CLASSES], np.uint8)
    return np.asarray(values[np.argmax(shares, axis=0)])


def _wedge(canvas: Canvas, share: float) -> Mask:
    return np.asarray(canvas.x + 0.28 * canvas.y < share * (canvas.width + canvas.height), bool)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where things go, before anything is painted; metres."""

    river: Points
    pond: tuple[float, float]
    road: Points
    streets: list[Points]
    villages: list[tuple[float, float]]
    scale: float


def _landscape(seed: int, canvas: Canvas) -> tuple[Painting, Floats]:
    """The painted landscape and the height of its ground in metres."""
    rng = [np.random.default_rng([seed, stage]) for stage in range(10)]
    texture = Texture.on(rng[0], canvas)
    plan = _plan(rng[1], canvas)
    painting = Painting.blank(canvas)
    wide = min(max(canvas.width, canvas.height), 512.0)
    parcels = cut_parcels(rng[2], canvas, 0.55 * wide + 20, 0.27 * wide, 0.085 * wide + 6)
    farm(rng[2], painting, parcels, texture)
    depth = _water(rng[3], canvas, plan, texture)
    river_land = np.clip((depth + 30) / 15, 0, 6)
    main = corridor(canvas, [plan.road], 60.0)
    side = corridor(canvas, plan.streets, 60.0)
    street = np.minimum(main.distance, side.distance)
    village = _village_ground(canvas, plan, street)
    blob = forest_blobs(rng[4], canvas, 0.62 * wide, 0.13, river_land + 4 * village)
    grow_forest(rng[4], painting, blob, texture)
    _tracks(painting, parcels, blob, depth, texture)
    grow_hedges(rng[5], painting, parcels, texture, 0.14)
    lay_gardens(rng[5], painting, village & (depth < -6), texture)
    painting.height[village] = 0
    flood(painting, depth, texture)
    painting.height[depth > -1] = 0
    scatter_trees(rng[6], painting, (depth < -2) & (depth > -9) & (texture.patch > 0.5), texture,
                  6.0, (6.0, 12.0))  # fmt: skip
    water = depth > 0
    pave_road(painting, side, 5.0, texture, water, main=False)
    pave_road(painting, main, 7.6, texture, water, main=True)
    _settle(rng[7], painting, plan, street, water, texture, village)
    ground = 7.0 * plan.scale * fractal_noise(rng[8], canvas, 300.0 * plan.scale, 3, 0.4)
    return painting, ground * step_between(-depth, 0, 75)


def _plan(rng: np.random.Generator, canvas: Canvas) -> _Plan:
    wide = min(canvas.width, canvas.height)
    scale = min(max(wide / 512.0, 0.3), 1.0)
    angle = rng.uniform(0, math.pi)
    centre = np.array([canvas.width, canvas.height]) / 2
    normal = np.array([-math.sin(angle), math.cos(angle)])
    aside = 0.24 * wide * rng.choice([-1, 1])
    river = crossing_line(rng, canvas, tuple(centre + aside * normal), angle, 34 * scale,
                          330 * max(scale, 0.5))  # fmt: skip
    towards = angle + rng.choice([-1, 1]) * rng.uniform(0.55, 0.95)
    village = centre - 0.45 * aside * normal
    road = crossing_line(rng, canvas, tuple(village), towards, 30 * scale, 520 * scale)
    # The pond lies on the other side of the village, where the road is farthest away.
    along = np.array([math.cos(angle), math.sin(angle)])
    ponds = [centre - 1.1 * aside * normal + t * wide * along for t in (-0.34, -0.15, 0.15, 0.34)]
    pond = max(ponds, key=lambda place: float(np.hypot(*(road - place).T).min()))
    villages = _village_centres(canvas, road, river, scale)
    streets = [line for place in villages for line in _streets(rng, road, place, scale)]
    return _Plan(river, (float(pond[0]), float(pond[1])), road, streets, villages, scale)


def _village_centres(
    canvas: Canvas, road: Points, river: Points, scale: float
) -> list[tuple[float, float]]:
    """Points of the road away from the river and the edges, some 600 m apart."""
    from_river = np.hypot(*(road[:, None] - river[None, ::4]).transpose(2, 0, 1)).min(axis=1)
    from_edge = np.minimum.reduce([
        road[:, 0], road[:, 1], canvas.width - road[:, 0], canvas.height - road[:, 1]])  # fmt: skip
    worth = np.minimum(from_river, 140 * scale) + np.minimum(from_edge, 130 * scale)
    centres: list[tuple[float, float]] = []
    while worth.max() > 120 * scale or not centres:
        best = int(np.argmax(worth))
        centres.append((float(road[best, 0]), float(road[best, 1])))
        worth[np.hypot(*(road - road[best]).T) < 600 * scale] = -math.inf
    return centres


def _streets(
    rng: np.random.Generator, road: Points, place: tuple[float, float], scale: float
) -> list[Points]:
    nearby = int(np.argmin(np.hypot(*(road - place).T)))
    directions = headings(road)
    streets = []
    for step, side in ((-9, 1), (4, -1), (13, 1)):
        k = min(max(nearby + round(step * scale), 0), len(road) - 1)
        angle = directions[k] + side * (math.pi / 2 + rng.uniform(-0.25, 0.25))
        streets.append(branch(rng, road[k], angle, rng.uniform(95, 150) * scale, 0.5))
    return streets


def _water(rng: np.random.Generator, canvas: Canvas, plan: _Plan, texture: Texture) -> Floats:
    """Metres from the shore, negative on land."""
    river = corridor(canvas, [plan.river], 110.0)
    width = (11.0 + 2.2 * texture.sweep) * max(plan.scale, 0.5) + 0.5 * texture.patch
    ripple = smooth_noise(rng, canvas, 110 * plan.scale)
    pond = pond_depth(canvas, plan.pond, 30 * plan.scale, ripple)
    return np.asarray(np.maximum(width - np.minimum(river.distance, 110.0), pond))


def _village_radius(plan: _Plan) -> float:
    return 118 * plan.scale


def _village_ground(canvas: Canvas, plan: _Plan, street: Floats) -> Mask:
    """Gardens: along streets, within a village."""
    near = np.zeros(street.shape, bool)
    for x, y in plan.villages:
        near |= np.hypot(canvas.x - x, canvas.y - y) < _village_radius(plan)
    return np.asarray(near & (street < 17 + 17 * plan.scale), bool)


def _tracks(
    painting: Painting, parcels: Parcels, blob: Mask, depth: Floats, texture: Texture
) -> None:
    """Gravel tracks along the ends of the strips, clear of forest and water."""
    where = (parcels.end < 2.0) & ~blob & (depth < -8)
    lay_track(painting, where, parcels.end, texture)


def _settle(
    rng: np.random.Generator, painting: Painting, plan: _Plan, street: Floats, water: Mask,
    texture: Texture, village: Mask,
) -> None:  # fmt: skip
    canvas = painting.canvas
    lines = [plan.road, *plan.streets]
    buildings: list[Building] = []
    for place in plan.villages:
        for line in lines:
            buildings += place_buildings(rng, canvas, line, water | (street < 5.5), place,
                                         _village_radius(plan), buildings)  # fmt: skip
    walk = np.concatenate(lines)
    for building in buildings:
        pave_drive(painting, building, walk, texture)
    free = village & (painting.cover == Cover.GRASS) & (street > 6)
    scatter_trees(rng, painting, free & (texture.patch > 0.1), texture, 9.0, (3.0, 9.0))
    for building in buildings:
        raise_building(rng, painting, building, texture)
    _drive_cars(rng, painting, lines)


def _drive_cars(rng: np.random.Generator, painting: Painting, lines: list[Points]) -> None:
    for line in lines:
        directions = headings(line)
        for k in np.flatnonzero(rng.random(len(line)) < 0.05):
            out = directions[k] + math.pi / 2
            side = 1.6 * rng.choice([-1, 1])
            park_car(rng, painting, line[k, 0] + side * math.cos(out),
                     line[k, 1] + side * math.sin(out), directions[k])  # fmt: skip
