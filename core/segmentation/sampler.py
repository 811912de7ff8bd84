"""Training windows: where they lie, how they are turned, what of them counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..scene.scene import mirrored
from ..scene.source import Floats, Mask
from .orientations import ORIENTATIONS, turned
from .view import View

_MOST_PLACES = 200_000
_HOLDING = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """One scene as a training sees it.

    `values` (channel, row, column) and `valid` (row, column) are the site's; `target` (row,
    column) float32 from 0 to 1; `counts` (row, column) tells which pixels the loss may count.
    """

    values: Floats
    valid: Mask
    target: Floats
    counts: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows of one training step.

    `values` (b, channel, row, column) raw, 0 where not `valid` (b, row, column); `target` (b, row,
    column) float32; `labelled` (b, row, column) bool, within `valid`; `site` (b,) int64.
    """

    values: Tensor
    valid: Tensor
    target: Tensor
    labelled: Tensor
    site: Tensor


class Sampler:
    """Draws windows by seed, epoch and step alone, at least half of them around the class."""

    def __init__(
        self,
        grounds: Sequence[Ground],
        view: View,
        *,
        window: int,
        batch: int,
        seed: int,
        holding: float = _HOLDING,
    ) -> None:
        """`holding` is the least share of windows that are drawn around a pixel of the class."""
        self.grounds = tuple(grounds)
        self.view = view
        self.window = window
        self.batch = batch
        self._seed = seed
        self._holding = holding
        random = np.random.default_rng([seed, 7])
        self._inside = _places([g.counts & (g.target >= 0.5) for g in grounds], random)
        self._any = _places([g.counts for g in grounds], random)
        positive = sum(float(g.target[g.counts].sum()) for g in grounds)
        whole = sum(int(g.counts.sum()) for g in grounds)
        self.prevalence = positive / whole if whole else 0.0

    @property
    def positive_weight(self) -> float:
        """√(background / class), from 1 to 10: how much more a pixel of the class counts."""
        if not 0 < self.prevalence < 1:
            return 1.0
        return float(np.clip(np.sqrt((1 - self.prevalence) / self.prevalence), 1.0, 10.0))

    def draw(self, epoch: int, step: int) -> Batch:
        """The batch of one step."""
        random = np.random.default_rng([self._seed, epoch, step])
        holding = -(-int(self._holding * self.batch * 2) // 2) if len(self._inside) else 0
        parts = [
            self._window(random, self._inside if number < holding else self._any)
            for number in range(self.batch)
        ]
        values, valid, target, labelled, site = zip(*parts, strict=True)
        return Batch(
            torch.stack(values),
            torch.stack(valid),
            torch.stack(target),
            torch.stack(labelled),
            torch.tensor(site, dtype=torch.int64),
        )

    def _window(
        self, random: np.random.Generator, places: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        number, row, column = places[random.integers(len(places))].tolist()
        ground = self.grounds[number]
        rows = self._lines(random, row, ground.valid.shape[0])
        columns = self._lines(random, column, ground.valid.shape[1])
        place = np.ix_(rows, columns)
        orientation = int(random.integers(ORIENTATIONS))
        values = torch.from_numpy(ground.values[:, rows[:, None], columns])
        masks = [
            turned(torch.from_numpy(one[place]), orientation).contiguous()
            for one in (ground.valid, ground.target, ground.counts & ground.valid)
        ]
        picture = self.view.turned(values, orientation).contiguous()
        return picture, masks[0], masks[1], masks[2], number

    def _lines(self, random: np.random.Generator, line: int, length: int) -> NDArray[np.intp]:
        """The rows (or columns) of a window around `line`; mirrored where the scene is smaller."""
        first = line - int(random.integers(self.window))
        if length >= self.window:
            first = min(max(first, 0), length - self.window)
        else:
            first = (length - self.window) // 2
        return mirrored(first, self.window, length)


def _places(masks: Sequence[Mask], draw: np.random.Generator) -> NDArray[np.int64]:
    """Site, row and column of pixels in the masks, a random part where there are very many."""
    whole = sum(int(mask.sum()) for mask in masks)
    share = min(1.0, _MOST_PLACES / max(whole, 1))
    found = []
    for number, mask in enumerate(masks):
        flat = np.flatnonzero(mask)
        if share < 1.0:
            flat = draw.choice(flat, round(len(flat) * share), replace=False)
        row, column = np.divmod(flat, mask.shape[1])
        found.append(np.stack([np.full(len(flat), number), row, column], axis=1))
    return np.concatenate(found).astype(np.int64)


def channel_statistics(
    grounds: Sequence[Ground],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (channel,) of what counts; a deviation of 0 becomes 1."""
    total = np.zeros(grounds[0].values.shape[0])
    squares, count = np.zeros_like(total), 0
    for ground in grounds:
        known = ground.values[:, ground.counts & ground.valid].astype(np.float64)
        total += known.sum(axis=1)
        squares += (known**2).sum(axis=1)
        count += known.shape[1]
    mean = total / max(count, 1)
    deviation = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
    return mean, np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1.0)
