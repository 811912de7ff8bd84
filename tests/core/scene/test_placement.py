"""An image is read as it is where grids line up, and resampled with care where they do not."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import calculate_default_transform, reproject
from terraweave.core.family import Role
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape, Window
from terraweave.core.scene.placement import reason
from terraweave.core.scene.scene import (
    open_scene,
)

WriteRaster = Callable[..., Source]
Roles = Sequence[Role]


def ms_values(rows: int = 15, columns: int = 17, bands: int = 3) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.uniform(1, 100, (bands, rows, columns)).astype(np.float32)


def pan_values(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(1, 100, (1, rows, columns)).astype(np.float32)


def test_a_whole_pixel_offset_is_read_directly_and_the_rest_is_missing(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    pan = pan_values(40, 68)
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", pan, pixel=0.5, offset=(3, -2)),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("PAN", scene.grid.window)
        assert not scene.resampled("PAN")
    expected = np.zeros((60, 68), dtype=np.float32)
    expected[3:43, :66] = pan[0, :, 2:]
    np.testing.assert_array_equal(block.values[0], expected)
    np.testing.assert_array_equal(block.valid, expected > 0)
    assert any("covers 65% of" in text for text in texts)


def test_a_half_pixel_offset_is_the_mean_of_neighbours_and_is_said(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    pan = pan_values(30, 34)
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", pan, pixel=1.0, offset=(0.5, 0.5)),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("PAN", scene.grid.window)
        assert scene.resampled("PAN")
    p = pan[0].astype(np.float64)
    means = (p[:-1, :-1] + p[:-1, 1:] + p[1:, :-1] + p[1:, 1:]) / 4
    np.testing.assert_allclose(block.values[0, 1:, 1:], means, rtol=1e-5)
    assert block.valid.all()
    assert texts == [
        "pan.tif is resampled (bilinear) to a grid exactly 2 times as fine as the result's, "
        "because its pixels are shifted by -0.50 columns and -0.50 rows."
    ]


def test_a_linear_ramp_survives_an_odd_ratio(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    size = 0.50002  # as in a real pair: 4.0002 rather than 4
    columns = (np.arange(400) + 0.5) * size
    ramp = np.repeat(columns[None, None, :], 400, axis=1).astype(np.float32)
    inputs = {
        "MS": write_raster("ms.tif", ms_values(100, 100)),
        "PAN": write_raster("pan.tif", ramp, pixel=size),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("PAN", scene.grid.window)
    wanted = (np.arange(400) + 0.5) * 0.5
    np.testing.assert_allclose(block.values[0, 200, 1:-1], wanted[1:-1], atol=1e-4)
    assert "1.00004 × 1.00004 times as large" in texts[0]


@pytest.mark.parametrize(("size", "words"), [(0.125, "8 times as fine"), (3.0, "3 times as large")])
def test_other_pixel_sizes_are_told_as_one_says_them(size: float, words: str) -> None:
    target = Grid("", Affine(1.0, 0, 0, 0, -1.0, 40), Shape(40, 40))
    source = Grid("", Affine(size, 0, 0, 0, -size, 40), Shape(40, 40))
    assert reason(source, target) == f"its pixels are {words} as those of the result's grid"


def test_missing_pixels_have_no_part_in_resampled_values(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    pan = np.full((1, 30, 34), 50, dtype=np.uint16)
    pan[0, 10:14, 10:14] = 9999
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", pan, pixel=1.0, offset=(0.5, 0.5), nodata=9999),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("PAN", scene.grid.window)
    assert set(np.unique(block.values[0][block.valid])) == {50}
    hole = np.argwhere(~block.valid)
    assert hole.min() == 11
    assert hole.max() == 13


@pytest.mark.parametrize("role", ["MS", "PAN"])
def test_resampled_windows_show_what_the_whole_shows(
    write_raster: WriteRaster, roles: Roles, told: Progress, role: str
) -> None:
    inputs = {
        "MS": write_raster("ms.tif", ms_values(300, 310)),
        "PAN": write_raster("pan.tif", pan_values(1210, 1250), pixel=0.4999, offset=(-3.3, 1.7)),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        whole = scene.read(role, scene.grid.window)
        for window in (Window(0, 0, 33, 310), Window(251, 240, 20, 50), Window(299, 0, 1, 1)):
            part = scene.read(role, window)
            rows, columns = window.scaled(scene.scales[role]).slices
            np.testing.assert_allclose(part.values, whole.values[:, rows, columns], atol=1e-3)
            np.testing.assert_array_equal(part.valid, whole.valid[rows, columns])


def test_another_crs_is_warped_onto_the_reference(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    rows, columns = 240, 260
    y, x = np.mgrid[0:rows, 0:columns]
    scene_there = (100 + 20 * np.sin(x / 25) + 15 * np.cos(y / 30)).astype(np.float32)[None]
    pan = write_raster("utm.tif", scene_there, pixel=0.5)
    here = Affine(0.5, 0, 500000, 0, -0.5, 5000000)
    box = (500000, 5000000 - rows / 2, 500000 + columns / 2, 5000000)
    transform, width, height = calculate_default_transform(
        "EPSG:32631", "EPSG:3857", columns, rows, *box
    )
    mercator = np.zeros((1, height, width), dtype=np.float32)
    reproject(
        scene_there, mercator, src_transform=here, src_crs="EPSG:32631",
        dst_transform=transform, dst_crs="EPSG:3857", resampling=1, tolerance=0,
    )  # fmt: skip
    inputs = {
        "MS": write_raster("ms.tif", ms_values(60, 65)),
        "PAN": write_raster("m.tif", mercator, crs="EPSG:3857", transform=transform, nodata=0),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        assert scene.scales["PAN"] == 4
        block = scene.read("PAN", scene.grid.window)
        part = scene.read("PAN", Window(20, 30, 7, 9))
    inner = (slice(4, -4), slice(4, -4))
    assert block.valid[inner].all()
    np.testing.assert_allclose(block.values[0][inner], scene_there[0][inner], atol=0.15)
    np.testing.assert_allclose(part.values[0], block.values[0, 80:108, 120:156], atol=1e-2)
    assert "it is in EPSG:3857, the result in EPSG:32631" in texts[-1]
    assert pan.path


def test_a_much_finer_image_is_averaged(
    write_raster: WriteRaster, told: Progress, texts: list[str]
) -> None:
    image = Role("IMAGE", "image", "", reference=True)
    dem = Role("DEM", "elevation", "", maximum_bands=1)
    fine = pan_values(150, 170)
    inputs = {
        "IMAGE": write_raster("image.tif", ms_values()),
        "DEM": write_raster("dem.tif", fine, pixel=0.2),
    }
    with open_scene(inputs, [image, dem], progress=told) as scene:
        block = scene.read("DEM", scene.grid.window)
    np.testing.assert_allclose(
        block.values[0], fine[0].reshape(15, 10, 17, 10).mean((1, 3)), rtol=1e-4
    )
    assert "(average) to the result's grid" in texts[0]


def test_a_coarser_image_is_interpolated(write_raster: WriteRaster, told: Progress) -> None:
    image = Role("IMAGE", "image", "", reference=True)
    dem = Role("DEM", "elevation", "", maximum_bands=1)
    plane = np.add.outer(np.arange(20) + 0.5, np.arange(20) + 0.5)[None].astype(np.float32)
    inputs = {
        "IMAGE": write_raster("image.tif", ms_values(60, 60)),
        "DEM": write_raster("dem.tif", plane, pixel=6.0),
    }
    with open_scene(inputs, [image, dem], progress=told) as scene:
        block = scene.read("DEM", scene.grid.window)
    wanted = np.add.outer(np.arange(60) + 0.5, np.arange(60) + 0.5) / 3
    np.testing.assert_allclose(block.values[0, 2:-2, 2:-2], wanted[2:-2, 2:-2], rtol=1e-5)


def test_a_turned_raster_is_resampled_onto_the_reference(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    south_up = pan_values(60, 68)
    transform = Affine(0.5, 0, 500000, 0, 0.5, 5000000 - 30)
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", south_up, transform=transform),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("PAN", scene.grid.window)
    np.testing.assert_allclose(block.values[0], south_up[0, ::-1], rtol=1e-5)
    assert "turned or mirrored" in texts[0]


def test_a_turned_pair_on_one_grid_is_read_directly(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    turned = Affine(1.0, 0, 500000, 0, 1.0, 5000000) * Affine.rotation(30)
    ms, pan = ms_values(), pan_values(60, 68)
    inputs = {
        "MS": write_raster("ms.tif", ms, transform=turned * Affine.scale(2)),
        "PAN": write_raster("pan.tif", pan, transform=turned * Affine.scale(0.5)),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        assert not scene.resampled("PAN")
        assert scene.grid.gsd == pytest.approx(2.0)
        np.testing.assert_array_equal(scene.read("PAN", scene.grid.window).values, pan)
