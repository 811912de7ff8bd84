"""How a whole scene is covered with windows: every pixel, or a lattice with filling between."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...results import Strip
from ...scene.grid import Window
from ...scene.scene import Scene
from .classifier import Block, Classifier
from .patches import KNOWN_SHARE

Probabilities = NDArray[np.float32]


Mode = Callable[[Window], Strip]


class ScenePixels:
    """A scene through the classifier's eyes: blocks with a margin, valid centres."""

    def __init__(self, scene: Scene, classifier: Classifier, ratio: int, classes: int) -> None:
        """`ratio` is PAN pixels along the edge of an MS pixel."""
        self._scene = scene
        self._classifier = classifier
        self._ratio = ratio
        self.classes = classes

    def valid(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels of `window` are known in both images, (row, column)."""
        return self._valid(window, 0)[1]

    def block(self, window: Window) -> tuple[Block, NDArray[np.bool_]]:
        """Both images of `window` with the margin, and its valid pixels."""
        return self._valid(window, self._classifier.half)

    def _valid(self, window: Window, margin: int) -> tuple[Block, NDArray[np.bool_]]:
        grown = window.grown(margin)
        ms, pan = self._scene.read("MS", grown), self._scene.read("PAN", grown)
        known = pan.valid.reshape(grown.rows, self._ratio, grown.columns, self._ratio)
        centre = ms.valid & (known.mean(axis=(1, 3)) >= KNOWN_SHARE)
        inner = centre[margin : margin + window.rows, margin : margin + window.columns]
        block = Block(_with_gaps(ms.values, ms.valid), _with_gaps(pan.values, pan.valid))
        return block, inner

    def probabilities(
        self, block: Block, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> Probabilities:
        """Class probabilities (n, class) of pixels of the block."""
        result = self._classifier.probabilities(
            block, torch.from_numpy(rows), torch.from_numpy(columns)
        )
        return result.numpy().reshape(len(rows), self.classes)


def _with_gaps(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> torch.Tensor:
    return torch.from_numpy(np.where(valid, values, np.float32(np.nan)))


class Exact:
    """Every valid pixel from its own window."""

    def __init__(self, pixels: ScenePixels) -> None:
        """`pixels` reads and classifies."""
        self._pixels = pixels

    def __call__(self, window: Window) -> Strip:
        """The probabilities of all pixels in `window`."""
        block, valid = self._pixels.block(window)
        result = np.zeros((window.rows, window.columns, self._pixels.classes), np.float32)
        rows, columns = np.nonzero(valid)
        if len(rows):
            result[rows, columns] = self._pixels.probabilities(block, rows, columns)
        return Strip(window, result, valid)


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the lattice, filled along the row: weighted sums (column, class), and weights."""

    sums: Probabilities
    weights: NDArray[np.float32]


class Stride:
    """Every N-th pixel of every N-th row from its window, the probabilities between filled in.

    Between four classified pixels the probabilities are interpolated bilinearly; pixels without
    data take no part, and where no neighbour on the lattice is valid a pixel is classified itself.
    """

    def __init__(self, pixels: ScenePixels, region: Window, stride: int) -> None:
        """`region` is the part of the scene to be classified, `stride` is N."""
        self._pixels = pixels
        self._rows = region.row + _lattice(region.rows, stride)
        self._columns = region.column + _lattice(region.columns, stride)
        self._lines: dict[tuple[int, int], _Line] = {}

    def __call__(self, window: Window) -> Strip:
        """The probabilities of all pixels in `window`; windows come row by row of windows."""
        valid = self._pixels.valid(window)
        positions = np.arange(window.row, window.row + window.rows)
        above, below, down = _between(self._rows, positions)
        lines = self._lines_for(window, sorted({*above.tolist(), *below.tolist()}))
        result = np.empty((window.rows, window.columns, self._pixels.classes), np.float32)
        weight = np.empty((window.rows, window.columns), np.float32)
        for row in range(window.rows):
            upper, lower = lines[int(above[row])], lines[int(below[row])]
            share = np.float32(down[row])
            result[row] = (1 - share) * upper.sums + share * lower.sums
            weight[row] = (1 - share) * upper.weights + share * lower.weights
        result /= np.maximum(weight, np.float32(1e-6))[..., None]
        self._fill_lonely(window, result, valid & (weight < 1e-3))
        return Strip(window, result, valid)

    def _lines_for(self, window: Window, wanted: list[int]) -> dict[int, _Line]:
        """The lattice's rows around `window`; those that the window below wants too are kept."""
        lines = {}
        for index in wanted:
            place = (index, window.column)
            known = place in self._lines
            lines[index] = self._lines.pop(place) if known else self._classified(index, window)
        self._lines[wanted[-1], window.column] = lines[wanted[-1]]
        return lines

    def _classified(self, index: int, window: Window) -> _Line:
        positions = np.arange(window.column, window.column + window.columns)
        left, right, across = _between(self._columns, positions)
        first = int(left[0])
        lattice = self._columns[first : int(right[-1]) + 1]
        line = Window(int(self._rows[index]), int(lattice[0]), 1, int(np.ptp(lattice)) + 1)
        block, valid = self._pixels.block(line)
        chosen = valid[0, lattice - lattice[0]]
        known = np.zeros((len(lattice), self._pixels.classes), np.float32)
        if chosen.any():
            places = (lattice - lattice[0])[chosen]
            known[chosen] = self._pixels.probabilities(block, np.zeros_like(places), places)
        share = across.astype(np.float32)
        sums = (1 - share)[:, None] * known[left - first] + share[:, None] * known[right - first]
        weights = (1 - share) * chosen[left - first] + share * chosen[right - first]
        return _Line(sums, weights.astype(np.float32))

    def _fill_lonely(
        self, window: Window, result: Probabilities, lonely: NDArray[np.bool_]
    ) -> None:
        if lonely.any():
            block, _ = self._pixels.block(window)
            rows, columns = np.nonzero(lonely)
            result[rows, columns] = self._pixels.probabilities(block, rows, columns)


def _lattice(length: int, stride: int) -> NDArray[np.int64]:
    """Every `stride`-th of `length` pixels, centred."""
    return np.arange(min(stride // 2, (length - 1) // 2), length, stride, dtype=np.int64)


def _between(
    lattice: NDArray[np.int64], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """For each position the lattice's index before and after, and the share of the way."""
    after = np.clip(np.searchsorted(lattice, positions, side="right"), 1, len(lattice))
    before = after - 1
    after = np.minimum(after, len(lattice) - 1)
    span = np.maximum(lattice[after] - lattice[before], 1)
    share = np.clip((positions - lattice[before]) / span, 0.0, 1.0)
    return before, after, np.where(after == before, 0.0, share)
