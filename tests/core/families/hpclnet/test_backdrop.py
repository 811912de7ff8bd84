"""The shaded relief below a map: on any image's grid, from any elevation, however it is cut up."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.backdrop import pixel_metres, shaded_relief
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape, Window
from terraweave.core.scene.scene import Scene, open_scene
from terraweave.core.segmentation.working import working_grid

UTM = CRS.from_epsg(32647)
WEST, NORTH = 600000.0, 3400000.0
# About a metre and a half each way, at 31° north; and not square.
DEGREES = Affine(0.00002, 0, 100.05, 0, -0.000014, 30.73)
MakeScene = Callable[..., Scene]


def ground(east: NDArray[np.float64], north: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights at UTM coordinates."""
    x, y = east - WEST, north - NORTH
    return 2900 + 30 * np.sin(x / 90) + 22 * np.cos(y / 70 + x / 150)


def heights(transform: Affine, crs: CRS, rows: int, columns: int) -> NDArray[np.float32]:
    row, column = np.mgrid[:rows, :columns] + 0.5
    x, y = transform.a * column + transform.c, transform.e * row + transform.f
    if crs != UTM:
        x, y = (
            np.reshape(one, x.shape)
            for one in transform_points(crs, UTM, x.ravel().tolist(), y.ravel().tolist())[:2]
        )
    return ground(np.asarray(x), np.asarray(y)).astype(np.float32)[None]


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Opens a scene of an image and the hills, each on a grid of its own."""
    with ExitStack() as stack:

        def write(name: str, values: NDArray[np.float32], crs: CRS, place: Affine) -> Source:
            path = tmp_path / name
            shape = dict(zip(("count", "height", "width"), values.shape, strict=True))
            with rasterio.open(
                path, "w", driver="GTiff", dtype="float32", crs=crs, transform=place,
                nodata=-9999, **shape,
            ) as data:  # fmt: skip
                data.write(values)
            return Source(str(path))

        def make(
            place: Affine, crs: CRS, dem_place: Affine, dem_shape: tuple[int, int], hole: int = 0
        ) -> Scene:
            dem = heights(dem_place, UTM, *dem_shape)
            dem[:, 20 : 20 + hole, 20 : 20 + hole] = -9999
            inputs = {
                "IMAGE": write("image.tif", np.ones((1, 120, 140), np.float32), crs, place),
                "DEM": write("dem.tif", dem, UTM, dem_place),
            }
            return stack.enter_context(
                open_scene(
                    inputs, HPCLNET.roles, progress=Progress(), onto=lambda g: working_grid(g, 8.0)
                )
            )

        yield make


def square(gsd: float, shift: float = 0.0) -> Affine:
    return Affine(gsd, 0, WEST + shift, 0, -gsd, NORTH - shift)


@pytest.mark.parametrize(
    ("gsd", "shift", "shape", "apart"),
    [(2.0, -20.0, (150, 160), 3.0), (3.0, -31.0, (110, 120), 6.0), (20.0, -64.0, (20, 22), 30.0)],
)
def test_relief_is_about_the_same_whatever_grid_the_elevation_has(
    make_scene: MakeScene, gsd: float, shift: float, shape: tuple[int, int], apart: float
) -> None:
    fine = make_scene(square(2.0), UTM, square(2.0, -20.0), (150, 160))
    expected = shaded_relief(fine, fine.delivery.window, 1.0).astype(float)
    scene = make_scene(square(2.0), UTM, square(gsd, shift), shape)
    found = shaded_relief(scene, scene.delivery.window, 1.0).astype(float)
    assert found.min() > 0
    assert np.abs(found - expected).max() <= apart
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("gsd", [2.0, 20.0])
def test_windows_agree_to_the_number(make_scene: MakeScene, gsd: float) -> None:
    scene = make_scene(square(2.0), UTM, square(gsd, -60.0), (240, 240))
    whole = shaded_relief(scene, scene.delivery.window, 1.0)
    for window in scene.delivery.window.blocks(37, 51):
        np.testing.assert_array_equal(shaded_relief(scene, window, 1.0), whole[window.slices])


def test_an_image_in_degrees_shows_the_same_hills(make_scene: MakeScene) -> None:
    wgs = CRS.from_epsg(4326)
    x, y = transform_points(wgs, UTM, [DEGREES.c], [DEGREES.f])
    dem = Affine(2.0, 0, round(x[0]) - 40.0, 0, -2.0, round(y[0]) + 40.0)
    scene = make_scene(DEGREES, wgs, dem, (160, 220))
    found = shaded_relief(scene, scene.delivery.window, 1.0).astype(float)
    # The truth: the same hills shaded on a metric grid, looked up pixel by pixel.
    flat = make_scene(dem, UTM, dem, (160, 220))
    truth = shaded_relief(flat, flat.delivery.window, 1.0).astype(float)
    row, column = np.mgrid[:120, :140] + 0.5
    east, north = transform_points(
        wgs, UTM, (DEGREES.a * column + DEGREES.c).ravel().tolist(),
        (DEGREES.e * row + DEGREES.f).ravel().tolist(),
    )  # fmt: skip
    there_row = np.floor((dem.f - np.array(north)) / 2).astype(int)
    there_column = np.floor((np.array(east) - dem.c) / 2).astype(int)
    inside = (there_row < 119) & (there_column < 139)
    expected = truth[there_row[inside], there_column[inside]]
    seen = found.ravel()[inside]
    assert inside.sum() > 5000
    assert np.corrcoef(seen, expected)[0, 1] > 0.99
    assert np.abs(seen - expected).mean() < 2


def test_pixels_in_degrees_are_as_long_as_on_the_ground() -> None:
    grid = Grid(CRS.from_epsg(4326).to_wkt(), DEGREES, Shape(100, 100))
    across, down = pixel_metres(grid, working_grid(grid, 2.0), Window(10, 0, 5, 7))
    assert across.shape == down.shape == (5, 1)
    degree = 111_320.0
    assert across[0, 0] == pytest.approx(0.00002 * degree * np.cos(np.radians(30.73)), rel=5e-3)
    assert down[0, 0] == pytest.approx(0.000014 * degree, rel=6e-3)


def test_voids_stay_missing_and_feet_are_lower_hills(make_scene: MakeScene) -> None:
    scene = make_scene(square(2.0), UTM, square(2.0, -20.0), (150, 160), hole=15)
    found = shaded_relief(scene, scene.delivery.window, 1.0)
    missing = found == 0
    assert 15 * 15 <= missing.sum() <= 19 * 19
    feet = shaded_relief(scene, scene.delivery.window, 0.3048)
    assert np.std(feet[~missing]) < 0.6 * np.std(found[~missing])
