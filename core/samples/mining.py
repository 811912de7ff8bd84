"""The sample for mining footprints: pits, dumps and ponds, with coarse and with fine outlines."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from ..classes import MapClass
from ..errors import InputError
from ..scene.aside import Together
from .blobs import Blob, draw_blob, scatter_places
from .canvas import Canvas, Floats, fractal_noise, smooth_noise, step_between
from .farmland import Texture
from .files import Ground, save_class_raster, save_image, save_shapes
from .lines import corridor, crossing_line
from .painting import Painting, spectrum, varied
from .parcels import cut_parcels
from .sensor import illuminate, record
from .waterways import flood
from .woodland import forest_blobs

GSD = 10.0
"""Metres per pixel of the image."""

BANDS = (("blue", 0.490), ("green", 0.560), ("red", 0.665), ("nir", 0.842))

MINE = MapClass(1, "Mine", "#c0392b")

_SMALLEST, _LARGEST = 64, 2048
_FINER = 2
_FIELDS = np.array([
    [0.040, 0.076, 0.050, 0.380], [0.046, 0.080, 0.062, 0.330], [0.066, 0.100, 0.096, 0.290],
    [0.078, 0.118, 0.138, 0.270], [0.086, 0.118, 0.148, 0.205], [0.120, 0.160, 0.198, 0.256],
    [0.052, 0.150, 0.144, 0.420], [0.060, 0.082, 0.104, 0.150],
], np.float32)  # fmt: skip
_WOOD = spectrum(0.024, 0.046, 0.028, 0.310)
_TOWN = spectrum(0.110, 0.122, 0.138, 0.200)
_ROCKS = (
    spectrum(0.124, 0.140, 0.155, 0.186), spectrum(0.088, 0.114, 0.164, 0.222),
    spectrum(0.168, 0.194, 0.216, 0.252), spectrum(0.064, 0.071, 0.078, 0.094),
)  # fmt: skip
_PONDS = (
    spectrum(0.085, 0.125, 0.100, 0.050), spectrum(0.052, 0.062, 0.050, 0.026),
    spectrum(0.120, 0.142, 0.158, 0.110),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MiningScene:
    """A synthetic scene with its truth.

    `image` (blue, green, red, near infrared; row, column) is uint16 reflectance × 10000 with
    nodata 0; `truth` (row, column) is 1 in mines and 0 outside. `fine` and `coarse` are outlines
    in pixels (column, row): the true ones, and what a hurried analyst drew of them: wide,
    few-cornered, a little aside, gaps swallowed, and now and then a mine missed.
    """

    image: NDArray[np.uint16]
    truth: NDArray[np.uint8]
    fine: tuple[shapely.Geometry, ...]
    coarse: tuple[shapely.Geometry, ...]


@dataclass(frozen=True, slots=True)
class _Mine:
    """The parts of one mine; metres."""

    pits: list[Blob]
    dumps: list[Blob]
    ponds: list[Blob]
    roads: list[NDArray[np.float64]]
    rock: Floats

    def footprint(self) -> shapely.Geometry:
        """What the mine takes up, with the worked ground between its parts."""
        areas = [shapely.Polygon(b.outline()) for b in (*self.pits, *self.dumps, *self.ponds)]
        areas += [shapely.LineString(road).buffer(11) for road in self.roads]
        return shapely.unary_union(areas).buffer(48).buffer(-40)


def make(size: int = 256, seed: int = 7) -> MiningScene:
    """A scene of `size` × `size` pixels; the same arguments give the same scene.

    Raises:
        InputError: the size is out of range.
    """
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(
            f"A sample scene of {size} × {size} pixels cannot be made; give {_SMALLEST} to "
            f"{_LARGEST} pixels along each side."
        )
    rng = [np.random.default_rng([seed, 30, stage]) for stage in range(6)]
    canvas = Canvas(size * _FINER, size * _FINER, GSD / _FINER)
    texture = Texture.on(rng[0], canvas)
    painting, dry = _countryside(rng[1], canvas, texture)
    mines = _plan_mines(rng[2], canvas, dry)
    for mine in mines:
        _dig(rng[3], painting, mine, texture)
    hills = 25 * fractal_noise(rng[4], canvas, 1500.0, 4, 0.45)
    image = record(rng[4], illuminate(canvas, painting.colour, hills, painting.height), _FINER).ms
    whole = shapely.box(0, 0, size, size)
    outlines = [shapely.transform(mine.footprint(), lambda xy: xy / GSD) for mine in mines]
    fine = tuple(part for part in (one & whole for one in outlines) if not part.is_empty)
    coarse = _drawn_in_haste(rng[5], fine, whole)
    return MiningScene(image, rasterize(fine, (size, size), dtype="uint8"), fine, coarse)


def write(folder: Path, size: int = 256, seed: int = 7) -> dict[str, Path]:
    """Make a scene and write it into `folder` (made if missing): the files by what they hold.

    IMAGE `image.tif`, LABELS `coarse.gpkg`, AREA `area.gpkg` (what was surveyed for them),
    FINE_LABELS `fine.gpkg`, FINE_AREA `fine_area.gpkg` (a part of it, for the second stage), and
    TRUTH `truth.tif`. The outlines have the fields class_id and class_name.
    """
    scene = make(size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    ground = Ground(GSD)
    paths = {"IMAGE": folder / "image.tif", "LABELS": folder / "coarse.gpkg",
             "AREA": folder / "area.gpkg", "FINE_LABELS": folder / "fine.gpkg",
             "FINE_AREA": folder / "fine_area.gpkg", "TRUTH": folder / "truth.tif"}  # fmt: skip
    surveyed = shapely.box(0, 0, size, size)
    mapped = _half_with_mines(scene.fine, size)
    known = [part for part in (one & mapped for one in scene.fine) if not part.is_empty]
    with Together() as together:
        save_image(paths["IMAGE"], scene.image, ground, BANDS, together)
        save_class_raster(paths["TRUTH"], scene.truth, ground, (MINE,), together, nodata=255)
        for key, shapes in (("LABELS", scene.coarse), ("FINE_LABELS", known)):
            fields = {"class_id": np.ones(len(shapes), np.int32),
                      "class_name": np.full(len(shapes), MINE.name, object)}  # fmt: skip
            save_shapes(paths[key], [_on(ground, one) for one in shapes], fields, together, (MINE,))
        for key, area in (("AREA", surveyed), ("FINE_AREA", mapped)):
            name = {"name": np.array(["surveyed"], object)}
            save_shapes(paths[key], [_on(ground, area)], name, together)
    return paths


def _on(ground: Ground, shape: shapely.Geometry) -> shapely.Geometry:
    """A shape in pixels as multipolygon on the ground: layers want one kind of geometry."""
    moved = shapely.transform(shape, ground.coordinates)
    parts = [part for part in shapely.get_parts(moved) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts)


def _half_with_mines(fine: tuple[shapely.Geometry, ...], size: int) -> shapely.Geometry:
    """The half of the scene in which the share of mines is nearest to a half."""
    middle = size / 2
    halves = [shapely.box(0, 0, middle, size), shapely.box(0, 0, size, middle),
              shapely.box(middle, 0, size, size), shapely.box(0, middle, size, size)]  # fmt: skip
    everything = shapely.unary_union(fine)
    total = max(everything.area, 1e-9)
    return min(halves, key=lambda half: abs((everything & half).area / total - 0.5))


def _countryside(
    rng: np.random.Generator, canvas: Canvas, texture: Texture
) -> tuple[Painting, Floats]:
    """Fields, woods, villages and a river; and the metres to the water, for what keeps away."""
    painting = Painting.blank(canvas)
    parcels = cut_parcels(rng, canvas, 900.0, 420.0, 110.0)
    shares = (0.20, 0.18, 0.14, 0.12, 0.13, 0.09, 0.05, 0.09)
    kind = rng.choice(len(_FIELDS), parcels.count, p=shares)
    vigour = rng.normal(0, 0.07, parcels.count)[parcels.index]
    base = _FIELDS[kind[parcels.index]].transpose(2, 0, 1)
    mottle = vigour + 0.05 * texture.patch + 0.04 * texture.tuft
    everywhere = np.ones(mottle.shape, bool)
    painting.fill(everywhere, None, varied(base.reshape(4, -1), mottle.ravel()))
    edge = parcels.edge < 5
    painting.fill(edge, None, varied(_FIELDS[1][:, None], 0.1 * texture.tuft[edge]))
    wood = forest_blobs(rng, canvas, 1400.0, 0.24, canvas.zeros())
    clump = 0.18 * texture.tuft[wood] + 0.08 * texture.grain[wood]
    painting.fill(wood, None, varied(_WOOD, clump, 0.10 * texture.sweep[wood]), 12.0)
    town = (fractal_noise(rng, canvas, 700.0, 2) > 1.9) & ~wood
    roofs = town & (smooth_noise(rng, canvas, 26.0) > 0.2)
    painting.fill(roofs, None, varied(_TOWN, 0.35 * texture.tuft[roofs]))
    line = crossing_line(rng, canvas, (canvas.width * rng.uniform(0.2, 0.8),
                                       canvas.height * rng.uniform(0.2, 0.8)),
                         rng.uniform(0, math.pi), 130.0, 1300.0)  # fmt: skip
    away = np.minimum(corridor(canvas, [line], 400.0).distance, 400.0)
    flood(painting, 26 + 6 * texture.sweep - away, texture)
    painting.height[away < 40] = 0
    return painting, away


def _plan_mines(rng: np.random.Generator, canvas: Canvas, dry: Floats) -> list[_Mine]:
    coarse = Canvas(canvas.rows // 8, canvas.columns // 8, canvas.gsd * 8)
    edge = np.minimum(np.minimum(coarse.x, coarse.width - coarse.x),
                      np.minimum(coarse.y, coarse.height - coarse.y))  # fmt: skip
    clear = dry[::8, ::8][: coarse.rows, : coarse.columns] > min(330, 0.13 * canvas.width)
    scale = min(1.0, max(0.3, canvas.width / 2560))
    worth = np.where(clear & (edge > 250 * scale), 1.0, 0.0)
    if not worth.any():
        worth = np.where(edge > 250 * scale, 1.0, 0.0)
    count = max(2, round(7 * (canvas.width / 2560) ** 2))
    places = scatter_places(rng, coarse, count, 640 * scale, worth, [])
    return [_plan_mine(rng, x, y, scale) for x, y in places]


def _plan_mine(rng: np.random.Generator, x: float, y: float, scale: float) -> _Mine:
    size = scale * rng.uniform(0.45, 1.0)

    def part(distance: float, angle: float, long: tuple[float, float]) -> Blob:
        length = size * rng.uniform(*long)
        return draw_blob(rng, x + distance * math.cos(angle), y + distance * math.sin(angle),
                         rng.uniform(0, math.pi), length, length * rng.uniform(0.55, 0.85),
                         rng.uniform(-0.15, 0.15), 0.12)  # fmt: skip

    angle = rng.uniform(0, 2 * math.pi)
    pits = [part(0, 0, (330, 470))]
    dumps = [part(size * rng.uniform(260, 350), angle + rng.uniform(1.6, 2.4), (200, 320))]
    if rng.random() < 0.6:
        dumps.append(part(size * rng.uniform(250, 340), angle - rng.uniform(1.6, 2.4), (150, 260)))
    ponds = [part(size * rng.uniform(260, 370), angle + rng.uniform(-0.4, 0.4), (130, 250))]
    roads = [np.array([(x, y), ((x + b.x) / 2 + rng.normal(0, 20), (y + b.y) / 2), (b.x, b.y)])
             for b in (*dumps, *ponds)]  # fmt: skip
    rock = _ROCKS[rng.choice(len(_ROCKS), p=(0.35, 0.3, 0.2, 0.15))] * rng.uniform(0.88, 1.12)
    return _Mine(pits, dumps, ponds, roads, rock)


def _dig(rng: np.random.Generator, painting: Painting, mine: _Mine, texture: Texture) -> None:
    canvas = painting.canvas
    _work_ground(painting, mine, texture)
    for road in mine.roads:
        on = corridor(canvas, [road], 12.0).distance < 11
        painting.fill(on, None, varied(mine.rock * 1.12, 0.05 * texture.tuft[on]))
    for dump in mine.dumps:
        _pile(rng, painting, dump, mine.rock, texture)
    for pit in mine.pits:
        _excavate(rng, painting, pit, mine.rock, texture)
    for pond in mine.ponds:
        part = canvas.around(pond.x, pond.y, pond.reach)
        out = pond.ratio(canvas, part)[0]
        dam = (out < 1) & (out >= 0.86)
        painting.fill(dam, None, mine.rock * 1.15, 5.0, part)
        water = out < 0.86
        muddy = 0.25 * np.clip(texture.sweep[part][water] + 2 * out[water] - 1.2, -0.5, 1)
        painting.fill(water, None, varied(_PONDS[rng.integers(len(_PONDS))], muddy), 0.0, part)


def _work_ground(painting: Painting, mine: _Mine, texture: Texture) -> None:
    """Trampled ground around the parts: rock, soil and weeds in patches."""
    canvas = painting.canvas
    outline = shapely.transform(mine.footprint(), lambda xy: xy / canvas.gsd)
    on = rasterize([outline], (canvas.rows, canvas.columns), dtype="uint8") > 0
    weeds = 0.75 * step_between(texture.patch[on] + 0.6 * texture.tuft[on], -0.9, 1.3)
    dust = varied(mine.rock * 0.92, 0.07 * texture.tuft[on])
    painting.fill(on, None, dust + (_FIELDS[1][:, None] - dust) * weeds)


def _pile(
    rng: np.random.Generator, painting: Painting, dump: Blob, rock: Floats, texture: Texture
) -> None:
    """A flat-topped heap, partly grown over."""
    part = painting.canvas.around(dump.x, dump.y, dump.reach)
    out = dump.ratio(painting.canvas, part)[0]
    on = out < 1
    tall = rng.uniform(14, 30) * step_between(1 - out[on], 0, 0.45)
    rough = 0.08 * texture.tuft[part][on] + 0.06 * texture.patch[part][on]
    colour = varied(rock * 1.05, rough)
    green = rng.uniform(0, 0.75) * step_between(texture.sweep[part][on] + out[on], -0.2, 1.4)
    colour = colour + (_FIELDS[1][:, None] - colour) * green
    painting.fill(on, None, colour, tall, part)


def _excavate(
    rng: np.random.Generator, painting: Painting, pit: Blob, rock: Floats, texture: Texture
) -> None:
    """A pit with benches, and in some a lake at the bottom."""
    part = painting.canvas.around(pit.x, pit.y, pit.reach)
    out = pit.ratio(painting.canvas, part)[0]
    on = out < 1
    inward = 1 - out[on]
    benches = max(3, round(pit.width / 50))
    level = inward * benches
    step = np.floor(level) + step_between(level % 1, 0.5, 1.0)
    depth = -12.0 * np.clip(step, 0, 0.75 * benches)
    stone = varied(rock, 0.07 * texture.tuft[part][on], 0.05 * texture.patch[part][on])
    painting.fill(on, None, stone, depth, part)
    if rng.random() < 0.45:
        lake = on & (out < rng.uniform(0.2, 0.36))
        bottom = painting.height[part][lake]
        painting.fill(lake, None, _PONDS[rng.integers(2)], bottom, part)


def _drawn_in_haste(
    rng: np.random.Generator, fine: tuple[shapely.Geometry, ...], whole: shapely.Geometry
) -> tuple[shapely.Geometry, ...]:
    """Coarse outlines of fine ones, in pixels."""
    drawn = []
    for number, outline in enumerate(fine):
        if number > 2 and rng.random() < 0.1:
            continue
        hull = outline.convex_hull if rng.random() < 0.4 else outline
        wide = hull.buffer(rng.uniform(2.5, 6.0)).simplify(rng.uniform(3.0, 6.0))
        aside = shapely.affinity.translate(wide, *rng.normal(0, 1.6, 2))
        drawn.append(aside & whole)
    return tuple(drawn)
