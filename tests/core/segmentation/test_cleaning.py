"""Cleaning strip by strip gives what a plain flood fill of the whole picture gives."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as some
from numpy.typing import NDArray
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Shape
from terraweave.core.segmentation import cleaning
from terraweave.core.segmentation.cleaning import Rule, clean, cleaned, sheets

Pixels = set[tuple[int, int]]
EDGES = ((-1, 0), (0, -1), (0, 1), (1, 0))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def flooded(mask: NDArray[np.bool_], steps: tuple[tuple[int, int], ...]) -> Iterator[Pixels]:
    """The connected parts of `mask`, one after another."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    while left:
        todo, part = [left.pop()], set()
        while todo:
            row, column = todo.pop()
            part.add((row, column))
            near = {(row + down, column + right) for down, right in steps} & left
            left -= near
            todo += near
        yield part


def painted(parts: list[Pixels], shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    for part in parts:
        for place in part:
            mask[place] = True
    return mask


def plainly_closed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    rows, columns = mask.shape
    wide, closed = np.zeros_like(mask), np.zeros_like(mask)
    for row in range(rows):
        for column in range(columns):
            wide[row, column] = mask[
                max(row - radius, 0) : row + radius + 1,
                max(column - radius, 0) : column + radius + 1,
            ].any()
    for row in range(rows):
        for column in range(columns):
            closed[row, column] = wide[
                max(row - radius, 0) : row + radius + 1,
                max(column - radius, 0) : column + radius + 1,
            ].all()
    return closed


def plainly(
    probabilities: NDArray[np.float32], areas: NDArray[np.float64], rule: Rule
) -> NDArray[np.uint8]:
    """The same as `cleaned`, as one would write it down."""
    shape, empty = probabilities.shape, np.isnan(probabilities)
    around = (*EDGES, *CORNERS)
    sure = [
        part
        for part in flooded(probabilities >= rule.low, around)
        if any(probabilities[place] >= rule.threshold for place in part)
    ]
    mask = painted(sure, shape)
    if rule.closing:
        mask |= plainly_closed(mask, rule.closing) & ~empty

    def size(part: Pixels) -> float:
        return sum(float(areas[row]) for row, _ in part)

    def shut(part: Pixels) -> bool:
        for row, column in part:
            for down, right in EDGES:
                there = row + down, column + right
                if not (0 <= there[0] < shape[0] and 0 <= there[1] < shape[1]) or empty[there]:
                    return False
        return True

    holes = list(flooded(~mask & ~empty, EDGES))
    mask |= painted([one for one in holes if shut(one) and size(one) < rule.holes], shape)
    mask = painted([one for one in flooded(mask, around) if size(one) >= rule.minimum], shape)
    return np.where(empty, 255, mask).astype(np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    some.integers(0, 10_000),
    some.tuples(some.integers(1, 24), some.integers(1, 24)),
    some.sampled_from([0, 1, 2, 3]),
    some.sampled_from([0.0, 2.5, 9.0]),
    some.sampled_from([0.0, 3.0, 12.0]),
    some.sampled_from([1, 3, 7, 100]),
)
def test_strips_give_what_a_flood_fill_gives(
    seed: int, shape: tuple[int, int], closing: int, holes: float, minimum: float, rows: int
) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.random(shape, dtype=np.float32)
    probabilities[random.random(shape) < 0.05] = np.nan
    areas = np.linspace(1.0, 2.0, shape[0])
    rule = Rule(0.7, 0.15, closing, holes, minimum)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "_STRIP_PIXELS", rows * shape[1])
        found = cleaned(probabilities, areas, rule)
    np.testing.assert_array_equal(found, plainly(probabilities, areas, rule))


def test_parts_have_areas_boxes_and_first_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "_STRIP_PIXELS", 20)
    picture = np.zeros((6, 10), dtype=np.float32)
    picture[1:5, 7] = 1  # the right leg of a U, seen before the left one is joined to it
    picture[2:5, 3] = 1
    picture[4, 3:8] = 1
    picture[0, 0] = 1
    with sheets(Shape(6, 10)) as make:
        done = clean(
            lambda window: picture[window.slices], np.full(6, 4.0), Rule(0.5), make, Progress()
        )
    assert done.parts.areas.tolist() == [4.0, 4.0 * 10]
    assert done.parts.boxes.tolist() == [[0, 0, 1, 1], [1, 3, 5, 8]]
    assert done.parts.seeds.tolist() == [0, 7]


def test_map_without_any_part_is_clean() -> None:
    found = cleaned(np.zeros((5, 7), dtype=np.float32), np.ones(5), Rule(0.5, 0.1, 1, 9, 9))
    assert not found.any()


def test_lower_threshold_never_takes_in_everything() -> None:
    assert Rule(0.1, 0.15).low == 0.05
    assert Rule(0.5, 0.15).low == pytest.approx(0.35)


def test_nothing_stays_beside_the_output(tmp_path: Path) -> None:
    with sheets(Shape(5, 7), tmp_path / "map.tif") as make:
        sheet = make()
        sheet.write(1, np.ones((2, 7), dtype=np.uint8))
        assert sheet.read(-1, 7)[:, 0].tolist() == [255, 0, 1, 1, 0, 0, 255]
    assert not list(tmp_path.iterdir())
