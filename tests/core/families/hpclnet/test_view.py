"""How HPCL-Net sees a scene: cut up, turned, with coarse, shifted, geographic, broken elevation."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from terraweave.core.families.hpclnet.view import (
    RELATIVE,
    RIGHTWARDS,
    SHADE,
    SLOPE,
    UPWARDS,
    TerrainView,
)
from terraweave.core.job import Source
from terraweave.core.scene.grid import Grid, Shape, Window
from terraweave.core.scene.placement import Placed
from terraweave.core.scene.scene import Block, Scene
from terraweave.core.scene.source import Image
from terraweave.core.segmentation.orientations import turned

PIXEL = 4.0
ORIGIN = (600000.0, 3400000.0)
UTM = CRS.from_epsg(32647)
NODATA = -9999.0
VIEW = TerrainView(2, wide=64.0)

Floats = NDArray[np.float32]
MakeScene = Callable[..., Scene]


def ground(east: NDArray[np.float64], north: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights at map coordinates: smooth hills, so that any grid can sample them."""
    x, y = east - ORIGIN[0], north - ORIGIN[1]
    return 2900 + 30 * np.sin(x / 90) + 22 * np.cos(y / 70 + x / 150)


def centres(transform: Affine, rows: int, columns: int) -> tuple[NDArray[np.float64], ...]:
    row, column = np.mgrid[:rows, :columns] + 0.5
    return (
        transform.a * column + transform.b * row + transform.c,
        transform.d * column + transform.e * row + transform.f,
    )


@pytest.fixture
def make_scene(tmp_path: Path) -> MakeScene:
    """Makes a scene of an image of two bands and an elevation model, of any place each."""

    def written(name: str, values: Floats, transform: Affine, crs: CRS) -> Image:
        path = tmp_path / name
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype="float32",
            count=values.shape[0],
            height=values.shape[1],
            width=values.shape[2],
            crs=crs,
            transform=transform,
            nodata=NODATA,
        ) as data:
            data.write(values.astype(np.float32))
        return Image(Source(str(path)))

    def make(
        image: Floats, dem: Floats, dem_transform: Affine, dem_crs: CRS = UTM, turn: float = 0.0
    ) -> Scene:
        place = Affine.translation(*ORIGIN) @ Affine.rotation(turn) @ Affine.scale(PIXEL, -PIXEL)
        pictures = {
            "IMAGE": written("image.tif", image, place, UTM),
            "DEM": written("dem.tif", dem, dem_transform, dem_crs),
        }
        grid = Grid(UTM.to_wkt(), place, Shape(*image.shape[1:]))
        return Scene(
            grid,
            {key: Placed(one, grid) for key, one in pictures.items()},
            {"IMAGE": 1, "DEM": 1},
        )

    return make


def picture(rows: int = 60, columns: int = 72) -> Floats:
    return np.random.default_rng(5).uniform(20, 200, (2, rows, columns)).astype(np.float32)


def same_grid() -> Affine:
    return Affine(PIXEL, 0, ORIGIN[0], 0, -PIXEL, ORIGIN[1])


def heights(transform: Affine, rows: int, columns: int) -> Floats:
    return ground(*centres(transform, rows, columns))[None].astype(np.float32)


def whole(scene: Scene, view: TerrainView = VIEW) -> Block:
    return view.read(scene, scene.grid.window)


