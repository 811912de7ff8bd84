"""Coarse labels near their edges, against a slow twin and by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from terraweave.core.families.minec2fnet.labels import BOUNDARIES, coarse_target, depth, distance


def distance_ref(marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The distance to the nearest marked pixel, one pixel at a time."""
    spots = np.argwhere(marked)
    grid = np.stack(np.indices(marked.shape), axis=-1)[:, :, None]
    return np.sqrt(((grid - spots) ** 2).sum(-1)).min(-1)


@pytest.mark.parametrize("seed", range(5))
def test_distance_is_exact_within_reach_and_more_beyond(seed: int) -> None:
    marked = np.random.default_rng(seed).random((31, 23)) < 0.01
    marked[3, 4] = True
    slow, fast = distance_ref(marked), distance(marked, 6)
    near = slow <= 6
    assert np.allclose(fast[near], slow[near], atol=1e-6)
    assert (fast[~near] > 6).all()


def test_distance_without_a_mark_is_far() -> None:
    assert (distance(np.zeros((4, 5), dtype=bool), 3) > 3).all()


def half_plane() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    footprint = np.zeros((5, 12), dtype=bool)
    footprint[:, 6:] = True
    return footprint, np.ones_like(footprint)


def test_depth_is_half_a_pixel_beside_a_straight_edge() -> None:
    assert depth(*half_plane(), 2.0)[2, 4:8].tolist() == [-1.5, -0.5, 0.5, 1.5]


def test_soft_labels_climb_evenly_across_the_outline() -> None:
    target = coarse_target(*half_plane(), "soft", 2.0)
    assert np.allclose(target.values[2, 3:9], [0, 0.125, 0.375, 0.625, 0.875, 1])
    assert target.labelled.all()


def test_ring_leaves_out_what_is_near_the_outline() -> None:
    target = coarse_target(*half_plane(), "ring", 2.0)
    assert np.flatnonzero(~target.labelled[2]).tolist() == [4, 5, 6, 7]
    assert set(np.unique(target.values)) == {0, 1}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_without_uncertainty_labels_are_as_drawn(boundary: str) -> None:
    footprint, labelled = half_plane()
    target = coarse_target(footprint, labelled, boundary, 0.0)
    assert np.array_equal(target.values, footprint)
    assert np.array_equal(target.labelled, labelled)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_end_of_the_labels_is_no_outline(boundary: str) -> None:
    footprint = np.ones((6, 9), dtype=bool)
    labelled = footprint.copy()
    labelled[:, 6:] = False
    target = coarse_target(footprint, labelled, boundary, 3.0)
    assert (target.values[:, :6] == 1).all()
    assert (target.values[:, 6:] == 0).all()
    assert np.array_equal(target.labelled, labelled)


def test_a_mine_smaller_than_the_uncertainty_is_no_certain_mine() -> None:
    footprint = np.zeros((15, 15), dtype=bool)
    footprint[6:9, 6:9] = True
    soft = coarse_target(footprint, np.ones_like(footprint), "soft", 6.0).values
    assert 0.5 < soft[7, 7] < 0.75
