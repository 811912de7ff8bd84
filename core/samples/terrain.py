"""The sample for relic landslides: hills where the image misleads and the terrain tells."""

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
from .canvas import Canvas, Floats, block_mean, blurred, fractal_noise, smooth_noise, step_between
from .farmland import Texture
from .files import Ground, save_class_raster, save_image, save_shapes
from .light import Sun, slope_light
from .painting import Painting, spectrum, varied
from .woodland import forest_blobs, grow_forest, scatter_trees

GSD = 4.0
"""Metres per pixel of the image."""

DEM_GSD = 10.0

LANDSLIDE = MapClass(1, "Landslide", "#c0392b")

_SMALLEST, _LARGEST = 64, 2048
_FINER = 2
_MARGIN = 40.0
_GRASS = spectrum(0.060, 0.092, 0.078, 0.30)
_SHRUB = spectrum(0.046, 0.074, 0.056, 0.31)
_STEPPE = spectrum(0.090, 0.118, 0.126, 0.27)
_SCAR = spectrum(0.150, 0.182, 0.226, 0.29)


@dataclass(frozen=True, slots=True)
class TerrainScene:
    """A synthetic scene with its truth.

    `image` (red, green, blue; row, column) is uint8 with nodata 0; `dem` (row, column) is float32,
    metres above the sea, on a coarser grid that starts `dem_offset` metres (x, y down) from the
    image's corner; `truth` (row, column) is 1 in landslides and 0 outside; `slides` and `scars`
    are outlines in image pixels (column, row), the latter bare patches that never slid.
    """

    image: NDArray[np.uint8]
    dem: NDArray[np.float32]
    truth: NDArray[np.uint8]
    slides: tuple[shapely.Polygon, ...]
    scars: tuple[shapely.Polygon, ...]
    dem_offset: tuple[float, float]


def make(size: int = 256, seed: int = 7) -> TerrainScene:
    """A scene of `size` × `size` image pixels; the same arguments give the same scene.

    Raises:
        InputError: the size is out of range.
    """
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(
            f"A sample scene of {size} × {size} pixels cannot be made; give {_SMALLEST} to "
            f"{_LARGEST} pixels along each side."
        )
    rng = [np.random.default_rng([seed, 20, stage]) for stage in range(6)]
    # The margin lets the DEM reach beyond the image on all sides.
    extra = math.ceil(_MARGIN / GSD) * _FINER
    canvas = Canvas(size * _FINER + 2 * extra, size * _FINER + 2 * extra, GSD / _FINER)
    hills = _hills(rng[0], canvas)
    slides, scars = _place(rng[1], canvas, hills, size)
    ground = hills.copy()
    for slide in slides:
        _slip(rng[2], canvas, ground, slide)
    ground = blurred(ground, 1.2)
    colour = _picture(rng[3], canvas, ground, slides, scars)
    inner = slice(extra, -extra)
    image = _photograph(rng[4], colour[:3, inner, inner])
    polygons = tuple(_in_pixels(slide, size) for slide in slides)
    truth = rasterize(polygons, (size, size), dtype="uint8")
    dem, offset = _measure(rng[5], canvas, ground)
    return TerrainScene(
        image, dem, truth, polygons, tuple(_in_pixels(one, size) for one in scars), offset
    )


def write(folder: Path, size: int = 256, seed: int = 7) -> dict[str, Path]:
    """Make a scene and write it into `folder` (made if missing): the files by what they hold.

    IMAGE `image.tif`, DEM `dem.tif`, LABELS `landslides.gpkg` (class_id, class_name), AREA
    `area.gpkg` with what was surveyed, and TRUTH `truth.tif`, which also knows the landslides
    outside that area.
    """
    scene = make(size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"IMAGE": folder / "image.tif", "DEM": folder / "dem.tif",
             "LABELS": folder / "landslides.gpkg", "AREA": folder / "area.gpkg",
             "TRUTH": folder / "truth.tif"}  # fmt: skip
    ground = Ground(GSD)
    dem_ground = Ground(DEM_GSD, ground.west + scene.dem_offset[0],
                        ground.north - scene.dem_offset[1])  # fmt: skip
    # A corner was not surveyed, as happens where access ends.
    area = shapely.Polygon([(0, 0), (size, 0), (size, 0.7 * size), (0.72 * size, size), (0, size)])
    known = [one for one in scene.slides if area.contains(one)]
    doubtful = shapely.unary_union([one for one in scene.slides if not area.contains(one)])
    fields = {"class_id": np.ones(len(known), np.int32),
              "class_name": np.full(len(known), LANDSLIDE.name, object)}  # fmt: skip
    with Together() as together:
        save_image(paths["IMAGE"], scene.image, ground,
                   (("red", 0.66), ("green", 0.56), ("blue", 0.48)), together)  # fmt: skip
        save_image(paths["DEM"], scene.dem[None], dem_ground, (("elevation", 0),), together, -9999)
        save_class_raster(paths["TRUTH"], scene.truth, ground, (LANDSLIDE,), together, nodata=255)
        save_shapes(paths["LABELS"], [_on(ground, one) for one in known], fields, together,
                    (LANDSLIDE,))  # fmt: skip
        surveyed = _on(ground, area.difference(doubtful))
        save_shapes(paths["AREA"], [surveyed], {"name": np.array(["surveyed"], object)}, together)
    return paths