def test_channels_are_the_bands_and_five_of_terrain(make_scene: MakeScene) -> None:
    scene = make_scene(picture(), heights(same_grid(), 60, 72), same_grid())
    block = whole(scene)
    assert block.values.shape == (VIEW.channels, 60, 72) == (7, 60, 72)
    assert block.values.dtype == np.float32
    assert block.valid.all()
    np.testing.assert_array_equal(block.values[:2], picture())
    assert np.abs(block.values[2 + SLOPE :]).max() <= 1
    assert np.abs(block.values[2 + RELATIVE]).max() > 1


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_a_window_shows_what_the_whole_scene_shows(make_scene: MakeScene, factor: float) -> None:
    dem_place = Affine(PIXEL * factor, 0, ORIGIN[0] - 97, 0, -PIXEL * factor, ORIGIN[1] + 131)
    count = math.ceil(80 / factor) + 30
    dem = heights(dem_place, count, count)
    dem[0, count // 3, count // 4] = NODATA
    scene = make_scene(picture(), dem, dem_place)
    every = whole(scene)
    assert every.valid.any()
    for window in (Window(0, 0, 20, 20), Window(33, 11, 7, 50), Window(40, 52, 20, 20)):
        rows, columns = window.slices
        part, expected = VIEW.read(scene, window), every.values[:, rows, columns]
        np.testing.assert_array_equal(part.valid, every.valid[window.slices])
        np.testing.assert_allclose(part.values, expected, atol=1e-4)
    beyond = VIEW.read(scene, scene.grid.window.grown(9))
    np.testing.assert_allclose(beyond.values[:, 9:-9, 9:-9], every.values, atol=1e-4)
    assert np.isfinite(beyond.values).all()


@pytest.mark.parametrize("factor", [1.0, 4.0])
@pytest.mark.parametrize("orientation", range(8))
def test_turned_channels_are_those_of_turned_ground(
    make_scene: MakeScene, orientation: int, factor: float
) -> None:
    """The picture is square and centred, so that image and coarser elevation turn in place."""
    count = round(64 / factor)
    place = Affine(PIXEL * factor, 0, ORIGIN[0], 0, -PIXEL * factor, ORIGIN[1])
    image, dem = picture(64, 64), heights(place, count, count)
    dem[0, 2, 5] = NODATA
    upright = whole(make_scene(image, dem, place))

    def turn(values: Floats) -> Floats:
        return turned(torch.from_numpy(values), orientation).numpy()

    expected = whole(make_scene(turn(image), turn(dem), place))
    valid = turned(torch.from_numpy(upright.valid), orientation).numpy()
    np.testing.assert_array_equal(expected.valid, valid)
    found = VIEW.turned(torch.from_numpy(upright.values), orientation).numpy()
    np.testing.assert_allclose(np.where(valid, found, 0), expected.values, atol=1e-4)
    if orientation:
        plain = turn(upright.values)
        assert np.abs(plain - expected.values)[2 + UPWARDS : 2 + RIGHTWARDS + 1].max() > 0.05


def true_terrain(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rise to the east and to the north of the smooth ground, a metre."""
    shape = scene.grid.shape
    east, north = centres(scene.grid.transform, shape.rows, shape.columns)
    step = 0.5
    return (
        (ground(east + step, north) - ground(east - step, north)) / (2 * step),
        (ground(east, north + step) - ground(east, north - step)) / (2 * step),
    )


def lean_error(scene: Scene, turn: float = 0.0) -> float:
    """The largest error of the lean in the middle of the scene."""
    east, north = true_terrain(scene)
    length = np.sqrt(1 + east**2 + north**2)
    angle = math.radians(turn)  # the picture's right is so far counter-clockwise from east
    right = east * math.cos(angle) + north * math.sin(angle)
    up = -east * math.sin(angle) + north * math.cos(angle)
    block = whole(scene)
    middle = (slice(12, -12), slice(12, -12))
    assert block.valid[middle].all()
    errors = (
        block.values[2 + UPWARDS] + up / length,
        block.values[2 + RIGHTWARDS] + right / length,
        block.values[2 + SLOPE] - np.degrees(np.arctan(np.hypot(east, north))) / 90,
    )
    return max(float(np.abs(one[middle]).max()) for one in errors)


def test_the_lean_is_that_of_the_ground(make_scene: MakeScene) -> None:
    scene = make_scene(picture(), heights(same_grid(), 60, 72), same_grid())
    assert lean_error(scene) < 0.005


def test_elevation_ten_times_coarser_and_half_a_pixel_off_has_no_stairs(
    make_scene: MakeScene,
) -> None:
    place = Affine(40, 0, ORIGIN[0] - 222, 0, -40, ORIGIN[1] + 222)
    scene = make_scene(picture(), heights(place, 20, 20), place)
    assert lean_error(scene) < 0.08
    slope = whole(scene).values[2 + SLOPE]
    # Stairs or facets would show as jumps from one pixel to the next.
    assert np.abs(np.diff(slope, axis=1)).max() < 0.02


def test_elevation_in_degrees_has_metric_slopes(make_scene: MakeScene) -> None:
    degrees = CRS.from_epsg(4326)
    west, south, east, north = Grid(UTM.to_wkt(), same_grid(), Shape(60, 72)).bounds_in(
        degrees.to_wkt()
    )
    step = 10 / 111_000
    place = Affine(step, 0, west - 9 * step, 0, -step, north + 9 * step)
    rows, columns = math.ceil((north - south) / step) + 18, math.ceil((east - west) / step) + 18
    xs, ys = centres(place, rows, columns)
    there = transform_points(degrees, UTM, xs.ravel().tolist(), ys.ravel().tolist())
    dem = ground(*(np.array(one).reshape(xs.shape) for one in there))[None]
    scene = make_scene(picture(), dem, place, degrees)
    assert scene.facts("DEM").gsd > 1.5 * PIXEL
    assert lean_error(scene) < 0.01


@pytest.mark.parametrize("edge", [4.0, 12.0])
def test_a_turned_image_sees_the_terrain_in_its_own_picture(
    make_scene: MakeScene, edge: float
) -> None:
    place = Affine(edge, 0, ORIGIN[0] - 300, 0, -edge, ORIGIN[1] + 300)
    count = round(900 / edge)
    scene = make_scene(picture(), heights(place, count, count), place, turn=30.0)
    assert lean_error(scene, 30.0) < 0.02


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_voids_and_missing_image_pixels_are_not_valid(make_scene: MakeScene, factor: float) -> None:
    count = round(64 / factor)
    place = Affine(PIXEL * factor, 0, ORIGIN[0], 0, -PIXEL * factor, ORIGIN[1])
    dem, image = heights(place, count, count), picture(64, 64)
    centre = count // 2
    dem[0, centre, centre] = np.nan
    image[1, 3, 7] = NODATA
    block = whole(make_scene(image, dem, place))
    assert not block.valid[3, 7]
    hole = round((centre + 0.5) * factor)
    assert not block.valid[hole, hole]
    assert block.valid[10:20, 10:20].all()
    assert np.isfinite(block.values).all()
    assert (block.values[:, ~block.valid] == 0).all()


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_no_absolute_height_is_seen(make_scene: MakeScene, factor: float) -> None:
    count = round(64 / factor)
    place = Affine(PIXEL * factor, 0, ORIGIN[0], 0, -PIXEL * factor, ORIGIN[1])
    dem = np.round(heights(place, count, count) * 64) / 64
    low = whole(make_scene(picture(64, 64), dem, place)).values
    high = whole(make_scene(picture(64, 64), dem + 1024, place)).values
    np.testing.assert_allclose(low, high, atol=2e-3)
    np.testing.assert_allclose(low[2 + SLOPE :], high[2 + SLOPE :], atol=1e-4)


def test_feet_are_brought_to_metres(make_scene: MakeScene) -> None:
    dem = heights(same_grid(), 60, 72)
    metres = whole(make_scene(picture(), dem, same_grid())).values
    feet = make_scene(picture(), dem / 0.3048, same_grid())
    found = whole(feet, TerrainView(2, wide=64.0, metres=0.3048)).values
    np.testing.assert_allclose(found, metres, atol=5e-3)
    assert np.abs(whole(feet).values[2 + SHADE] - metres[2 + SHADE]).max() > 0.05
