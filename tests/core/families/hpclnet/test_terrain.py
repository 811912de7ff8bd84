"""Terrain: Horn's formulas against GDAL, symmetry, missing pixels, no absolute height."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from terraweave.core.families.hpclnet.terrain import (
    AZIMUTHS,
    Doubles,
    Gradient,
    aspect_degrees,
    facing,
    hillshade,
    horn,
    relative_elevation,
    relief,
    shade,
    slope_degrees,
    smoothed,
    smoothing_radius,
    wide_radius,
)

GSD = 4.0


def hills(rows: int = 40, columns: int = 52, seed: int = 3) -> Doubles:
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:rows, :columns]
    waves = 40 * np.sin(row / 6) + 25 * np.cos(column / 5 + row / 11)
    heights = 1500 + waves + random.normal(0, 1.5, waves.shape)
    # GDAL adds up in float32; heights in 1/64 m leave it nothing to round.
    return np.round(heights * 64) / 64


def derived(elevation: Doubles, valid: np.ndarray | None = None) -> Gradient:
    known = np.ones(elevation.shape, bool) if valid is None else valid
    found = horn(elevation, known)
    return Gradient(found.right / GSD, found.up / GSD, found.valid)


@pytest.fixture(scope="module")
def gdaldem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the gdaldem binary makes of the hills."""
    if shutil.which("gdaldem") is None:
        pytest.skip("the program gdaldem is not installed")
    folder = tmp_path_factory.mktemp("gdaldem")
    heights = hills().astype(np.float32)
    place = Affine(GSD, 0, 500000, 0, -GSD, 5000000)
    profile = dict(driver="GTiff", count=1, dtype="float32", crs="EPSG:32631", transform=place)
    with rasterio.open(
        folder / "dem.tif", "w", height=heights.shape[0], width=heights.shape[1], **profile
    ) as data:
        data.write(heights, 1)
    for name, (mode, *options) in {
        "slope": ["slope"],
        "aspect": ["aspect"],
        "hillshade": ["hillshade", "-az", "45", "-alt", "45"],
        "multidirectional": ["hillshade", "-multidirectional"],
    }.items():
        target = str(folder / f"{name}.tif")
        command = ["gdaldem", mode, str(folder / "dem.tif"), target, "-q", *options]
        subprocess.run(command, check=True)
    return folder


def made_by(folder: Path, mode: str) -> Doubles:
    with rasterio.open(folder / f"{mode}.tif") as data:
        return data.read(1)[1:-1, 1:-1].astype(float)


def test_slope_is_that_of_gdaldem(gdaldem: Path) -> None:
    found = slope_degrees(derived(hills()))
    assert found.max() > 30
    np.testing.assert_allclose(found, made_by(gdaldem, "slope"), atol=3e-4)


def test_aspect_is_that_of_gdaldem(gdaldem: Path) -> None:
    found = aspect_degrees(derived(hills()))
    apart = np.abs((found - made_by(gdaldem, "aspect") + 180) % 360 - 180)
    assert apart.max() <= 2e-3


def test_shade_is_that_of_gdaldem_up_to_its_whole_numbers(gdaldem: Path) -> None:
    found = 1 + 254 * shade(derived(hills()), 45.0)
    assert np.abs(found - made_by(gdaldem, "hillshade")).max() <= 1.0


def test_relief_is_gdaldem_s_multidirectional_hillshade(gdaldem: Path) -> None:
    found = 1 + 254 * relief(derived(hills()))
    assert np.ptp(found) > 50
    assert np.abs(found - made_by(gdaldem, "multidirectional")).max() <= 1.0


def test_lean_is_the_aspect_as_a_vector_of_the_sine_of_the_slope() -> None:
    rise = derived(hills())
    aspect, slope = np.radians(aspect_degrees(rise)), np.radians(slope_degrees(rise))
    up, right = facing(rise)
    np.testing.assert_allclose(up, np.cos(aspect) * np.sin(slope), atol=1e-12)
    np.testing.assert_allclose(right, np.sin(aspect) * np.sin(slope), atol=1e-12)


