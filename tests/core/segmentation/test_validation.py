"""Held-out ground is judged as it will be mapped; epochs are looked at quickly."""

from collections.abc import Callable
from typing import Any

import numpy as np
from affine import Affine
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.segmentation.blending import blended, read_array
from terraweave.core.segmentation.sites import Site
from terraweave.core.segmentation.tables import scenes_far_below
from terraweave.core.segmentation.validation import HeldOut, Judged

Make = Callable[..., Any]
EDGE = 40


def site() -> Site:
    random = np.random.default_rng(0)
    values = random.normal(100, 30, (1, EDGE, EDGE)).astype(np.float32)
    grid = Grid("", Affine.identity(), Shape(EDGE, EDGE))
    return Site("s", grid, values, np.ones((EDGE, EDGE), bool), (values[0] > 110).astype(np.uint8))


def test_threshold_and_scores_see_all_orientations_and_epochs_see_one(bright: Make) -> None:
    one, mask = site(), np.zeros((EDGE, EDGE), bool)
    mask[:, :20] = True
    ground = HeldOut([one], [mask], 16)
    segmenter = bright(reach=1)
    ground.quick(segmenter)
    glances = sum(segmenter.asked)
    segmenter.asked.clear()
    (judged,) = ground.whole(segmenter, Progress())
    expected = blended(
        read_array(one.values, one.valid), bright(reach=1), one.grid.window, one.grid.shape,
        window=16, overlap=8, orientations=8,
    )  # fmt: skip
    np.testing.assert_allclose(judged.probabilities, expected[:, :20], atol=1e-6)
    assert glances == 6
    assert sum(segmenter.asked) % 8 == 0


def judged(title: str, found: int) -> Judged:
    """A scene of a hundred pixels of the class, so many of which were found."""
    truth, known = np.zeros((20, 20), bool), np.ones((20, 20), bool)
    truth[:5] = True
    probabilities = np.zeros((20, 20), np.float32)
    probabilities.reshape(-1)[:found] = 0.9
    return Judged(title, probabilities, truth, known)


def test_scenes_that_came_out_far_worse_are_named() -> None:
    scenes = [judged("good", 95), judged("fair", 60), judged("missed", 1), judged("poor", 10)]
    told = scenes_far_below(scenes, 0.5)
    assert "2 of 4 held-out scenes" in told
    assert "missed (0.01) and poor (0.10)." in told
    assert not scenes_far_below(scenes[:2], 0.5)
    assert not scenes_far_below([judged("one", 0)], 0.5)
    assert not scenes_far_below([], 0.5)
