"""Grids and windows are whole-pixel arithmetic with an inverse."""

import math
from collections.abc import Callable

import pytest
from affine import Affine
from hypothesis import given, strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from terraweave.core.errors import InputError
from terraweave.core.job import Extent
from terraweave.core.scene.grid import Grid, Shape, Window

windows = st.builds(
    Window, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9)
)


def cells(window: Window) -> set[tuple[int, int]]:
    return {
        (row, column)
        for row in range(window.row, window.end_row)
        for column in range(window.column, window.end_column)
    }


@given(windows, windows)
def test_intersection_holds_the_pixels_of_both(a: Window, b: Window) -> None:
    common = a.intersection(b)
    assert (cells(common) if common else set()) == cells(a) & cells(b)


@given(windows, st.integers(1, 5), st.integers(1, 5))
def test_blocks_cover_a_window_once(window: Window, rows: int, columns: int) -> None:
    blocks = list(window.blocks(rows, columns))
    assert set().union(*map(cells, blocks)) == cells(window)
    assert sum(block.shape.pixels for block in blocks) == window.shape.pixels
    assert all(block.rows <= rows and block.columns <= columns for block in blocks)


@given(windows, st.integers(0, 4))
def test_shrinking_undoes_growing(window: Window, halo: int) -> None:
    assert window.grown(halo).grown(-halo) == window


def test_strips_have_the_full_width(utm_grid: Callable[..., Grid]) -> None:
    strips = list(utm_grid(10, 7).strips(4))
    assert [(s.row, s.rows, s.column, s.columns) for s in strips] == [
        (0, 4, 0, 7), (4, 4, 0, 7), (8, 2, 0, 7)
    ]  # fmt: skip


def test_a_refined_grid_covers_the_same_ground(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(15, 17)
    fine = grid.refined(4)
    assert fine.shape == Shape(60, 68)
    assert fine.bounds == pytest.approx(grid.bounds)
    assert fine.gsd == pytest.approx(grid.gsd / 4)


def test_a_cropped_grid_keeps_its_pixels_in_place(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(15, 17)
    cropped = grid.cropped(Window(3, 5, 2, 4))
    assert cropped.shape == Shape(2, 4)
    assert cropped.transform * (0, 0) == grid.transform * (5, 3)


def test_gsd_of_degrees_is_metres_on_the_ground() -> None:
    wgs84 = CRS.from_epsg(4326).to_wkt()
    degree = 1 / 3600
    grid = Grid(wgs84, Affine(degree, 0, 10, 0, -degree, 60 + 50 * degree), Shape(100, 100))
    # At 60° north an arc second is half as wide, and slightly longer than 30.9 m (WGS 84 tables).
    assert grid.gsd == pytest.approx(math.sqrt(15.50 * 30.95), rel=2e-3)


def test_gsd_of_web_mercator_is_metres_on_the_ground() -> None:
    mercator = CRS.from_epsg(3857).to_wkt()
    north = 8399737.9  # 60° north
    grid = Grid(mercator, Affine(10, 0, 0, 0, -10, north + 50), Shape(10, 10))
    assert grid.gsd == pytest.approx(5.0, rel=5e-3)


def test_gsd_of_utm_is_the_pixel_size(utm_grid: Callable[..., Grid]) -> None:
    assert utm_grid(10, 10, 0.5).gsd == 0.5


def test_gsd_in_feet_is_in_metres() -> None:
    feet = CRS.from_epsg(2263).to_wkt()
    grid = Grid(feet, Affine(3, 0, 980000, 0, -3, 200000), Shape(10, 10))
    assert grid.gsd == pytest.approx(3 * 0.3048006)


def test_an_extent_gives_the_pixels_that_it_touches(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(15, 17)
    west, north = grid.transform * (3, 2)
    east, south = grid.transform * (9, 12)
    crs = "EPSG:32631"
    assert grid.window_of(Extent(west, south, east, north, crs)) == Window(2, 3, 10, 6)
    more = Extent(west - 0.5, south - 0.5, east + 0.5, north + 0.5, crs)
    assert grid.window_of(more) == Window(1, 2, 12, 8)


def test_an_extent_beyond_the_scene_is_clipped(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(15, 17)
    west, south, east, north = grid.bounds
    wide = Extent(west - 1e4, south - 1e4, east + 1e4, north + 1e4, "EPSG:32631")
    assert grid.window_of(wide) == grid.window


def test_an_extent_in_another_crs_finds_its_place(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(100, 100, 30.0)
    inner = grid.cropped(Window(20, 30, 10, 10)).bounds
    box = transform_bounds("EPSG:32631", "EPSG:4326", *inner)
    window = grid.window_of(Extent(*box, "EPSG:4326"))
    assert Window(20, 30, 10, 10).intersection(window) == Window(20, 30, 10, 10)
    assert window.rows <= 13


def test_an_extent_outside_is_refused(utm_grid: Callable[..., Grid]) -> None:
    with pytest.raises(InputError, match="outside the scene"):
        utm_grid(15, 17).window_of(Extent(0, 0, 1, 1, "EPSG:32631"))


def test_an_unknown_crs_is_refused(utm_grid: Callable[..., Grid]) -> None:
    with pytest.raises(InputError, match="“EPSG:999999” is not known"):
        utm_grid(15, 17).window_of(Extent(0, 0, 1, 1, "EPSG:999999"))


def test_the_same_crs_written_differently_is_the_same(utm_grid: Callable[..., Grid]) -> None:
    grid = utm_grid(2, 2)
    old = Grid(CRS.from_epsg(32631).to_wkt(version="WKT1_GDAL"), grid.transform, grid.shape)
    new = Grid(CRS.from_epsg(32631).to_wkt(version="WKT2_2019"), grid.transform, grid.shape)
    assert old.crs != new.crs
    assert old.same_crs(new)
    assert old.crs_name == "EPSG:32631"
