"""The mode `adaptive`: closer windows only where neighbouring ones disagree or are unsure.

Every fourth pixel in both directions is classified first. A square between four of them is
settled when all four are known, agree, and are sure; its pixels are filled in by interpolation.
The others are looked at in steps of two, and what is not settled then, pixel by pixel. Objects
narrower than the first step may be missed inside a settled square.
"""

import numpy as np
from numpy.typing import NDArray

from ...results import Strip
from ...scene.grid import Window
from .modes import Probabilities, ScenePixels

FIRST_STEP = 4
# What a window must say at least about its class to settle the squares it is a corner of.
SURE = 0.7

Mask = NDArray[np.bool_]


class Adaptive:
    """See the module. The answer for a pixel does not depend on the blocks that are asked for."""

    def __init__(self, pixels: ScenePixels, region: Window) -> None:
        """`region` is the part of the scene to be classified; blocks begin at multiples of 4."""
        self._pixels = pixels
        self._region = region

    def __call__(self, window: Window) -> Strip:
        """The probabilities of all pixels in `window`."""
        field = _Field(self._pixels, self._region, window)
        field.classify(field.lattice(FIRST_STEP))
        open_squares = field.within(self._region)
        for step in (FIRST_STEP, FIRST_STEP // 2):
            settled = field.settled(step)
            field.fill(step, open_squares & settled)
            open_squares &= ~settled
            field.classify(field.corners_within(step, open_squares))
            open_squares = np.repeat(np.repeat(open_squares, 2, axis=0), 2, axis=1)
        return field.strip()


class _Field:
    """A block with a margin of one square, so that its edges are decided as from both sides.

    Its rows and columns are a multiple of the first step, plus one for the last corners; pixels
    beyond the region count as unknown.
    """

    def __init__(self, pixels: ScenePixels, region: Window, window: Window) -> None:
        self._pixels = pixels
        self._window = window
        rows, columns = (-(-n // FIRST_STEP) * FIRST_STEP for n in (window.rows, window.columns))
        self._whole = Window(
            window.row - FIRST_STEP,
            window.column - FIRST_STEP,
            rows + 2 * FIRST_STEP + 1,
            columns + 2 * FIRST_STEP + 1,
        )
        self._shape = (self._whole.rows, self._whole.columns)
        self._block, valid = pixels.block(self._whole)
        self._valid = valid & _inside(self._whole, region)
        self._known: Mask = np.zeros(self._shape, np.bool_)
        self._result = np.zeros((*self._shape, pixels.classes), np.float32)

    def squares(self, step: int) -> tuple[int, int]:
        """How many squares of `step` pixels there are, down and across."""
        return (self._shape[0] - 1) // step, (self._shape[1] - 1) // step

    def within(self, region: Window) -> Mask:
        """Which of the first squares hold more of the region than the edge of another square."""
        rows, columns = (np.arange(n) * FIRST_STEP for n in self.squares(FIRST_STEP))
        down = _holds(self._whole.row + rows, region.row, region.rows)
        across = _holds(self._whole.column + columns, region.column, region.columns)
        return down[:, None] & across[None, :]

    def lattice(self, step: int) -> Mask:
        """The corners of all squares of `step` pixels."""
        mask = np.zeros(self._shape, np.bool_)
        mask[::step, ::step] = True
        return mask

    def classify(self, wanted: Mask) -> None:
        """Classify the wanted pixels that are valid and not known yet, each from its window."""
        rows, columns = np.nonzero(wanted & self._valid & ~self._known)
        if len(rows):
            found = self._pixels.probabilities(self._block, rows, columns)
            self._result[rows, columns] = found
            self._known[rows, columns] = True

    def settled(self, step: int) -> Mask:
        """Which squares of `step` pixels have four known, equal and sure corners."""
        corners = self._result[::step, ::step]
        sure = self._known[::step, ::step] & (corners.max(axis=2) >= SURE)
        chosen = corners.argmax(axis=2)
        settled = np.ones(self.squares(step), np.bool_)
        rows, columns = settled.shape
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            part = (slice(down, down + rows), slice(right, right + columns))
            settled &= sure[part] & (chosen[part] == chosen[:rows, :columns])
        return settled

    def fill(self, step: int, squares: Mask) -> None:
        """Interpolate the unknown pixels of the chosen squares from their corners."""
        corners = self._result[::step, ::step]
        upper_left, upper_right = corners[:-1, :-1][squares], corners[:-1, 1:][squares]
        lower_left, lower_right = corners[1:, :-1][squares], corners[1:, 1:][squares]
        top, left = (index * step for index in np.nonzero(squares))
        for row in range(step + 1):
            for column in range(step + 1):
                down, across = np.float32(row / step), np.float32(column / step)
                upper = (1 - across) * upper_left + across * upper_right
                lower = (1 - across) * lower_left + across * lower_right
                unknown = ~self._known[top + row, left + column]
                values = ((1 - down) * upper + down * lower)[unknown]
                self._result[top[unknown] + row, left[unknown] + column] = values

    def corners_within(self, step: int, squares: Mask) -> Mask:
        """The corners, at half the step, of the chosen squares of `step` pixels."""
        half = step // 2
        mask = np.zeros(self._shape, np.bool_)
        top, left = (index * step for index in np.nonzero(squares))
        for row in range(0, step + 1, half):
            for column in range(0, step + 1, half):
                mask[top + row, left + column] = True
        return mask

    def strip(self) -> Strip:
        """The block without its margin."""
        part = (
            slice(FIRST_STEP, FIRST_STEP + self._window.rows),
            slice(FIRST_STEP, FIRST_STEP + self._window.columns),
        )
        result: Probabilities = np.ascontiguousarray(self._result[part])
        return Strip(self._window, result, self._valid[part].copy())


def _holds(starts: NDArray[np.int64], first: int, count: int) -> Mask:
    """Whether squares that start there hold pixels of first … first + count − 1 of their own."""
    last = first + count - 1
    holds: Mask = (starts + FIRST_STEP > first) & ((starts < last) | (starts == first))
    return holds


def _inside(window: Window, region: Window) -> Mask:
    """Which pixels of `window` lie in `region`."""
    rows = np.arange(window.row, window.end_row)
    columns = np.arange(window.column, window.end_column)
    down = (rows >= region.row) & (rows < region.end_row)
    across = (columns >= region.column) & (columns < region.end_column)
    return down[:, None] & across[None, :]
