"""Probabilities of a scene from overlapping windows that fade into each other."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import Batches
from ..progress import Progress
from ..scene.grid import Shape, Window
from ..scene.scene import Block, mirrored
from .orientations import ORIENTATIONS, turned, turned_back
from .view import Segmenter

Read = Callable[[Window], Block]
Floats = NDArray[np.float32]

LANE = 2048
"""Columns of a scene that are worked at once: with them, memory is bounded for any width."""

# What suits two cores: more at once does not get faster, fewer costs calls.
_BATCH_PIXELS = 2**19
_BATCH_PIXELS_ON_CARD = 2**21

FREE_PIXELS = 1000 * 128**2
"""Up to so many pixels in a scene's windows, all orientations are looked at unasked.

With the families' smallest networks that is two minutes on two cores.
"""


@dataclass(frozen=True, slots=True)
class Axis:
    """Where windows of `edge` pixels, `step` apart, begin along an axis of `length` pixels.

    As many as cover it, as far over the one end as over the other. Fixed to the scene, whatever
    part of it is asked for.
    """

    length: int
    edge: int
    step: int

    @property
    def count(self) -> int:
        """How many windows there are."""
        return max(1, math.ceil((self.length - self.edge) / self.step) + 1)

    @property
    def first(self) -> int:
        """Where the first one begins, 0 or less."""
        return -(((self.count - 1) * self.step + self.edge - self.length) // 2)

    def touching(self, start: int, stop: int) -> range:
        """The beginnings of the windows with pixels from `start` to before `stop`."""
        low = max(0, (start - self.first - self.edge) // self.step + 1)
        high = min(self.count, (stop - 1 - self.first) // self.step + 1)
        return range(self.first + low * self.step, self.first + high * self.step, self.step)


def fading(edge: int) -> Floats:
    """The weight of each pixel along a window: Hann's, shifted by half a pixel so that none is 0.

    Half overlapping windows add up to 1 everywhere.
    """
    return (np.sin(np.pi * (np.arange(edge) + 0.5) / edge) ** 2).astype(np.float32)


def windows_over(shape: Shape, window: int, overlap: int) -> int:
    """How many windows cover a scene of `shape`; all in working pixels."""
    step = window - overlap
    return Axis(shape.rows, window, step).count * Axis(shape.columns, window, step).count


def lanes(region: Window) -> Iterator[Window]:
    """The parts of a region that are worked one after another."""
    for start in range(region.column, region.end_column, LANE):
        columns = min(LANE, region.end_column - start)
        yield Window(region.row, start, region.rows, columns)


def laid_over(shape: Shape, lane: Window, edge: int, step: int) -> tuple[range, range]:
    """Where the windows begin that touch a lane of a scene of `shape`: rows and columns."""
    down, across = Axis(shape.rows, edge, step), Axis(shape.columns, edge, step)
    return (
        down.touching(lane.row, lane.end_row),
        across.touching(lane.column, lane.end_column),
    )


def orientations_for(
    asked: str, shape: Shape, window: int, overlap: int | None = None
) -> tuple[int, str]:
    """In how many orientations to see each window of a scene, and why.

    `asked` is a number or `auto`: all where the scene of `shape` is small enough for it not to
    matter. The whole scene counts, so that any part of it is mapped alike.
    """
    if asked != "auto":
        return int(asked), ""
    overlap = window // 2 if overlap is None else overlap
    count, most = windows_over(shape, window, overlap), FREE_PIXELS // window**2
    if count <= most:
        return ORIENTATIONS, (
            f"{'The only window' if count == 1 else f'Each of the {count:,} windows'} of the scene "
            f"is seen in all {ORIENTATIONS} flips and rotations, which is surer; that is done up "
            f"to {most:,} windows (ORIENTATIONS)."
        )
    return 1, (
        f"Each of the {count:,} windows of the scene is seen as it is, since they are more than "
        f"{most:,}; all flips and rotations would be a little surer and take {ORIENTATIONS} times "
        "as long (ORIENTATIONS)."
    )


def windows_touching(shape: Shape, region: Window, window: int, overlap: int) -> int:
    """How many windows a `Blender` goes through for a region of a scene of `shape`."""
    laid = [laid_over(shape, lane, window, window - overlap) for lane in lanes(region)]
    return sum(len(tops) * len(lefts) for tops, lefts in laid)


def batch_of(window: int, device: torch.device) -> int:
    """How many windows go through the network at once."""
    pixels = _BATCH_PIXELS if device.type == "cpu" else _BATCH_PIXELS_ON_CARD
    return max(1, pixels // window**2)


class Blender:
    """A segmenter with all that is needed to ask it for whole scenes.

    Counts the windows that went through the network in `windows_done`.
    """

    def __init__(
        self,
        make: Callable[[torch.device], Segmenter],
        device: torch.device,
        progress: Progress,
        *,
        window: int,
        overlap: int,
        orientations: int = 1,
        batch: int | None = None,
    ) -> None:
        """`make` gives the segmenter on a device; `window` and `overlap` are in working pixels.

        With more `orientations` than one, each window is seen in so many of its eight flips and
        rotations, and the mean counts.
        """
        if not 0 <= overlap < window:
            raise ValueError(f"windows of {window} cannot overlap by {overlap}")
        self._make = make
        self.segmenter = make(device)
        self._edge = window
        self._step = window - overlap
        self._orientations = max(1, orientations)
        self._progress = progress
        size = batch or batch_of(window, device)
        self._batches = Batches(device, size, progress, moved=self._move)
        self._weight = fading(window)
        self._square = torch.from_numpy(np.outer(self._weight, self._weight))
        self.windows_done = 0

    def _move(self, device: torch.device) -> None:
        self.segmenter = self._make(device)

    def strips(self, read: Read, shape: Shape, region: Window) -> Iterator[tuple[Window, Floats]]:
        """The parts of `region` with their probabilities (row, column), NaN where not valid.

        `read` gives the segmenter's channels in a window, which may leave the grid of `shape`;
        `region` lies within it. Lane by lane, each from top to bottom; every row of windows is
        read once, and memory is bounded by lane and window.
        """
        for lane in lanes(region):
            yield from self._lane(read, shape, lane)

    def _lane(self, read: Read, shape: Shape, lane: Window) -> Iterator[tuple[Window, Floats]]:
        edge, step = self._edge, self._step
        tops, lefts = laid_over(shape, lane, edge, step)
        width = lefts[-1] + edge - lefts[0]
        total = torch.zeros(edge, width)
        norm_across = _added(self._weight, lefts, lefts[0], width)
        rows_of_weights = _added(self._weight, tops, tops[0], tops[-1] + edge - tops[0])
        band = Band(read, lefts[0], width, edge, step)
        for top in tops:
            values, valid = band.at(top)
            self._add(values, valid, total)
            done = step if top != tops[-1] else edge
            ready = Window(top, lefts[0], done, width)
            wanted = ready.intersection(lane)
            if wanted is not None:
                rows, columns = wanted.shifted(-top, -lefts[0]).slices
                norm = np.outer(
                    rows_of_weights[wanted.row - tops[0] : wanted.end_row - tops[0]],
                    norm_across[columns],
                )
                found: Floats = (total[rows, columns].numpy() / norm).astype(np.float32, copy=False)
                found[~valid[rows, columns].numpy()] = np.nan
                yield wanted, found
            total = torch.cat([total[step:], torch.zeros(step, width)])

    def _add(self, values: Tensor, valid: Tensor, total: Tensor) -> None:
        """Add the weighted answers of one row of windows to `total` (row, column)."""
        windows = values.unfold(2, self._edge, self._step)
        masks = valid.unfold(1, self._edge, self._step)
        places = [i for i in range(masks.shape[1]) if bool(masks[:, i].any())]
        start = 0
        while start < len(places):
            part = _even_part(places[start:], self._batches.size)
            answer = self._batches.attempt(partial(self._answers, windows, masks, part))
            if answer is None:
                continue
            for index, place in enumerate(part):
                left = place * self._step
                total[:, left : left + self._edge] += answer[index] * self._square
            self.windows_done += len(part)
            start += len(part)

    @torch.inference_mode()
    def _answers(self, windows: Tensor, masks: Tensor, places: list[int]) -> Tensor:
        """Probabilities (n, row, column) of the windows at `places`, on the processor."""
        device = self._batches.device
        values = windows[:, :, places].permute(2, 0, 1, 3).contiguous().to(device)
        valid = masks[:, places].permute(1, 0, 2).contiguous().to(device)
        total: Tensor | None = None
        for orientation in range(self._orientations):
            if orientation == 0:
                answer = self.segmenter.probabilities(values, valid)
            else:
                seen = self.segmenter.turned(values, orientation), turned(valid, orientation)
                answer = turned_back(self.segmenter.probabilities(*seen), orientation)
            total = answer if total is None else total + answer
            if self._orientations > 1:
                self._progress.checkpoint()
        if total is None:
            raise ValueError("no orientation was asked for")
        return (total / self._orientations).float().cpu()


class Band:
    """The channels behind one row of windows after another; each pixel is read once."""

    def __init__(self, read: Read, column: int, columns: int, edge: int, step: int) -> None:
        """Windows of `edge` rows, `step` apart, between `column` and `columns` further."""
        self._read = read
        self._column, self._columns = column, columns
        self._edge, self._step = edge, step
        self._end: int | None = None
        self._values = torch.empty(0)
        self._valid = torch.empty(0)

    def at(self, top: int) -> tuple[Tensor, Tensor]:
        """Values (channel, row, column) and validity (row, column) of the rows from `top`."""
        if self._end is None:
            self._values, self._valid = self._rows(top, self._edge)
        else:
            values, valid = self._rows(self._end, self._step)
            self._values = torch.cat([self._values[:, self._step :], values], dim=1)
            self._valid = torch.cat([self._valid[self._step :], valid])
        self._end = top + self._edge
        return self._values, self._valid

    def _rows(self, row: int, count: int) -> tuple[Tensor, Tensor]:
        block = self._read(Window(row, self._column, count, self._columns))
        return torch.from_numpy(block.values), torch.from_numpy(block.valid)


def _even_part(places: list[int], size: int) -> list[int]:
    """The first of the equal parts into which `places` fall at `size` a part."""
    return places[: math.ceil(len(places) / math.ceil(len(places) / size))]


def _added(weight: Floats, starts: range, origin: int, length: int) -> Floats:
    """The sum of the weights of all windows that begin at `starts`, from `origin` on."""
    total = np.zeros(length, dtype=np.float32)
    for start in starts:
        total[start - origin : start - origin + len(weight)] += weight
    return total


def blended(
    read: Read,
    segmenter: Segmenter,
    region: Window,
    shape: Shape,
    *,
    window: int,
    overlap: int,
    orientations: int = 1,
    device: torch.device | None = None,
    progress: Progress | None = None,
    batch: int | None = None,
) -> Floats:
    """The probabilities (row, column) of `region`, float32, NaN where not valid, in memory.

    The same numbers as `Blender` gives for a whole scene of `shape`, from which `read` gives the
    channels in any window.
    """
    blender = Blender(
        lambda _: segmenter,
        device or torch.device("cpu"),
        progress or Progress(),
        window=window,
        overlap=overlap,
        orientations=orientations,
        batch=batch,
    )
    result = np.full((region.rows, region.columns), np.nan, dtype=np.float32)
    for part, probabilities in blender.strips(read, shape, region):
        result[part.shifted(-region.row, -region.column).slices] = probabilities
    return result


def read_array(values: Floats, valid: NDArray[np.bool_]) -> Read:
    """A reader of channels in memory (channel, row, column), mirrored outside as a scene is."""
    rows, columns = valid.shape

    def read(window: Window) -> Block:
        if window.within(Shape(rows, columns)):
            part = window.slices
            return Block(values[:, part[0], part[1]].copy(), valid[part].copy())
        down = mirrored(window.row, window.rows, rows)[:, None]
        right = mirrored(window.column, window.columns, columns)
        return Block(np.ascontiguousarray(values[:, down, right]), valid[down, right])

    return read
