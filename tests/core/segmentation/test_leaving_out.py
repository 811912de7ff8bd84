"""Ground that judges a later stage has no say in an earlier one."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.progress import Event, Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.segmentation.leaving_out import Kept, left_out
from terraweave.core.segmentation.sites import IGNORED, Site, Sites

EDGE = 60
UTM = CRS.from_epsg(32632).to_wkt()
NEIGHBOUR = CRS.from_epsg(32631).to_wkt()


def grid(crs: str = UTM, west: float = 500_000, pixel: float = 10.0, edge: int = EDGE) -> Grid:
    place = Affine.translation(west, 5_400_000) @ Affine.scale(pixel, -pixel)
    return Grid(crs, place, Shape(edge, edge))


def sites(target: np.ndarray, place: Grid) -> Sites:
    values = np.zeros((1, EDGE, EDGE), np.float32)
    one = Site("s", place, values, np.ones((EDGE, EDGE), bool), target)
    return Sites((one,), (), (), MapClass(1, "Mine", "#d95f02"), 10.0, None)  # type: ignore[arg-type]


def squares() -> np.ndarray:
    target = np.zeros((EDGE, EDGE), np.uint8)
    target[5:15, 5:15] = target[40:50, 40:50] = 1
    return target


def upper_left(of: Grid, size: int = 20) -> Kept:
    mask = np.zeros((of.shape.rows, of.shape.columns), bool)
    mask[:size, :size] = True
    return Kept(of, mask)


def test_labels_on_kept_ground_and_near_it_are_left_out_and_it_is_said() -> None:
    events: list[Event] = []
    found = left_out(sites(squares(), grid()), [upper_left(grid())], 8, Progress(events.append))
    left = found.sites[0].target == IGNORED
    expected = np.zeros_like(left)
    expected[:28, :28] = True
    np.testing.assert_array_equal(left, expected)
    assert "left out: that ground, and what lies near it, judges" in str(events[-1]["text"])


def test_kept_ground_of_other_pixels_covers_the_same_place() -> None:
    finer = grid(pixel=5.0, edge=2 * EDGE)
    found = left_out(sites(squares(), grid()), [upper_left(finer, 40)], 0, Progress())
    left = found.sites[0].target == IGNORED
    assert left[:20, :20].all()
    assert left.sum() == 400


def test_kept_ground_in_another_zone_covers_the_same_place() -> None:
    there = grid()
    west, south, east, north = there.bounds_in(NEIGHBOUR)
    place = Affine.translation(west, north) @ Affine.scale(10.0, -10.0)
    shape = Shape(int((north - south) / 10), int((east - west) / 10))
    rows, columns = np.indices((shape.rows, shape.columns))
    kept = Kept(Grid(NEIGHBOUR, place, shape), (rows < shape.rows / 2) & (columns >= 0))
    left = left_out(sites(squares(), there), [kept], 0, Progress()).sites[0].target == IGNORED
    assert left[:20].all()
    assert not left[40:].any()


def test_ground_elsewhere_changes_nothing() -> None:
    events: list[Event] = []
    one = sites(squares(), grid())
    far = upper_left(grid(west=600_000))
    assert left_out(one, [far], 8, Progress(events.append)).sites[0] is one.sites[0]
    assert not events


def test_the_margin_gives_way_before_the_last_outline_does() -> None:
    target = squares()
    target[40:50, 40:50] = 0
    target[22:26, 22:26] = 1
    found = left_out(sites(target, grid()), [upper_left(grid())], 30, Progress()).sites[0].target
    assert (found[22:26, 22:26] == 1).all()
    assert (found[:20, :20] == IGNORED).all()


def test_nothing_left_to_learn_from_is_refused() -> None:
    target = squares()
    target[40:50, 40:50] = 0
    with pytest.raises(InputError, match="All coarse outlines lie on .*VALIDATION_SHARE"):
        left_out(sites(target, grid()), [upper_left(grid())], 8, Progress())