def _on(ground: Ground, shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, ground.coordinates)


def _in_pixels(blob: Blob, size: int) -> shapely.Polygon:
    return shapely.Polygon((blob.outline() - _MARGIN) / GSD) & shapely.box(0, 0, size, size)


def _hills(rng: np.random.Generator, canvas: Canvas) -> Floats:
    """Rounded ridges between branching valleys, metres."""
    broad = fractal_noise(rng, canvas, 900.0, 2, 0.4)
    folded = np.sqrt(0.02 + fractal_noise(rng, canvas, 700.0, 3, 0.36) ** 2)
    gullies = np.abs(fractal_noise(rng, canvas, 230.0, 3, 0.45))
    rough = fractal_noise(rng, canvas, 60.0, 3, 0.5)
    return np.asarray(1850 + 38 * broad + 62 * folded + 8 * gullies + 0.6 * rough)


def _place(
    rng: np.random.Generator, canvas: Canvas, hills: Floats, size: int
) -> tuple[list[Blob], list[Blob]]:
    """Landslides down the slopes, and scars of the same shapes that only look like some."""
    rise = np.gradient(blurred(hills[::4, ::4], 4.0), 4 * canvas.gsd)
    down, right = np.asarray(rise[0]), np.asarray(rise[1])
    steepness = np.hypot(down, right)
    coarse = Canvas(steepness.shape[0], steepness.shape[1], 4 * canvas.gsd)
    extent = size * GSD
    scale = min(1.0, max(0.35, extent / 700))
    rim = _MARGIN + 70 * scale
    inside = np.minimum(coarse.x, coarse.width - coarse.x) > rim
    inside = inside & (np.minimum(coarse.y, coarse.height - coarse.y) > rim)
    steep = np.where(inside & (steepness > 0.16) & (steepness < 0.6), 1.0, 0.0)
    count = max(2, round(9 * (extent / 1024) ** 2))
    places = scatter_places(rng, coarse, count, 225 * scale, steep, [])
    others = scatter_places(rng, coarse, count, 170 * scale, np.where(inside, 1.0, 0.0), places)
    blobs = []
    for x, y in (*places, *others):
        row, column = int(y / coarse.gsd), int(x / coarse.gsd)
        angle = math.atan2(down[row, column], right[row, column]) + math.pi
        length = rng.uniform(135, 265) * scale
        width = length * rng.uniform(0.5, 0.8)
        blobs.append(draw_blob(rng, x, y, angle, length, width, rng.uniform(-0.2, 0.1), 0.1))
    return blobs[: len(places)], blobs[len(places) :]


def _slip(rng: np.random.Generator, canvas: Canvas, ground: Floats, slide: Blob) -> None:
    """Carve a scarp and a bowl, pile up a toe, and leave the body hummocky."""
    part = canvas.around(slide.x, slide.y, slide.reach + 10)
    out, along = slide.ratio(canvas, part)
    depth = slide.length * rng.uniform(0.05, 0.075)
    # The scarp is steep, the sides and the front of the toe are gentler.
    rim = np.where(along < -0.1, rng.uniform(0.10, 0.22), rng.uniform(0.22, 0.4))
    body = step_between((1 - out) / rim, 0, 1)
    moved = 0.75 * step_between(along, -0.05, 0.28) - step_between(-along, -0.16, 0.16)
    lumps = Canvas(out.shape[0], out.shape[1], canvas.gsd)
    hummocks = 0.085 * fractal_noise(rng, lumps, 38.0, 2)
    ground[part] += depth * body * (moved + hummocks)


