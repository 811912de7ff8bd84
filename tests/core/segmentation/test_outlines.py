"""Outlines are valid single polygons, close to the pixels they stand for."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings, strategies as some
from terraweave.core.segmentation.attributes import confidence_word, filled
from terraweave.core.segmentation.outlines import outline_of, simplified
from terraweave.core.segmentation.parts import labelled


@settings(deadline=None, max_examples=80)
@given(some.integers(0, 10_000), some.floats(0.3, 0.8), some.sampled_from([0.0, 0.5, 1.0]))
def test_outline_of_any_part_is_one_valid_polygon(
    seed: int, share: float, tolerance: float
) -> None:
    picture = np.random.default_rng(seed).random((14, 17)) < share
    labels, count = labelled(picture, diagonal=True)
    for number in range(1, count + 1):
        mask = labels == number
        outline = outline_of(mask)
        assert outline.geom_type == "Polygon"
        assert outline.is_valid
        assert outline.area == pytest.approx(mask.sum(), abs=0.01 * mask.sum())
        simple = simplified(outline, tolerance)
        assert simple.geom_type == "Polygon"
        assert simple.is_valid
        away = shapely.hausdorff_distance(simple.boundary, outline.boundary)
        assert away <= tolerance + 1e-6


def test_stairs_become_a_slope_within_half_a_pixel() -> None:
    mask = np.tri(40, dtype=bool)
    outline = outline_of(mask)
    simple = simplified(outline, 0.5)
    assert shapely.get_num_coordinates(simple) < 12 < shapely.get_num_coordinates(outline)
    assert simple.area == pytest.approx(mask.sum(), rel=1e-3)


def test_holes_belong_to_what_is_filled() -> None:
    mask = np.zeros((6, 7), dtype=bool)
    mask[1:5, 1:5] = True
    mask[2:4, 2:4] = False
    assert filled(mask).sum() == 16
    assert len(outline_of(mask).interiors) == 1


@pytest.mark.parametrize(
    ("mean", "word"), [(0.4, "low"), (0.6, "low"), (0.7, "medium"), (0.85, "high"), (1.0, "high")]
)
def test_confidence_is_spoken_in_thirds_above_the_threshold(mean: float, word: str) -> None:
    assert confidence_word(mean, 0.5) == word
