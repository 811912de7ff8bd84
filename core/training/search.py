"""The search for blocks that divide labels well: their size, their position, their side."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import InputError
from .blocks import Cells, Ints, Tiling, judge, tile

_FEWEST_BLOCKS, _MOST_BLOCKS = 16, 250
# Blocks as wide as the labels resemble each other are tried even where there are only so many.
_FEWEST_WIDE_BLOCKS = 6
_MULTIPLES = (2, 2.5, 3, 3.5, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_MOST_SIZES = 5
_MOST_PLACES, _CELLS_AT_ONCE = 6, 500_000
_MOST_STARTS, _MOVES_AT_ONCE = 4, 1000
_PASSES = 4
# A smaller block must be better by this much: larger blocks are the more honest test.
_MARGIN = 0.08


def search_split(
    cells: Cells,
    kinds: int,
    sizes: Sequence[int],
    share: float,
    folds: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Tiling, Ints]:
    """The tiling, and the fold of each of its blocks, that cost least (see `judge`).

    `sizes` go from large to small, in cells. Many cells or blocks are tried less often, so that
    the time stays bounded.
    """
    best: tuple[float, Tiling, Ints] | None = None
    for size in sizes:
        found = min(
            (
                _assigned(tiling, share, folds, rng)
                for tiling in _placed(cells, size, kinds, rng)
                for _ in range(_starts(tiling, folds))
            ),
            key=lambda one: one[0],
        )
        if best is None or found[0] < best[0] - _MARGIN:
            best = found
    if best is None:
        raise RuntimeError("a search over no block size")
    return best[1], best[2]


def assign_blocks(
    tiling: Tiling, share: float, folds: Sequence[int], rng: np.random.Generator
) -> tuple[Tiling, Ints]:
    """The fold of each block of `tiling` that costs least (see `judge`)."""
    found = min(
        (_assigned(tiling, share, folds, rng) for _ in range(_MOST_STARTS)), key=lambda one: one[0]
    )
    return found[1], found[2]


def block_sizes(
    cells: Cells, gap: int, block: int | None, resemblance: float | None, folds: int
) -> list[int]:
    """Edges of blocks worth trying, in cells, from large to small.

    Blocks are at least as wide as the gap, and as wide as labels resemble each other where that
    leaves enough of them. `block`, `gap` and `resemblance` are in pixels.

    Raises:
        InputError: `block` is empty.
    """
    least = max(-(-gap // cells.factor), 1)
    if block is not None:
        if block < 1:
            raise InputError(f"A block of {block} pixels is empty; give at least 1.")
        return [max(least, -(-block // cells.factor))]
    extent = max(np.ptp(cells.row), np.ptp(cells.column)) + 1
    base = max(least, int(extent) // 256, 4)
    sizes = [int(base * multiple) for multiple in _MULTIPLES if base * multiple <= extent]
    fewest = max(_FEWEST_BLOCKS, 2 * folds)
    fitting = [size for size in sizes if fewest <= _count_blocks(cells, size) <= _MOST_BLOCKS]
    wide = math.ceil((resemblance or 0.0) / cells.factor)
    independent = [size for size in fitting if size >= wide]
    if independent:
        return independent[:_MOST_SIZES][::-1]
    enough = max(_FEWEST_WIDE_BLOCKS, 2 * folds)
    extra = [wide] if wide > base and _count_blocks(cells, wide) >= enough else []
    return extra + (fitting[-1 : -1 - _MOST_SIZES : -1] or [base])


def _count_blocks(cells: Cells, size: int) -> int:
    rows, columns = cells.row // size, cells.column // size
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    keys = (cells.scene * height + rows - rows.min()) * width + columns - columns.min()
    return len(set(keys.tolist()))


def _placed(cells: Cells, size: int, kinds: int, rng: np.random.Generator) -> Iterator[Tiling]:
    places = min(max(_CELLS_AT_ONCE // len(cells.row), 2), _MOST_PLACES)
    for offset in [(0, 0), *rng.integers(0, size, (places - 1, 2)).tolist()]:
        yield tile(cells, size, (offset[0], offset[1]), kinds)


def _starts(tiling: Tiling, folds: Sequence[int]) -> int:
    moves = int(tiling.blocks.shape[1]) * len(folds)
    return min(max(_MOVES_AT_ONCE // moves, 1), _MOST_STARTS)


def _assigned(
    tiling: Tiling, share: float, folds: Sequence[int], rng: np.random.Generator
) -> tuple[float, Tiling, Ints]:
    """The best assignment of a local search that moves one block at a time.

    One fold: every block begins in training (0). Several: each begins in a random fold.
    """
    count = tiling.blocks.shape[1]
    single = len(folds) == 1
    choices = (0, 1) if single else tuple(folds)
    labels = rng.integers(0, 1 if single else len(folds), (count,), np.int64)
    costs = {fold: judge(tiling, labels == fold, share) for fold in folds}
    for _ in range(_PASSES if count <= _MOST_BLOCKS else 1):
        before = sum(costs.values())
        for place in rng.permutation(count).tolist():
            for choice in choices:
                _move(tiling, labels, costs, place, choice, share)
        if sum(costs.values()) >= before:
            break
    return sum(costs.values()) / len(folds), tiling, labels


def _move(
    tiling: Tiling,
    labels: Ints,
    costs: dict[int, float],
    place: int,
    choice: int,
    share: float,
) -> None:
    """Move one block to another fold if that makes both folds together better."""
    kept = int(labels[place])
    if kept == choice:
        return
    labels[place] = choice
    touched = [fold for fold in (kept, choice) if fold in costs]
    trial = {fold: judge(tiling, labels == fold, share) for fold in touched}
    if sum(trial.values()) < sum(costs[fold] for fold in touched):
        costs.update(trial)
    else:
        labels[place] = kept
