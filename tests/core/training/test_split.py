"""Splits keep ground apart, give every class its share, and say so where they cannot."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier
from terraweave.core.classes import MapClass, palette_color
from terraweave.core.errors import InputError
from terraweave.core.training import blocks
from terraweave.core.training.split import blocked_split, spatial_folds

HOUSTON = Path(__file__).resolve().parents[4] / "shared" / "data" / "houston"


def some_classes(values: ArrayLike) -> tuple[MapClass, ...]:
    return tuple(
        MapClass(int(v), f"class {v}", palette_color(i)) for i, v in enumerate(np.unique(values))
    )


def patchy_labels(
    seed: int, size: int = 90, kinds: int = 3, keep: float = 0.25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labelled pixels in smooth patches: rows, columns, values."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.normal(size=(size, size)), 5) for _ in range(kinds)]
    labels = np.argmax(fields, 0) + 1
    cover = gaussian_filter(rng.normal(size=(size, size)), 3)
    labels[cover < np.quantile(cover, 1 - keep)] = 0
    rows, columns = np.nonzero(labels)
    return rows, columns, labels[rows, columns]


def closest(rows: np.ndarray, columns: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """The smallest Chebyshev distance between pixels of two masks."""
    points = np.column_stack([rows, columns])
    return cdist(points[one], points[other], "chebyshev").min()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gap", [0, 1, 2, 8, 17])
def test_no_training_pixel_is_closer_to_validation_than_the_gap(seed: int, gap: int) -> None:
    rows, columns, values = patchy_labels(seed)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=gap, seed=seed
    )
    assert split.validation.any()
    assert closest(rows, columns, split.train, split.validation) >= gap


@pytest.mark.parametrize("gap", [1, 5, 8])
def test_only_pixels_within_the_gap_of_validation_are_dropped(gap: int) -> None:
    rows, columns, values = patchy_labels(7)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=gap, seed=0
    )
    points = np.column_stack([rows, columns])
    near = cdist(points, points[split.validation], "chebyshev").min(1) < gap
    assert np.array_equal(split.dropped, near & ~split.validation)


def test_gap_holds_where_pixels_are_joined_into_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_MOST_CELLS", 300)
    rows, columns, values = patchy_labels(3)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=6, seed=0
    )
    assert split.validation.any()
    assert closest(rows, columns, split.train, split.validation) >= 6


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31), count=st.integers(5, 60), gap=st.integers(0, 20),
    share=st.floats(0.05, 0.9), extent=st.integers(1, 200),
)  # fmt: skip
def test_every_pixel_is_in_exactly_one_part(
    seed: int, count: int, gap: int, share: float, extent: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(-extent, extent, (2, count))
    values = np.ones(count, int)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=share, gap=gap, seed=seed
    )
    parts = np.stack([split.train, split.validation, split.dropped])
    assert np.array_equal(parts.sum(0), np.ones(count))
    assert split.train.any()
    if split.validation.any():
        assert closest(rows, columns, split.train, split.validation) >= gap


def test_every_class_is_near_its_share_on_both_sides_and_little_is_lost() -> None:
    rows, columns, values = patchy_labels(1, size=160)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=8, seed=0
    )
    for one in split.classes:
        whole = one.train + one.validation + one.dropped
        assert whole == np.count_nonzero(values == one.mapclass.value)
        assert 0.15 < one.validation / whole < 0.35
    assert split.dropped.mean() < 0.2
    assert split.warnings == ()


def test_pixels_of_a_block_stay_together() -> None:
    rows, columns, values = patchy_labels(2)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.3, gap=8, seed=5
    )
    covered = np.zeros(len(rows), int)
    for block in split.blocks:
        inside = (
            (rows >= block.row) & (rows < block.row + block.rows)
            & (columns >= block.column) & (columns < block.column + block.columns)
        )  # fmt: skip
        covered += inside
        assert split.validation[inside].all() if block.validation else True
        assert block.validation or not split.validation[inside].any()
    assert np.array_equal(covered, np.ones(len(rows)))


def test_equal_arguments_give_an_equal_split_and_another_seed_another_one() -> None:
    rows, columns, values = patchy_labels(2)
    first, again, other = (
        blocked_split(
            rows, columns, values, classes=some_classes(values), share=0.3, gap=8, seed=seed
        )
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first.validation, again.validation)
    assert first.blocks == again.blocks
    assert not np.array_equal(first.validation, other.validation)


def test_scenes_are_different_ground_even_where_their_pixels_share_numbers() -> None:
    rows, columns = (grid.ravel() for grid in np.indices((20, 20)))
    rows, columns, scenes = np.tile(rows, 4), np.tile(columns, 4), np.repeat(range(4), 400)
    values = np.ones(1600, int)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=20, seed=0,
        scenes=scenes, block=20,
    )  # fmt: skip
    assert {scene: split.validation[scenes == scene].mean() for scene in range(4)} in [
        {scene: float(scene == held) for scene in range(4)} for held in range(4)
    ]
    assert not split.dropped.any()


def test_given_block_size_is_kept_unless_the_gap_is_wider() -> None:
    rows, columns, values = patchy_labels(2)
    arguments = {"classes": some_classes(values), "share": 0.3, "gap": 8, "seed": 5}
    assert blocked_split(rows, columns, values, block=11, **arguments).block == 11
    widened = blocked_split(rows, columns, values, block=3, **arguments)
    assert widened.block == 8
    assert "8 pixels wide rather than 3" in widened.warnings[0]


def test_blocks_are_as_wide_as_labels_resemble_each_other_where_that_is_possible() -> None:
    squares = np.kron(np.random.default_rng(0).integers(1, 4, (12, 12)), np.ones((10, 10), int))
    rows, columns = (grid.ravel() for grid in np.indices(squares.shape))
    split = blocked_split(
        rows, columns, squares.ravel(), classes=some_classes(squares), share=0.25, gap=4, seed=0
    )
    assert split.resemblance is not None
    assert split.resemblance > 6
    assert split.block >= split.resemblance
    assert "Labels resemble each other up to a distance of" in split.summary


def test_blocks_narrower_than_the_resemblance_are_warned_about() -> None:
    squares = np.kron(np.random.default_rng(0).integers(1, 4, (12, 12)), np.ones((10, 10), int))
    rows, columns = (grid.ravel() for grid in np.indices(squares.shape))
    split = blocked_split(
        rows, columns, squares.ravel(), classes=some_classes(squares), share=0.25, gap=4, seed=0,
        block=5,
    )  # fmt: skip
    assert any("the blocks are only 5 pixels wide" in one for one in split.warnings)


def test_share_of_zero_trains_on_everything_and_says_that_there_is_no_score() -> None:
    rows, columns, values = patchy_labels(2)
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0, gap=8, seed=0
    )
    assert split.train.all()
    assert "the model has no score" in split.warnings[0]
    assert "none validate" in split.summary


def test_class_in_one_small_place_trains_and_the_warning_names_it() -> None:
    rows, columns, values = patchy_labels(2)
    lake_rows, lake_columns = (grid.ravel() + 300 for grid in np.indices((4, 4)))
    rows, columns = np.append(rows, lake_rows), np.append(columns, lake_columns)
    values = np.append(values, np.full(16, 9))
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=8, seed=0
    )
    assert split.train[values == 9].all()
    assert [w for w in split.warnings if "“class 9” has no validation pixel" in w]


def test_class_with_too_few_pixels_is_refused_with_its_name_and_count() -> None:
    values = np.array([1] * 10 + [2] * 3)
    with pytest.raises(InputError, match=r"“class 2” has 3\. A class needs at least 5; label more"):
        blocked_split(
            range(13), range(13), values, classes=some_classes(values), share=0.25, gap=2, seed=0
        )


def test_no_labels_at_all_are_refused() -> None:
    with pytest.raises(InputError, match="There is no labelled pixel"):
        blocked_split([], [], [], classes=some_classes([1]), share=0.25, gap=2, seed=0)


def test_value_that_is_no_class_is_refused() -> None:
    with pytest.raises(InputError, match="the value 7, which is no class"):
        blocked_split([1], [1], [7], classes=some_classes([1]), share=0.25, gap=2, seed=0)


@pytest.mark.parametrize("share", [-0.1, 0.95, float("nan")])
def test_share_out_of_bounds_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"give one from 0 to 0\.9"):
        blocked_split([1], [1], [1], classes=some_classes([1]), share=share, gap=2, seed=0)


def test_folds_hold_every_pixel_out_exactly_once_and_keep_the_gap() -> None:
    rows, columns, values = patchy_labels(4, size=60)
    folds = spatial_folds(
        rows, columns, values, classes=some_classes(values), folds=3, gap=6, seed=0
    )
    assert np.array_equal(sum(fold.validation.astype(int) for fold in folds), np.ones(len(rows)))
    for fold in folds:
        assert closest(rows, columns, fold.train, fold.validation) >= 6
        assert all(one.train and one.validation for one in fold.classes)


def test_fewer_than_two_folds_are_refused() -> None:
    with pytest.raises(InputError, match="with 1 folds is not possible"):
        spatial_folds([1], [1], [1], classes=some_classes([1]), folds=1, gap=6, seed=0)


def test_noise_scores_chance_under_blocks_and_well_above_under_random_pixels() -> None:
    """Labels and features are independent, but both smooth in space: there is nothing to learn."""
    blocked, random = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        smooth = [gaussian_filter(rng.normal(size=(120, 120)), 6) for _ in range(9)]
        rows, columns = (grid.ravel() for grid in np.indices((120, 120))[:, ::2, ::2])
        values = (smooth[0] > np.median(smooth[0]))[rows, columns] + 1
        features = np.stack(smooth[1:], -1)[rows, columns]
        split = blocked_split(
            rows, columns, values, classes=some_classes(values), share=0.3, gap=18, seed=seed
        )
        shuffled = rng.permutation(split.train | split.validation)
        held = shuffled & (rng.random(len(rows)) < 0.3)
        for scores, train, test in (
            (blocked, split.train, split.validation), (random, shuffled & ~held, held),
        ):  # fmt: skip
            model = KNeighborsClassifier(1).fit(features[train], values[train])
            scores.append(model.score(features[test], values[test]))
    assert 0.4 < np.mean(blocked) < 0.6
    assert np.mean(random) > 0.75


@pytest.mark.skipif(not HOUSTON.is_dir(), reason="needs ../shared/data/houston")
@pytest.mark.parametrize("seed", range(3))
def test_houston_keeps_nine_tenths_of_its_labels_and_every_class_on_both_sides(seed: int) -> None:
    import rasterio

    with rasterio.open(HOUSTON / "labels_train.tif") as source:
        labels = source.read(1)
    rows, columns = np.nonzero(labels)
    values = labels[rows, columns]
    split = blocked_split(
        rows, columns, values, classes=some_classes(values), share=0.25, gap=8, seed=seed
    )
    assert split.dropped.mean() < 0.12
    for one in split.classes:
        whole = one.train + one.validation + one.dropped
        assert one.validation >= 0.1 * whole
        assert one.train >= 0.4 * whole


def test_whole_scenes_go_to_one_side_each() -> None:
    rows, columns, values = patchy_labels(3)
    scenes = np.repeat(np.arange(6), len(rows))
    many = [np.tile(one, 6) for one in (rows, columns, values)]
    split = blocked_split(
        *many, classes=some_classes(values), share=0.34, gap=9, seed=0, scenes=scenes,
        whole_scenes=True,
    )  # fmt: skip
    assert not split.dropped.any()
    held = {int(one) for one in scenes[split.validation]}
    assert len(held) == 2
    assert not held & {int(one) for one in scenes[split.train]}
    assert "2 of 6 scenes are held out" in split.summary


def test_folds_of_whole_scenes_hold_out_each_scene_once() -> None:
    rows, columns, values = patchy_labels(3)
    scenes = np.repeat(np.arange(5), len(rows))
    many = [np.tile(one, 5) for one in (rows, columns, values)]
    folds = spatial_folds(
        *many, classes=some_classes(values), folds=5, gap=9, seed=0, scenes=scenes,
        whole_scenes=True,
    )  # fmt: skip
    assert all(len(set(scenes[one.validation].tolist())) == 1 for one in folds)
    assert np.array_equal(sum(one.validation.astype(int) for one in folds), np.ones(len(scenes)))


def scattered(scenes: int = 1) -> tuple[list[np.ndarray], dict[str, object]]:
    """Patches of some classes in one scene or several, and what else a split is asked for."""
    rows, columns, values = patchy_labels(3)
    many = [np.tile(one, scenes) for one in (rows, columns, values)]
    number = np.repeat(np.arange(scenes), len(rows))
    asked = {"classes": some_classes(values), "gap": 9, "seed": 0, "scenes": number}
    return many, asked


def test_a_block_that_leaves_nothing_to_hold_out_is_refused_with_the_reason() -> None:
    labels, asked = scattered()
    sentence = r"labelled ground, \d+ pixels wide, has 1 block of 100000 pixels, so nothing can be"
    with pytest.raises(InputError, match=sentence + r" held out; ask for smaller blocks \(BLOCK\)"):
        blocked_split(*labels, share=0.25, block=100_000, **asked)
    with pytest.raises(InputError, match="1 block of 100000 pixels, so 5 folds are too many; ask"):
        spatial_folds(*labels, folds=5, block=100_000, **asked)
    assert blocked_split(*labels, share=0, block=100_000, **asked).train.all()


def test_a_block_over_each_of_several_scenes_holds_out_whole_scenes() -> None:
    labels, asked = scattered(3)
    split = blocked_split(*labels, share=0.34, block=100_000, **asked)
    assert split.by_scene
    assert "1 of 3 scenes are held out as a whole" in split.summary
    assert not split.warnings
    small = blocked_split(*labels, share=0.34, block=30, **asked)
    assert not small.by_scene


def test_more_folds_than_scenes_are_refused_with_the_most_that_can_be() -> None:
    labels, asked = scattered(4)
    with pytest.raises(InputError, match="there are 4, so 6 folds are too many; give at most 4"):
        spatial_folds(*labels, folds=6, whole_scenes=True, **asked)


def test_folds_of_labels_in_one_place_are_refused() -> None:
    rows, columns = (one.ravel() for one in np.indices((6, 6)))
    values = (columns > 2) + 1
    with pytest.raises(InputError, match="so close together that they make 1 block of ground, so"):
        spatial_folds(rows, columns, values, folds=3, gap=64, seed=0, classes=some_classes(values))


def test_a_class_in_one_block_or_scene_is_told_why_it_cannot_be_divided() -> None:
    labels, asked = scattered(4)
    # One more class, in a place of the first scene that is smaller than the gap.
    rows, columns, values = labels
    middle = len(rows) // 8
    near = np.maximum(abs(rows - rows[middle]), abs(columns - columns[middle])) < 4
    rare = (asked["scenes"] == 0) & near
    values = np.where(rare, 9, values)
    asked["classes"] = some_classes(values)
    told = blocked_split(rows, columns, values, share=0.25, whole_scenes=True, **asked).warnings
    assert any("lie in too few scenes, which are held out as a whole" in one for one in told)
    told = blocked_split(rows, columns, values, share=0.25, block=60, **asked).warnings
    assert any("lie in too few blocks to divide. Ask for smaller blocks (BLOCK)" in one
               for one in told)  # fmt: skip
