"""Labelled pixels gathered into square blocks, and the quick arithmetic of what a split costs.

A split is judged many times before it is chosen, so pixels are summed into *groups* first: all
pixels of one class in one block that have the same neighbouring blocks within the gap. Which
pixels a split loses to its gap then follows from the groups alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Above these, neighbouring pixels are joined into cells, and the gap is rounded up to whole cells.
_MOST_AREA = 16_000_000
_MOST_CELLS = 200_000
_DIRECTIONS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Labelled pixels as counts by cell (`factor` × `factor` pixels) and class.

    `scene`, `row`, `column`, `kind` (position of the class) and `count` have one entry for each
    cell and class; `entry` leads from a pixel to its entry. `reach` is the largest Chebyshev
    distance between cells whose pixels may be closer than the gap, −1 for none. `sums` is an
    integral image of the labelled cells, in which the scenes lie below each other, scene s from
    row `base[s]` on and from column 0, both counted from its first labelled cell `first[s]`.
    """

    factor: int
    reach: int
    scene: Ints
    row: Ints
    column: Ints
    kind: Ints
    count: Ints
    entry: Ints
    sums: NDArray[np.int32]
    base: Ints
    first: Ints

    def labelled(self, top: Ints, bottom: Ints, left: Ints, right: Ints) -> Ints:
        """The number of labelled cells in each rectangle [top, bottom) × [left, right).

        The rectangles are in cells of each entry's own scene and may leave it.
        """
        row0, column0 = self.first[self.scene].T
        base = self.base[self.scene]
        height, width = (n - 1 for n in self.sums.shape)
        rows = [(edge - row0 + base).clip(0, height) for edge in (top, bottom)]
        columns = [(edge - column0).clip(0, width) for edge in (left, right)]
        found = (
            self.sums[rows[1], columns[1]] - self.sums[rows[0], columns[1]]
            - self.sums[rows[1], columns[0]] + self.sums[rows[0], columns[0]]
        )  # fmt: skip
        empty = (top >= bottom) | (left >= right)
        return np.where(empty, 0, found)


