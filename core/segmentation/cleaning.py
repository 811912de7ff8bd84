"""From probabilities to a clean map of one class, strip by strip."""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress
from ..scene.aside import check_space, explained
from ..scene.grid import Shape, Window
from .parts import Labeller, Mask, Parts, Survey

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Probabilities = Callable[[Window], NDArray[np.float32]]
"""Probabilities (row, column) in a window, NaN where there is no data."""

BACKGROUND, CLASS, NODATA = 0, 1, 255
_STRIP_PIXELS = 2**21


@dataclass(frozen=True, slots=True)
class Rule:
    """How a map is cleaned.

    Parts whose probability is nowhere `threshold` or more are no parts; others reach as far as the
    probability is at least `low`. `closing` (pixels) closes gaps of twice that width, `holes` (m²)
    fills smaller holes, and parts below `minimum` (m²) are dropped. 0 leaves a step out.
    """

    threshold: float
    delta: float = 0.0
    closing: int = 0
    holes: float = 0.0
    minimum: float = 0.0

    @property
    def low(self) -> float:
        """The lower threshold: `delta` less, but never less than half the higher one."""
        return max(self.threshold - self.delta, self.threshold / 2)


class Sheet:
    """A map of one byte a pixel, in a file or in memory, read and written by rows."""

    def __init__(self, file: IO[bytes], shape: Shape) -> None:
        """`file` is empty, and open for reading and writing; all is background at first."""
        self.shape = shape
        self._file = file
        file.seek(shape.pixels - 1)
        file.write(b"\0")

    def read(self, row: int, rows: int) -> Bytes:
        """`rows` rows from `row` on, `NODATA` where they leave the map."""
        values = np.full((rows, self.shape.columns), NODATA, dtype=np.uint8)
        first, last = max(row, 0), min(row + rows, self.shape.rows)
        if first < last:
            self._file.seek(first * self.shape.columns)
            found = self._file.read((last - first) * self.shape.columns)
            values[first - row : last - row] = np.frombuffer(found, np.uint8).reshape(
                last - first, -1
            )
        return values

    def write(self, row: int, values: Bytes) -> None:
        """Write whole rows from `row` on."""
        self._file.seek(row * self.shape.columns)
        self._file.write(np.ascontiguousarray(values).data)

    def window(self, window: Window) -> Bytes:
        """A window, which may leave the map; `NODATA` outside."""
        values = np.full((window.rows, window.columns), NODATA, dtype=np.uint8)
        inside = window.clipped(self.shape)
        if inside is not None:
            rows, columns = inside.shifted(-window.row, -window.column).slices
            values[rows, columns] = self._cut(inside)
        return values

    def _cut(self, window: Window) -> Bytes:
        """A window within the map."""
        if 8 * window.columns > self.shape.columns:
            return self.read(window.row, window.rows)[:, window.column : window.end_column]
        found = []
        for row in range(window.row, window.end_row):
            self._file.seek(row * self.shape.columns + window.column)
            found.append(self._file.read(window.columns))
        return np.frombuffer(b"".join(found), np.uint8).reshape(window.rows, window.columns)

    def strips(self) -> Iterator[Window]:
        """Strips of the full width; the same ones each time."""
        rows = max(1, _STRIP_PIXELS // max(self.shape.columns, 1))
        return Window(0, 0, self.shape.rows, self.shape.columns).strips(rows)


@contextmanager
def sheets(shape: Shape, beside: str | Path | None = None) -> Iterator[Callable[[], Sheet]]:
    """Makes sheets of `shape`: in files beside the output `beside`, or else in memory.

    Raises:
        ResourceError: the disk is too full.
    """
    if beside is None:
        yield lambda: Sheet(io.BytesIO(), shape)
        return
    check_space(beside, 2 * shape.pixels)
    folder = Path(beside).absolute().parent
    with explained(beside), ExitStack() as files:
        # Files without a name: whatever happens to the run, nothing of them is left.
        yield lambda: Sheet(files.enter_context(tempfile.TemporaryFile(dir=folder)), shape)


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A clean map and its parts (8-connected)."""

    sheet: Sheet
    parts: Parts


def clean(
    read: Probabilities,
    areas: Doubles,
    rule: Rule,
    make: Callable[[], Sheet],
    progress: Progress,
) -> Cleaned:
    """The map of a class: 1 where it is, 0 where not, 255 without data.

    Hysteresis, closing, holes filled, small parts dropped, in this order. Parts are joined over
    corners, holes over edges only. A hole that touches missing data or the map's edge is none.
    `areas` (row) is the area of a pixel in each row, in square metres. Memory grows with the
    number of parts, never with the number of pixels.
    """
    sheet = make()
    with progress.stage("Finding parts", 0.4):
        found = _surely(read, areas, rule, sheet, progress)
        _keep(sheet, found.table(found.marked), progress)
    if rule.closing > 0:
        with progress.stage("Closing gaps", 0.1):
            closed = make()
            _close(sheet, closed, rule.closing, progress)
            sheet = closed
    if rule.holes > 0:
        with progress.stage("Filling holes", 0.25):
            _fill_holes(sheet, areas, rule.holes, progress)
    with progress.stage("Dropping small parts", 1.0):
        parts = _survey(sheet, areas, progress)
        small = parts.areas < rule.minimum * (1 - 1e-9)
        if small.any():
            _keep(sheet, parts.table(~small), progress)
            parts = _survey(sheet, areas, progress)
    return Cleaned(sheet, parts)


def cleaned(
    probabilities: NDArray[np.float32], areas: Doubles, rule: Rule, progress: Progress | None = None
) -> Bytes:
    """`clean` for a picture in memory: 1, 0 or 255 (row, column)."""
    shape = Shape(*probabilities.shape)
    with sheets(shape) as make:
        done = clean(
            lambda window: probabilities[window.slices], areas, rule, make, progress or Progress()
        )
        return done.sheet.read(0, shape.rows)


def _surely(
    read: Probabilities, areas: Doubles, rule: Rule, sheet: Sheet, progress: Progress
) -> Parts:
    """Write where the probability reaches the lower threshold; the parts, the sure ones marked."""
    survey = Survey(sheet.shape.columns, diagonal=True)
    for strip in sheet.strips():
        found = read(strip)
        low = found >= rule.low
        survey.add(low, areas[strip.row : strip.end_row], found >= rule.threshold)
        sheet.write(strip.row, np.where(np.isnan(found), NODATA, low).astype(np.uint8))
        progress.update(strip.end_row / sheet.shape.rows)
    return survey.parts()


def _survey(sheet: Sheet, areas: Doubles, progress: Progress) -> Parts:
    survey = Survey(sheet.shape.columns, diagonal=True)
    for strip in sheet.strips():
        survey.add(sheet.read(strip.row, strip.rows) == CLASS, areas[strip.row : strip.end_row])
        progress.checkpoint()
    return survey.parts()


def _keep(sheet: Sheet, kept: Mask, progress: Progress) -> None:
    """Make background of the parts whose numbers are not `kept`."""
    labeller = Labeller(sheet.shape.columns, diagonal=True)
    for strip in sheet.strips():
        values = sheet.read(strip.row, strip.rows)
        own = values == CLASS
        numbers = labeller.number(own)
        values[own & ~kept[numbers]] = BACKGROUND
        sheet.write(strip.row, values)
        progress.checkpoint()


def _close(source: Sheet, target: Sheet, radius: int, progress: Progress) -> None:
    for strip in source.strips():
        halo = 2 * radius
        values = source.read(strip.row - halo, strip.rows + 2 * halo)
        values = np.pad(values, ((0, 0), (halo, halo)), constant_values=NODATA)
        inside = np.zeros(values.shape, dtype=bool)
        # What lies beyond the map never wears a part away.
        first = max(halo - strip.row, 0)
        last = min(halo + source.shape.rows - strip.row, len(values))
        inside[first:last, halo : values.shape[1] - halo] = True
        wide = spread(values == CLASS, radius)
        closed = ~spread(~wide & inside, radius)
        core = slice(halo, halo + strip.rows), slice(halo, values.shape[1] - halo)
        result = values[core]
        result[closed[core] & (result == BACKGROUND)] = CLASS
        target.write(strip.row, result)
        progress.update(strip.end_row / source.shape.rows)


def spread(mask: Mask, radius: int) -> Mask:
    """`mask` grown by `radius` pixels in both directions, corners included."""
    for axis in (0, 1):
        done = 0
        while done < radius:
            # Each round may double what is reached, and the last one is cut to measure.
            step = min(done + 1, radius - done)
            grown = mask.copy()
            ahead: list[slice] = [slice(None), slice(None)]
            behind: list[slice] = [slice(None), slice(None)]
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            grown[tuple(ahead)] |= mask[tuple(behind)]
            grown[tuple(behind)] |= mask[tuple(ahead)]
            mask, done = grown, done + step
    return mask


def _fill_holes(sheet: Sheet, areas: Doubles, largest: float, progress: Progress) -> None:
    survey = Survey(sheet.shape.columns, diagonal=False)
    for strip in sheet.strips():
        around = sheet.read(strip.row - 1, strip.rows + 2)
        values = around[1:-1]
        empty = np.pad(around == NODATA, ((0, 0), (1, 1)), constant_values=True)
        open_to = empty[:-2, 1:-1] | empty[2:, 1:-1] | empty[1:-1, :-2] | empty[1:-1, 2:]
        survey.add(values == BACKGROUND, areas[strip.row : strip.end_row], open_to)
        progress.update(0.5 * strip.end_row / sheet.shape.rows)
    found = survey.parts()
    fill = found.table(~found.marked & (found.areas < largest * (1 - 1e-9)))
    labeller = Labeller(sheet.shape.columns, diagonal=False)
    for strip in sheet.strips():
        values = sheet.read(strip.row, strip.rows)
        numbers = labeller.number(values == BACKGROUND)
        values[fill[numbers]] = CLASS
        sheet.write(strip.row, values)
        progress.checkpoint()
