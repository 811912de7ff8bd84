"""Connected parts of a picture that is looked at strip by strip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scene.grid import Window
from . import label_loops

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]


def labelled(mask: Mask, *, diagonal: bool) -> tuple[NDArray[np.int32], int]:
    """Numbers of the connected parts (row, column) in reading order from 1, and their count.

    Parts are of pixels that share an edge, with `diagonal` or a corner.
    """
    labels, count = label_loops.label(mask, diagonal)
    return labels, int(count)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All parts of a picture, one entry each, in the order of their first pixels.

    `areas` are in square metres, `boxes` (row, column, end row, end column), `seeds` the column of
    the first pixel in the first row of the box; `marked` tells whether a pixel was marked. `part`
    leads from the numbers that a `Labeller` gives to these entries, −1 where there is none.
    """

    areas: Doubles
    pixels: Ints
    marked: Mask
    boxes: Ints
    seeds: Ints
    part: Ints

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.areas)

    def table(self, chosen: Mask) -> Mask:
        """Whether each number of a `Labeller` belongs to a part that is `chosen`; 0 does not."""
        return np.append(chosen, False)[self.part]

    def window(self, index: int) -> Window:
        """The window around a part."""
        row, column, end_row, end_column = (int(side) for side in self.boxes[index])
        return Window(row, column, end_row - row, end_column - column)


class Labeller:
    """Numbers parts in strips of the full width; the same strips give the same numbers.

    Memory grows with the number of parts, not with pixels: so parts are looked at once to decide
    about them, and once more to do it.
    """

    def __init__(self, columns: int, *, diagonal: bool) -> None:
        """No strip yet; `diagonal` joins pixels that touch by a corner, too."""
        self._diagonal = diagonal
        self._count = 1
        self._last: Ints = np.zeros(columns, dtype=np.int64)
        self._pairs: list[Ints] = []

    def number(self, mask: Mask) -> Ints:
        """Numbers (row, column) of the parts in the next rows, 0 outside them.

        Parts that go on from the rows before have other numbers there; `parts` of a `Survey` join
        them.
        """
        local, count = labelled(mask, diagonal=self._diagonal)
        numbers: Ints = np.where(local > 0, local.astype(np.int64) + (self._count - 1), 0)
        self._join(numbers[0])
        self._last = numbers[-1].copy()
        self._count += count
        return numbers

    def _join(self, here: Ints) -> None:
        shifts = (-1, 0, 1) if self._diagonal else (0,)
        for shift in shifts:
            above = np.zeros_like(here)
            if shift < 0:
                above[1:] = self._last[:-1]
            elif shift > 0:
                above[:-1] = self._last[1:]
            else:
                above = self._last
            touching = (here > 0) & (above > 0)
            if touching.any():
                self._pairs.append(np.unique(np.stack([here[touching], above[touching]]), axis=1))

    @property
    def count(self) -> int:
        """One more than the highest number given so far."""
        return self._count

    def roots(self) -> Ints:
        """For each number the smallest of those of its part."""
        pairs = np.concatenate(self._pairs, axis=1) if self._pairs else np.zeros((2, 0), np.int64)
        result: Ints = label_loops.roots(self._count, pairs[0], pairs[1])
        return result


class Survey:
    """Gathers what the parts of a picture are like, strip by strip."""

    def __init__(self, columns: int, *, diagonal: bool) -> None:
        """No strip yet; see `Labeller`."""
        self._labeller = Labeller(columns, diagonal=diagonal)
        self._row = 0
        self._found: list[tuple[Doubles, Ints, Mask, Ints, Ints]] = []

    def add(self, mask: Mask, areas: Doubles, marked: Mask | None = None) -> None:
        """Take the next rows: which pixels count, their areas by row, and which are marked."""
        before = self._labeller.count
        numbers = self._labeller.number(mask)
        local = np.where(numbers > 0, numbers - (before - 1), 0).astype(np.int32)
        flags = np.zeros(mask.shape, dtype=bool) if marked is None else marked
        area, pixels, hit, box, first = label_loops.gather(
            local, self._labeller.count - before, areas, flags
        )
        box[:, 0::2] += self._row
        self._row += len(mask)
        self._found.append((area[1:], pixels[1:], hit[1:], box[1:], first[1:]))

    def parts(self) -> Parts:
        """The parts, whole."""
        roots = self._labeller.roots()
        names, place = np.unique(roots[1:], return_inverse=True)
        count = len(names)
        if not self._found:
            raise ValueError("no strip was looked at")
        area, pixels, hit, box, first = (
            np.concatenate([one[index] for one in self._found]) for index in range(5)
        )
        boxes = np.empty((count, 4), dtype=np.int64)
        boxes[:, :2], boxes[:, 2:] = np.iinfo(np.int64).max, 0
        np.minimum.at(boxes[:, :2], place, box[:, :2])
        np.maximum.at(boxes[:, 2:], place, box[:, 2:])
        return Parts(
            areas=np.bincount(place, area, minlength=count).astype(np.float64),
            pixels=np.bincount(place, pixels, minlength=count).astype(np.int64),
            marked=np.bincount(place, hit, minlength=count) > 0,
            boxes=boxes,
            seeds=first[names - 1] if count else np.zeros(0, np.int64),
            part=np.concatenate([[-1], place]).astype(np.int64),
        )
