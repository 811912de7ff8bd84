"""All roles of a scene show the same ground, whatever grids they came on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from terraweave.core.errors import InputError, ResourceError
from terraweave.core.family import Role
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape, Window
from terraweave.core.scene.scene import (
    Scene,
    infer_scale,
    mirrored,
    open_scene,
    overlap,
    pair_scenes,
)

WriteRaster = Callable[..., Source]
Roles = Sequence[Role]


def ms_values(rows: int = 15, columns: int = 17, bands: int = 3) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.uniform(1, 100, (bands, rows, columns)).astype(np.float32)


def pan_values(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(1, 100, (1, rows, columns)).astype(np.float32)


@pytest.fixture
def pair(write_raster: WriteRaster) -> dict[str, Source]:
    """15 × 17 MS pixels of 2 m, and PAN four times as fine."""
    return {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", pan_values(60, 68), pixel=0.5),
    }


@pytest.mark.parametrize("scale", [2, 4])
def test_the_scale_is_found_and_pixels_are_read_as_they_are(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str], scale: int
) -> None:
    ms, pan = ms_values(), pan_values(15 * scale, 17 * scale)
    inputs = {
        "MS": write_raster("ms.tif", ms),
        "PAN": write_raster("pan.tif", pan, pixel=2 / scale),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        assert scene.roles == ("MS", "PAN")
        assert scene.scales == {"MS": 1, "PAN": scale}
        assert not scene.resampled("PAN")
        np.testing.assert_array_equal(scene.read("MS", scene.grid.window).values, ms)
        np.testing.assert_array_equal(scene.read("PAN", scene.grid.window).values, pan)
    assert texts == []


@pytest.mark.parametrize("role", ["MS", "PAN"])
def test_a_window_shows_what_the_whole_shows_there(
    pair: dict[str, Source], roles: Roles, told: Progress, role: str
) -> None:
    window = Window(4, 6, 5, 3)
    with open_scene(pair, roles, progress=told) as scene:
        whole = scene.read(role, scene.grid.window)
        part = scene.read(role, window)
        rows, columns = window.scaled(scene.scales[role]).slices
    np.testing.assert_array_equal(part.values, whole.values[:, rows, columns])


@pytest.mark.parametrize("halo", [1, 7, 40])
@pytest.mark.parametrize("shape", [(15, 17), (1, 1), (1, 9), (6, 1)])
def test_the_reference_is_mirrored_like_numpy_does(
    write_raster: WriteRaster, roles: Roles, told: Progress, halo: int, shape: tuple[int, int]
) -> None:
    ms = ms_values(*shape)
    inputs = {
        "MS": write_raster("ms.tif", ms),
        "PAN": write_raster("pan.tif", pan_values(4 * shape[0], 4 * shape[1]), pixel=0.5),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("MS", scene.grid.window.grown(halo))
    expected = np.pad(ms, ((0, 0), (halo, halo), (halo, halo)), mode="reflect")
    np.testing.assert_array_equal(block.values, expected)
    assert block.valid.all()


def test_the_finer_role_is_mirrored_about_the_centre_of_the_reference_pixel(
    pair: dict[str, Source], roles: Roles, told: Progress
) -> None:
    with open_scene(pair, roles, progress=told) as scene:
        inside = scene.read("PAN", Window(1, 5, 1, 1)).values[0]
        above = scene.read("PAN", Window(-1, 5, 1, 1)).values[0]
        last = scene.read("PAN", Window(13, 5, 1, 1)).values[0]
        below = scene.read("PAN", Window(15, 5, 1, 1)).values[0]
        edge = scene.read("PAN", Window(0, 5, 1, 1)).values[0]
        corner = scene.read("PAN", Window(-2, -3, 1, 1)).values[0]
        opposite = scene.read("PAN", Window(2, 3, 1, 1)).values[0]
    np.testing.assert_array_equal(above, inside[::-1])
    np.testing.assert_array_equal(below, last[::-1])
    np.testing.assert_array_equal(corner, opposite[::-1, ::-1])
    assert not np.array_equal(edge, edge[::-1])


@given(st.integers(-60, 60), st.integers(1, 30), st.integers(2, 9), st.sampled_from([1, 2, 4]))
def test_mirroring_of_all_roles_names_the_same_reference_pixel(
    first: int, count: int, length: int, n: int
) -> None:
    fine, coarse = mirrored(first, count, length, n), mirrored(first, count, length)
    np.testing.assert_array_equal(fine.reshape(count, n) // n, np.repeat(coarse, n).reshape(-1, n))
    # Distances to the mirror, in half fine pixels, stay the same on the first reflection.
    if -length < first < 0 and first + count == 0:
        away = n - (2 * np.arange(first * n, 0) + 1)
        np.testing.assert_array_equal((2 * fine + 1) - n, away)


def test_missing_pixels_are_mirrored_with_the_values(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    ms = ms_values()
    ms[1, 2, 3] = -1
    inputs = {
        "MS": write_raster("ms.tif", ms, nodata=-1),
        "PAN": write_raster("pan.tif", pan_values(60, 68), pixel=0.5),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        block = scene.read("MS", Window(-3, -4, 8, 9))
    missing = {(int(r) - 3, int(c) - 4) for r, c in np.argwhere(~block.valid)}
    assert missing == {(2, 3), (-2, 3), (2, -3), (-2, -3)}
    assert (block.values[:, ~block.valid] == 0).all()


def test_three_panchromatic_bands_are_refused(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", ms_values(60, 68), pixel=0.5),
    }
    with (
        pytest.raises(InputError, match=r"pan\.tif.*has 3 bands; choose a single-band raster"),
        open_scene(inputs, roles, progress=told),
    ):
        pass


def test_too_few_bands_are_refused(write_raster: WriteRaster, told: Progress) -> None:
    role = Role("IMAGE", "image", "", reference=True, minimum_bands=3)
    with (
        pytest.raises(InputError, match="has 1 band; choose a raster of at least 3"),
        open_scene({"IMAGE": write_raster("a.tif", pan_values(5, 5))}, [role], progress=told),
    ):
        pass


def test_images_of_different_places_are_refused(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    inputs = {
        "MS": write_raster("ms.tif", ms_values()),
        "PAN": write_raster("pan.tif", pan_values(60, 68), pixel=0.5, offset=(5000, 0)),
    }
    with (
        pytest.raises(InputError, match=r"ms\.tif and pan\.tif do not overlap"),
        open_scene(inputs, roles, progress=told),
    ):
        pass


@pytest.mark.parametrize("lacking", ["MS", "PAN"])
def test_a_crs_on_one_of_both_only_is_refused(
    write_raster: WriteRaster, roles: Roles, told: Progress, lacking: str
) -> None:
    crs = {"MS": "EPSG:32631", "PAN": "EPSG:32631", lacking: None}
    inputs = {
        "MS": write_raster("MS.tif", ms_values(), crs=crs["MS"]),
        "PAN": write_raster("PAN.tif", pan_values(60, 68), pixel=0.5, crs=crs["PAN"]),
    }
    with (
        pytest.raises(InputError, match=rf"{lacking}\.tif has no coordinate system, while"),
        open_scene(inputs, roles, progress=told),
    ):
        pass


def test_chips_without_any_georeference_are_laid_over_each_other_with_a_warning(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    plain = {"crs": None, "transform": Affine.identity()}
    pan = pan_values(60, 68)
    inputs = {
        "MS": write_raster("ms.tif", ms_values(), **plain),
        "PAN": write_raster("pan.tif", pan, **plain),
    }
    with open_scene(inputs, roles, progress=told) as scene:
        assert scene.scales["PAN"] == 4
        np.testing.assert_array_equal(scene.read("PAN", scene.grid.window).values, pan)
    assert any("Neither" in text for text in texts)


def test_chips_that_do_not_nest_are_refused(
    write_raster: WriteRaster, roles: Roles, told: Progress
) -> None:
    plain = {"crs": None, "transform": Affine.identity()}
    inputs = {
        "MS": write_raster("ms.tif", ms_values(), **plain),
        "PAN": write_raster("pan.tif", pan_values(61, 68), **plain),
    }
    with (
        pytest.raises(InputError, match="61 × 68 pixels and no georeference"),
        open_scene(inputs, roles, progress=told),
    ):
        pass


@pytest.mark.parametrize("pixel", [0.35, 0.7, 1.5, 2.0])
def test_unfitting_ratios_are_refused(utm_grid: Callable[..., Grid], pixel: float) -> None:
    with pytest.raises(InputError, match="the model works with 2 or 4 times"):
        infer_scale(utm_grid(10, 10), utm_grid(50, 50, pixel), (2, 4), "pan.tif")


@pytest.mark.parametrize(("pixel", "scale"), [(0.5, 4), (0.49, 4), (1.0, 2), (1.04, 2)])
def test_slightly_odd_ratios_are_accepted(
    utm_grid: Callable[..., Grid], pixel: float, scale: int
) -> None:
    assert infer_scale(utm_grid(10, 10), utm_grid(50, 50, pixel), (2, 4)) == scale


def test_a_fixed_scale_has_to_fit(pair: dict[str, Source], roles: Roles, told: Progress) -> None:
    with (
        pytest.raises(InputError, match="4 times as fine as .* the model works with 2 times"),
        open_scene(pair, roles, progress=told, scales={"PAN": 2}),
    ):
        pass


def test_a_missing_role_is_named(pair: dict[str, Source], roles: Roles, told: Progress) -> None:
    del pair["PAN"]
    with (
        pytest.raises(InputError, match=r"PAN \(panchromatic image\) is missing"),
        open_scene(pair, roles, progress=told),
    ):
        pass


def test_bands_are_picked_in_the_models_order(
    pair: dict[str, Source], roles: Roles, told: Progress
) -> None:
    with open_scene(pair, roles, progress=told, bands={"MS": (3, 1)}) as scene:
        block = scene.read("MS", scene.grid.window)
    np.testing.assert_array_equal(block.values, ms_values()[[2, 0]])


def test_a_file_that_changes_during_the_run_stops_it(
    pair: dict[str, Source], roles: Roles, told: Progress
) -> None:
    with open_scene(pair, roles, progress=told) as scene:
        Path(pair["PAN"].path).write_bytes(b"gone")
        with pytest.raises(ResourceError, match=r"pan\.tif"):
            read_everything(scene)


def read_everything(scene: Scene) -> None:
    for role in scene.roles:
        for strip in scene.grid.strips(4):
            scene.read(role, strip)


def test_scenes_are_paired_by_place_and_not_by_order(
    write_raster: WriteRaster, roles: Roles, told: Progress, texts: list[str]
) -> None:
    def at(name: str, rows: int, columns: int, pixel: float, offset: tuple[float, float]) -> Source:
        return write_raster(name, pan_values(rows, columns), pixel=pixel, offset=offset)

    west = at("west_ms.tif", 15, 17, 2.0, (0, 0))
    east = at("east_ms.tif", 15, 17, 2.0, (0, 30))
    inputs = {
        "MS": (west, east),
        "PAN": (
            at("east_pan.tif", 60, 68, 0.5, (0, 118)),
            at("sliver_pan.tif", 60, 68, 0.5, (0, 60)),
            at("west_pan.tif", 60, 68, 0.5, (2, -2)),
        ),
    }
    pairs = pair_scenes(inputs, roles, told)
    names = [{role: one.title for role, one in pair.items()} for pair in pairs]
    assert names == [
        {"MS": "west_ms.tif", "PAN": "west_pan.tif"},
        {"MS": "east_ms.tif", "PAN": "east_pan.tif"},
    ]
    assert texts == ["Not used, because another image overlaps more: sliver_pan.tif."]


def test_a_scene_without_a_partner_is_named(write_raster: WriteRaster, roles: Roles) -> None:
    far = write_raster("far.tif", pan_values(15, 17), offset=(0, 900))
    near = [write_raster(f"{i}.tif", pan_values(60, 68), pixel=0.5) for i in range(2)]
    with pytest.raises(InputError, match=r"panchromatic image overlaps far\.tif"):
        pair_scenes({"MS": (far,), "PAN": tuple(near)}, roles)


def test_overlap_is_the_share_of_the_reference(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(10, 10)
    assert overlap(grid, grid) == 1.0
    assert overlap(grid, grid.cropped(Window(5, 5, 10, 10))) == pytest.approx(0.25)
    assert overlap(grid, grid.cropped(Window(10, 0, 3, 3))) == 0.0
    assert grid.shape == Shape(10, 10)
