"""Terrain under a polygon: planes and cones with known answers, circular means, little data."""

import math

import numpy as np
import pytest
from affine import Affine
from terraweave.core.families.hpclnet.attributes import FIELDS, described, terrain_attributes
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.scene.scene import Block

GSD = 5.0


def plane(rows: int, columns: int, east: float, north: float) -> np.ndarray:
    """Heights that rise by `east` and `north` metres a metre."""
    row, column = np.mgrid[:rows, :columns].astype(float)
    return 700 + GSD * (east * column - north * row)


def inner(rows: int, columns: int, edge: int = 1) -> np.ndarray:
    inside = np.zeros((rows, columns), bool)
    inside[edge:-edge, edge:-edge] = True
    return inside


def test_a_plane_has_its_slope_direction_length_and_width() -> None:
    heights, inside = plane(22, 12, 0.0, 0.5), inner(22, 12)
    found = terrain_attributes(heights, np.ones_like(inside), inside, GSD)
    assert found.slope_mean == pytest.approx(np.degrees(np.arctan(0.5)))
    assert found.slope_max == pytest.approx(found.slope_mean)
    assert found.aspect == pytest.approx(180.0)
    assert found.aspect_concentration == pytest.approx(1.0)
    assert found.length == pytest.approx(20 * GSD)
    assert found.width == pytest.approx(10 * GSD)
    assert found.relief == pytest.approx(19 * GSD * 0.5)
    assert found.elevation_max - found.elevation_min == pytest.approx(found.relief)
    assert found.elevation_mean == pytest.approx(heights[inside].mean())


def test_the_width_of_a_bent_slide_is_how_far_it_reaches_across() -> None:
    heights, inside = plane(22, 32, 0.0, 0.5), np.zeros((22, 32), bool)
    inside[1:21, 1:6] = True
    inside[16:21, 1:31] = True
    found = terrain_attributes(heights, np.ones_like(inside), inside, GSD)
    assert found.length == pytest.approx(20 * GSD)
    assert found.width == pytest.approx(30 * GSD)


def test_directions_are_averaged_as_vectors_across_north() -> None:
    heights = np.concatenate([plane(12, 11, 0.1, -0.6), plane(12, 11, -0.1, -0.6)], axis=1)
    inside = inner(12, 22, 2)
    inside[:, 9:13] = False
    found = terrain_attributes(heights, np.ones_like(inside), inside, GSD)
    assert min(found.aspect, 360 - found.aspect) == pytest.approx(0.0, abs=1e-6)
    assert 0.9 < found.aspect_concentration < 1


def test_a_cone_faces_everywhere_and_so_nowhere() -> None:
    row, column = np.mgrid[-15:16, -15:16].astype(float)
    radius = np.hypot(row, column)
    found = terrain_attributes(900 - 2 * radius, np.ones(radius.shape, bool), radius < 13, GSD)
    assert found.aspect_concentration < 1e-6


def test_a_picture_that_is_turned_keeps_the_true_direction() -> None:
    heights, inside = plane(12, 12, 0.0, 0.5), inner(12, 12)
    found = terrain_attributes(heights, np.ones_like(inside), inside, GSD, north=270.0)
    assert found.aspect == pytest.approx(90.0)


def test_flat_ground_has_heights_and_no_direction() -> None:
    inside = inner(9, 9)
    found = terrain_attributes(np.full((9, 9), 12.0), np.ones_like(inside), inside, GSD)
    assert (found.relief, found.slope_mean, found.aspect, found.length) == (0.0, 0.0, None, None)


def test_missing_pixels_are_left_out_and_all_missing_is_unknown() -> None:
    heights, inside = plane(9, 9, 0.3, 0.0), inner(9, 9)
    valid = np.ones_like(inside)
    valid[4, 4] = False
    heights[4, 4] = np.nan
    found = terrain_attributes(heights, valid, inside, GSD)
    assert found.slope_mean == pytest.approx(np.degrees(np.arctan(0.3)))
    assert found.aspect == pytest.approx(270.0)
    nothing = terrain_attributes(heights, np.zeros_like(inside), inside, GSD)
    assert (nothing.elevation_mean, nothing.slope_max, nothing.aspect) == (None, None, None)


@pytest.mark.parametrize(
    ("transform", "aspect"),
    [
        (Affine(GSD, 0, 0, 0, -GSD, 0), 90.0),
        (Affine(GSD, 0, 0, 0, GSD, 0), 90.0),
        (Affine.rotation(90) @ Affine(GSD, 0, 0, 0, -GSD, 0), 0.0),
        (Affine.rotation(-30) @ Affine(GSD, 0, 0, 0, -GSD, 0), 120.0),
    ],
)
def test_a_layer_says_the_direction_on_the_map_whatever_the_picture_s(
    transform: Affine, aspect: float
) -> None:
    """The ground falls to the picture's right."""
    heights, inside = plane(10, 10, -0.4, 0.0).astype(np.float32), inner(10, 10)
    block = Block(heights[None] / np.float32(0.3048), np.ones_like(inside))
    found = described(block, inside, Grid("", transform, Shape(10, 10)), 0.3048)
    assert tuple(found) == FIELDS
    apart = (found["aspect"] - aspect + 180) % 360 - 180
    assert apart == pytest.approx(0.0, abs=0.01)
    assert found["slope_mean"] == pytest.approx(math.degrees(math.atan(0.4)), abs=0.01)
    assert found["relief_m"] == pytest.approx(7 * GSD * 0.4, abs=0.01)


def test_what_is_unknown_is_not_a_number_in_a_layer() -> None:
    inside = inner(5, 5)
    block = Block(np.zeros((1, 5, 5), np.float32), np.zeros_like(inside))
    grid = Grid("", Affine(GSD, 0, 0, 0, -GSD, 0), Shape(5, 5))
    assert all(math.isnan(one) for one in described(block, inside, grid, 1.0).values())