def test_a_plane_that_falls_to_the_south_east_faces_135_degrees() -> None:
    row, column = np.mgrid[:6, :6].astype(float)
    rise = derived(-GSD * (row + column))
    np.testing.assert_allclose(aspect_degrees(rise), 135.0)
    np.testing.assert_allclose(slope_degrees(rise), np.degrees(np.arctan(np.sqrt(2))))


def test_flat_ground_has_no_aspect_and_the_light_of_the_sun_s_height() -> None:
    rise = derived(np.full((5, 5), 812.0))
    assert np.isnan(aspect_degrees(rise)).all()
    np.testing.assert_allclose(hillshade(rise), np.sqrt(0.5))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_hillshade_turns_with_the_ground(quarters: int, flip: bool) -> None:
    def turn(values: Doubles) -> Doubles:
        return np.rot90(values[:, ::-1] if flip else values, quarters)

    np.testing.assert_allclose(
        hillshade(derived(turn(hills()))), turn(hillshade(derived(hills()))), atol=1e-12
    )


def test_a_single_sun_does_not_turn_with_the_ground() -> None:
    turned_first = shade(derived(np.rot90(hills())), AZIMUTHS[0])
    assert np.abs(turned_first - np.rot90(shade(derived(hills()), AZIMUTHS[0]))).max() > 0.1


def test_missing_pixels_take_their_neighbours_along() -> None:
    heights, valid = hills(9, 9), np.ones((9, 9), bool)
    heights[4, 4], valid[4, 4] = np.nan, False
    rise = derived(heights, valid)
    expected = np.ones((7, 7), bool)
    expected[2:5, 2:5] = False
    np.testing.assert_array_equal(rise.valid, expected)
    assert np.isfinite(rise.right).all()
    np.testing.assert_allclose(rise.right[expected], derived(hills(9, 9)).right[expected])


@pytest.mark.parametrize("height", [4096.0, -1024.0])
def test_a_constant_added_to_all_heights_changes_nothing(height: float) -> None:
    valid = np.random.default_rng(0).random((40, 52)) > 0.1
    one, two = hills(), hills() + height
    for first, second in zip(
        (*vars_of(derived(one, valid)), relative_elevation(one, valid, 8)),
        (*vars_of(derived(two, valid)), relative_elevation(two, valid, 8)),
        strict=True,
    ):
        np.testing.assert_allclose(first, second, atol=1e-9)


def vars_of(rise: Gradient) -> tuple[Doubles, ...]:
    return (rise.right, rise.up, hillshade(rise), slope_degrees(rise), *facing(rise))


def test_relative_elevation_is_height_less_the_mean_of_what_is_known_around() -> None:
    radius, heights = 3, hills(15, 17)
    valid = np.random.default_rng(1).random(heights.shape) > 0.3
    expected = np.zeros((9, 11))
    for row in range(9):
        for column in range(11):
            square = (slice(row, row + 7), slice(column, column + 7))
            if valid[row + radius, column + radius]:
                mean = heights[square][valid[square]].mean()
                expected[row, column] = heights[row + radius, column + radius] - mean
    spoilt = np.where(valid, heights, np.nan)
    np.testing.assert_allclose(relative_elevation(spoilt, valid, radius), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("gsd", "radius"), [(0.05, 512), (0.5, 250), (4.0, 31), (10.0, 12), (100.0, 8)]
)
def test_wide_means_reach_125_metres_within_8_to_512_pixels(gsd: float, radius: int) -> None:
    assert wide_radius(250.0, gsd) == radius


def test_smoothing_keeps_planes_and_leaves_missing_pixels_out() -> None:
    row, column = np.mgrid[:13, :13].astype(float)
    plane = 3 * row + 2 * column + 900
    reach = smoothing_radius(0.75)
    inner = slice(reach, 13 - reach)
    everywhere = np.ones(plane.shape, bool)
    np.testing.assert_allclose(smoothed(plane, everywhere, 0.75), plane[inner, inner], atol=1e-9)
    valid = everywhere.copy()
    valid[6, 7] = False
    spoilt = np.where(valid, 900.0, np.nan)
    np.testing.assert_allclose(smoothed(spoilt, valid, 0.75), 900.0)


def test_finer_elevation_is_not_smoothed() -> None:
    assert smoothing_radius(0.5 * 0.49) == 0
    heights = hills()
    assert smoothed(heights, np.ones(heights.shape, bool), 0.1) is heights
