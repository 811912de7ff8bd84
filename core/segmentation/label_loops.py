"""The loops behind connected parts, as numba compiles them; `parts.py` calls them."""

# numba infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

import numba
import numpy as np

from ..nn.scan_loops import compiled


@numba.njit(inline="always")
def _root(parent, one):
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


@numba.njit(inline="always")
def _united(parent, one, two):
    """The smaller root of both, which becomes the root of the other."""
    one, two = _root(parent, one), _root(parent, two)
    if one < two:
        parent[two] = one
        return one
    parent[one] = two
    return two


@compiled
def label(mask, diagonal):
    """Numbers (row, column) of connected parts in reading order from 1, 0 outside, and how many.

    `diagonal` joins pixels that touch by a corner, too.
    """
    rows, columns = mask.shape
    labels = np.zeros((rows, columns), np.int32)
    parent = np.zeros(rows * columns // 2 + 2 + rows, np.int32)
    used = 0
    for row in range(rows):
        for column in range(columns):
            if not mask[row, column]:
                continue
            own = 0
            if column > 0 and labels[row, column - 1]:
                own = labels[row, column - 1]
            if row > 0:
                first = column - 1 if diagonal and column > 0 else column
                last = column + 1 if diagonal and column + 1 < columns else column
                for there in range(first, last + 1):
                    above = labels[row - 1, there]
                    if above:
                        own = above if own == 0 else _united(parent, own, above)
            if own == 0:
                used += 1
                own = used
                parent[own] = own
            labels[row, column] = own
    names = np.zeros(used + 1, np.int32)
    count = 0
    for one in range(1, used + 1):
        if parent[one] == one:
            count += 1
            names[one] = count
    for one in range(1, used + 1):
        names[one] = names[_root(parent, one)]
    for row in range(rows):
        for column in range(columns):
            if labels[row, column]:
                labels[row, column] = names[labels[row, column]]
    return labels, count


@compiled
def gather(labels, count, areas, marked):
    """What the parts 1 … `count` have: area, pixels, whether one is `marked`, box, first pixel.

    `areas` (row) is the area of a pixel in each row. Boxes are (row, column, end row, end column).
    """
    rows, columns = labels.shape
    area = np.zeros(count + 1, np.float64)
    pixels = np.zeros(count + 1, np.int64)
    flags = np.zeros(count + 1, np.bool_)
    box = np.empty((count + 1, 4), np.int64)
    first = np.zeros(count + 1, np.int64)
    box[:, 0], box[:, 1], box[:, 2], box[:, 3] = rows, columns, 0, 0
    for row in range(rows):
        for column in range(columns):
            one = labels[row, column]
            if one == 0:
                continue
            if pixels[one] == 0:
                first[one] = column
            area[one] += areas[row]
            pixels[one] += 1
            flags[one] |= marked[row, column]
            box[one, 0] = min(box[one, 0], row)
            box[one, 1] = min(box[one, 1], column)
            box[one, 2] = max(box[one, 2], row + 1)
            box[one, 3] = max(box[one, 3], column + 1)
    return area, pixels, flags, box, first


@compiled
def roots(count, ones, others):
    """The smallest number that each of 0 … `count` − 1 is joined with, through pairs."""
    parent = np.arange(count).astype(np.int64)
    for index in range(len(ones)):
        _united(parent, ones[index], others[index])
    for one in range(count):
        parent[one] = _root(parent, one)
    return parent