def gather_cells(scene: Ints, row: Ints, column: Ints, kind: Ints, gap: int) -> Cells:
    """The cells of labelled pixels: one pixel each, or larger where there are very many."""
    factor = 1
    while True:
        keys, entry = _distinct(scene, row // factor, column // factor, kind)
        reach = (gap - 2) // factor + 1 if gap > 1 else gap - 1
        first, base, shape = _layout(keys[0], keys[1], keys[2], max(reach, 0))
        if shape[0] * shape[1] <= _MOST_AREA and keys.shape[1] <= _MOST_CELLS:
            break
        factor *= 2
    image = np.zeros(shape, np.int32)
    lines = keys[1] - first[keys[0], 0] + base[keys[0]]
    image[lines, keys[2] - first[keys[0], 1]] = 1
    sums = np.zeros((shape[0] + 1, shape[1] + 1), np.int32)
    sums[1:, 1:] = image.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    return Cells(
        factor, reach, keys[0], keys[1], keys[2], keys[3], np.bincount(entry), entry, sums,
        base, first,
    )  # fmt: skip


def _distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """The distinct combinations (column, combination) in order, and the one of each entry."""
    low = [int(one.min()) for one in columns]
    shape = [int(one.max()) - least + 1 for one, least in zip(columns, low, strict=True)]
    shifted = tuple(one - least for one, least in zip(columns, low, strict=True))
    packed, entry = np.unique(np.ravel_multi_index(shifted, shape), return_inverse=True)
    unpacked = np.unravel_index(packed, shape)
    return np.stack([one + least for one, least in zip(unpacked, low, strict=True)]), entry


def _layout(scene: Ints, row: Ints, column: Ints, space: int) -> tuple[Ints, Ints, tuple[int, int]]:
    """First cell, first line and the common shape of scenes stacked with `space` between them."""
    scenes = int(scene.max()) + 1
    low = np.full((scenes, 2), np.iinfo(np.int64).max)
    high = np.full((scenes, 2), np.iinfo(np.int64).min)
    for axis, values in enumerate((row, column)):
        np.minimum.at(low[:, axis], scene, values)
        np.maximum.at(high[:, axis], scene, values)
    size = np.where(high >= low, high - low + 1, 0)
    heights = size[:, 0] + space
    base = np.cumsum(heights) - heights
    return low, base, (int(heights.sum()), int(size[:, 1].max()))


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """Square blocks of `size` cells over the labels, and their groups.

    `blocks` (3, b) are scene, block row and block column; `of_entry` is the block of each entry
    of the cells. The neighbours of a block are listed by direction in `neighbours` (b, 8), with
    b for none, and `near_entry` (entry, 8) tells which of them has a labelled cell within the
    gap. `group_*` sum the entries of one block, class and vicinity.
    """

    size: int
    offset: tuple[int, int]
    blocks: Ints
    neighbours: Ints
    of_entry: Ints
    near_entry: NDArray[np.bool_]
    group_block: Ints
    group_kind: Ints
    group_near: NDArray[np.bool_]
    group_count: Ints
    totals: Ints

    def lost(self, validation: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which entries lie in a training block, but within the gap of a validation block."""
        return self._lost(validation, self.of_entry, self.near_entry)

    def tally(self, validation: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Pixels by class in validation, and pixels by class lost to the gap."""
        lost = self._lost(validation, self.group_block, self.group_near)
        return self._by_kind(validation[self.group_block]), self._by_kind(lost)

    def _lost(
        self, validation: NDArray[np.bool_], block: Ints, near: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        beside = np.append(validation, False)[self.neighbours] & ~validation[:, None]
        lost: NDArray[np.bool_] = np.any(near & beside[block], axis=1)
        return lost

    def _by_kind(self, chosen: NDArray[np.bool_]) -> Ints:
        return np.bincount(
            self.group_kind[chosen], self.group_count[chosen], minlength=len(self.totals)
        ).astype(np.int64)


def tile(cells: Cells, size: int, offset: tuple[int, int], kinds: int) -> Tiling:
    """The blocks of `size` cells whose edges lie at `offset` cells plus multiples of `size`.

    `size` must be at least the reach of the gap, so that only neighbours are near.
    """
    rows = (cells.row - offset[0]) // size
    columns = (cells.column - offset[1]) // size
    blocks, of_entry = _distinct(cells.scene, rows, columns)
    neighbours = _neighbours(blocks)
    near = _near(cells, size, offset, rows, columns)
    bits = 1 << np.arange(len(_DIRECTIONS))
    keys, group = _distinct(of_entry, cells.kind, near @ bits)
    counts = np.bincount(group, cells.count).astype(np.int64)
    totals = np.bincount(cells.kind, cells.count, minlength=kinds).astype(np.int64)
    return Tiling(
        size, offset, blocks, neighbours, of_entry, near,
        keys[0], keys[1], (keys[2][:, None] & bits) > 0, counts, totals,
    )  # fmt: skip


def _neighbours(blocks: Ints) -> Ints:
    index = {tuple(key): place for place, key in enumerate(blocks.T.tolist())}
    none = len(index)
    return np.array(
        [[index.get((s, r + down, c + right), none) for down, right in _DIRECTIONS]
         for s, r, c in blocks.T.tolist()]
    )  # fmt: skip


def _near(
    cells: Cells, size: int, offset: tuple[int, int], rows: Ints, columns: Ints
) -> NDArray[np.bool_]:
    near = np.zeros((len(rows), len(_DIRECTIONS)), np.bool_)
    if cells.reach < 1:
        return near
    for place, (down, right) in enumerate(_DIRECTIONS):
        top, bottom = _span(cells.row, rows * size + offset[0], size, down, cells.reach)
        left, end = _span(cells.column, columns * size + offset[1], size, right, cells.reach)
        near[:, place] = cells.labelled(top, bottom, left, end) > 0
    return near


def _span(cell: Ints, start: Ints, size: int, side: int, reach: int) -> tuple[Ints, Ints]:
    """The part of [cell − reach, cell + reach] in the block before, of, or after the own one."""
    if side < 0:
        return cell - reach, start
    if side > 0:
        return start + size, cell + reach + 1
    return np.maximum(cell - reach, start), np.minimum(cell + reach + 1, start + size)


def judge(tiling: Tiling, validation: NDArray[np.bool_], share: float) -> float:
    """What is wrong with a split: 0 is flawless, a missing class costs most.

    `validation` tells which blocks validate. A class counts alike however large it is: for each,
    the deviation of its validation share from `share`, the training pixels that the gap costs,
    and much more when it has no validation, or even no training pixel.
    """
    total = tiling.totals
    wanted = share * total
    held, lost = tiling.tally(validation)
    missing = 10.0 * (held + lost == total) + 3.0 * (held == 0)
    astray = np.abs(held - wanted) / wanted
    waste = lost / (total - wanted)
    wrong = missing + astray * (1 + astray) + waste * (1 + 2 * waste)
    return float(wrong.mean()) + float(lost.sum() / total.sum())