def _picture(
    rng: np.random.Generator, canvas: Canvas, ground: Floats, slides: list[Blob], scars: list[Blob]
) -> Floats:
    """The reflectances (4, row, column) under a mild sun; landslides hardly show."""
    texture = Texture.on(rng, canvas)
    painting = Painting.blank(canvas)
    # Hollows hold more water than ridges, and are greener.
    hollow = np.clip((blurred(ground, 25.0) - ground) / 5, -1.5, 1.5)
    mixture = step_between(texture.sweep + 0.5 * texture.patch + 0.7 * hollow, -1.0, 1.0)
    dry = step_between(fractal_noise(rng, canvas, 260.0, 2), -0.6, 1.6)
    base = _SHRUB[:, None] + (_GRASS - _SHRUB)[:, None] * mixture
    base = base + (_STEPPE[:, None] - base) * 0.8 * dry
    everywhere = np.ones(mixture.shape, bool)
    grain = (0.08 * texture.tuft + 0.06 * texture.patch + 0.03 * texture.grain)[everywhere]
    painting.fill(everywhere, None, varied(base[:, everywhere], grain))
    terraced = fractal_noise(rng, canvas, 300.0, 2) > 0.7
    steps = np.sin(2 * math.pi * ground[terraced] / 4)
    painting.tint(terraced, 1 + 0.09 * np.tanh(2 * steps))
    for slide in slides:
        # What grows on an old landslide is a little greener, for the water in it.
        part = canvas.around(slide.x, slide.y, slide.reach)
        inside = slide.ratio(canvas, part)[0] < 1
        painting.tint(inside, rng.uniform(0.95, 1.03), part)
    for scar in scars:
        _bare(rng, painting, scar, texture)
    avoid = np.zeros(mixture.shape, np.float32)
    grow_forest(rng, painting, forest_blobs(rng, canvas, 330.0, 0.10, avoid), texture)
    scatter_trees(rng, painting, texture.sweep > 1.2, texture, 9.0, (3.0, 8.0))
    light = 0.62 + 0.38 * slope_light(canvas, ground + painting.height, Sun())
    return painting.colour * light


def _bare(rng: np.random.Generator, painting: Painting, scar: Blob, texture: Texture) -> None:
    """Bare ground in the outline of a landslide, where nothing moved."""
    part = painting.canvas.around(scar.x, scar.y, scar.reach)
    out = scar.ratio(painting.canvas, part)[0] + 0.09 * texture.patch[part]
    bare = step_between(1 - out, 0.0, 0.2) * np.float32(rng.uniform(0.3, 0.75))
    soil = varied(_SCAR, (0.09 * texture.patch[part] + 0.05 * texture.tuft[part]).ravel())
    here = painting.colour[(slice(None), *part)]
    here += (soil.reshape(here.shape) - here) * bare


def _photograph(rng: np.random.Generator, colour: Floats) -> NDArray[np.uint8]:
    """An 8-bit colour picture (red, green, blue), gamma as cameras have it."""
    seen = block_mean(blurred(colour[::-1], 0.8), _FINER)
    noisy = seen + 0.0015 * rng.standard_normal(seen.shape, np.float32)
    gamma = np.clip((noisy - 0.01) / 0.24, 0, 1) ** 0.6
    return np.asarray(np.clip(np.rint(gamma * 255), 1, 255).astype(np.uint8))


def _measure(
    rng: np.random.Generator, canvas: Canvas, ground: Floats
) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """The elevations on a coarse grid of its own, with 0.15 m of noise, and where it starts."""
    step = round(DEM_GSD / canvas.gsd)
    # Starting 1 fine pixel in puts the two grids out of step, as real ones are.
    rows = (canvas.rows - 1) // step
    cut = ground[1 : 1 + rows * step, 1 : 1 + rows * step]
    dem = block_mean(cut - np.float32(1800), step) + np.float32(1800)
    noise = 0.15 * smooth_noise(rng, Canvas(rows, rows, DEM_GSD), 3 * DEM_GSD)
    offset = canvas.gsd - _MARGIN
    return np.asarray(dem + noise, np.float32), (offset, offset)
