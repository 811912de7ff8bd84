"""The held-out ground of a training, and how a network is judged on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..progress import Progress
from ..scene.grid import Shape, Window
from ..scene.source import Floats, Mask
from .blending import blended, orientations_for, read_array, windows_touching
from .judging import Histogram
from .sites import Site
from .view import Segmenter

_QUICK_WINDOWS = 120
_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A network's answer on the held-out part of a site.

    `probabilities`, `truth` and `known` (row, column); only `known` pixels were held out.
    """

    title: str
    probabilities: Floats
    truth: Mask
    known: Mask

    @property
    def histogram(self) -> Histogram:
        """The held-out pixels by probability."""
        found = Histogram()
        found.add(self.probabilities, self.truth, self.known)
        return found


def pooled(judged: Iterable[Judged]) -> Histogram:
    """The held-out pixels of all sites by probability."""
    return Histogram().joined([one.histogram for one in judged])


class HeldOut:
    """Sites with the pixels that validate; `masks` (row, column) one a site."""

    def __init__(self, sites: Sequence[Site], masks: Sequence[Mask], window: int) -> None:
        """`window` is the model's, in pixels."""
        self._sites = tuple(sites)
        self._masks = tuple(masks)
        self._window = window
        self._quick = _spread(masks, window)

    @torch.inference_mode()
    def quick(self, segmenter: Segmenter) -> Histogram:
        """A look at windows side by side, at most a hundred odd, always the same ones."""
        found = Histogram()
        for start in range(0, len(self._quick), _BATCH):
            some = self._quick[start : start + _BATCH]
            blocks = [
                read_array(self._sites[number].values, self._sites[number].valid)(window)
                for number, window in some
            ]
            probabilities = segmenter.probabilities(
                torch.from_numpy(np.stack([one.values for one in blocks])),
                torch.from_numpy(np.stack([one.valid for one in blocks])),
            )
            for (number, window), one in zip(some, probabilities.cpu().numpy(), strict=True):
                self._count(found, number, window, one)
        return found

    def _count(
        self, found: Histogram, number: int, window: Window, one: NDArray[np.float32]
    ) -> None:
        inside = window.clipped(Shape(*self._masks[number].shape))
        if inside is None:
            return
        rows, columns = inside.shifted(-window.row, -window.column).slices
        target = self._sites[number].target[inside.slices]
        found.add(one[rows, columns], target == 1, self._masks[number][inside.slices])

    def windows(self) -> tuple[int, int]:
        """How many windows `quick` and `whole` give to the network, every orientation counted."""
        whole = 0
        for mask in self._masks:
            region, shape = _box(mask), Shape(*mask.shape)
            if region is not None:
                orientations, _ = orientations_for("auto", shape, self._window)
                places = windows_touching(shape, region, self._window, self._window // 2)
                whole += orientations * places
        return len(self._quick), whole

    def whole(self, segmenter: Segmenter, progress: Progress) -> tuple[Judged, ...]:
        """All held-out ground of each site: windows overlap and turn as at a prediction."""
        found = []
        for site, mask in zip(self._sites, self._masks, strict=True):
            region = _box(mask)
            if region is not None:
                probabilities = blended_site(site, segmenter, region, self._window, progress)
                truth = site.target[region.slices] == 1
                found.append(Judged(site.title, probabilities, truth, mask[region.slices]))
        return tuple(found)


def blended_site(
    site: Site, segmenter: Segmenter, region: Window, window: int, progress: Progress
) -> NDArray[np.float32]:
    """The probabilities (row, column) of a part of a site, as a prediction would find them."""
    shape = Shape(*site.valid.shape)
    orientations, _ = orientations_for("auto", shape, window)
    return blended(
        read_array(site.values, site.valid),
        segmenter,
        region,
        shape,
        window=window,
        overlap=window // 2,
        orientations=orientations,
        progress=progress,
    )


def _spread(masks: Sequence[Mask], window: int) -> list[tuple[int, Window]]:
    """Windows side by side that hold validation pixels; a fixed random part of very many."""
    found = []
    for number, mask in enumerate(masks):
        box = _box(mask)
        if box is None:
            continue
        for row in range(box.row, box.end_row, window):
            for column in range(box.column, box.end_column, window):
                one = _kept_inside(Window(row, column, window, window), Shape(*mask.shape))
                inside = one.clipped(Shape(*mask.shape))
                if inside is not None and mask[inside.slices].any():
                    found.append((number, one))
    if len(found) > _QUICK_WINDOWS:
        chosen = np.random.default_rng(0).choice(len(found), _QUICK_WINDOWS, replace=False)
        found = [found[place] for place in sorted(chosen.tolist())]
    return found


def _kept_inside(window: Window, shape: Shape) -> Window:
    """The window moved into the grid where the grid is large enough."""
    row = max(min(window.row, shape.rows - window.rows), 0)
    column = max(min(window.column, shape.columns - window.columns), 0)
    return Window(row, column, window.rows, window.columns)


def _box(mask: Mask) -> Window | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    row, column = int(rows[0]), int(columns[0])
    return Window(row, column, int(rows[-1]) + 1 - row, int(columns[-1]) + 1 - column)
