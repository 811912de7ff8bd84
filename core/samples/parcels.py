"""Farmland cut into parcels: zones of one direction, blocks in a zone, strips in a block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, smooth_noise


@dataclass(frozen=True, slots=True)
class Parcels:
    """A partition of the canvas, with coordinates that follow each parcel.

    `index` counts parcels from 0; `u` runs along the strips and `v` across them, `edge` is how
    far the nearest boundary is, `end` how far the end of the strip is, all in metres.
    """

    index: NDArray[np.int32]
    u: Floats
    v: Floats
    edge: Floats
    end: Floats

    @property
    def count(self) -> int:
        """The number of parcels."""
        return int(self.index.max()) + 1


def cut_parcels(
    rng: np.random.Generator, canvas: Canvas, zone: float, block: float, strip: float
) -> Parcels:
    """Parcels about `block` × `strip` metres large, in zones about `zone` metres wide."""
    warp = max(zone / 2, 40.0)
    x = canvas.x + 5 * smooth_noise(rng, canvas, warp)
    y = canvas.y + 5 * smooth_noise(rng, canvas, warp)
    seeds = _zone_seeds(rng, canvas, zone)
    parts = [canvas.around(seed[0], seed[1], 2.4 * zone) for seed in seeds]
    label, border = _nearest_seed(x, y, seeds, parts)
    angles = rng.uniform(0, math.pi) + rng.choice([0.0, math.pi / 2], len(seeds))
    angles += rng.uniform(-0.5, 0.5, len(seeds))
    u, v = (np.zeros_like(x) for _ in range(2))
    index = np.zeros(x.shape, np.int32)
    edge, end = border.copy(), border.copy()
    cuts = _Cuts(rng, math.hypot(canvas.width, canvas.height) + zone, block, strip)
    for k, angle in enumerate(angles):
        part = parts[k]
        here = label[part] == k
        du, dv = x[part][here] - seeds[k, 0], y[part][here] - seeds[k, 1]
        u[part][here] = du * math.cos(angle) + dv * math.sin(angle)
        v[part][here] = dv * math.cos(angle) - du * math.sin(angle)
        number, across, along = cuts.place(k, u[part][here], v[part][here])
        index[part][here] = number
        edge[part][here] = np.minimum(edge[part][here], np.minimum(across, along))
        end[part][here] = np.minimum(end[part][here], along)
    compact = np.unique(index, return_inverse=True)[1].reshape(x.shape).astype(np.int32)
    return Parcels(compact, u, v, edge, end)


class _Cuts:
    """Irregular cuts along two axes, shifted from block to block so that strips do not line up."""

    def __init__(self, rng: np.random.Generator, reach: float, block: float, strip: float) -> None:
        self._blocks = _irregular(rng, reach, block)
        self._strips = _irregular(rng, 3 * reach, strip)
        self._shifts = rng.uniform(-reach, reach, (61, 61)).astype(np.float32)

    def place(self, zone: int, u: Floats, v: Floats) -> tuple[NDArray[np.int32], Floats, Floats]:
        """The number of the parcel, and the metres to the nearest cut across and along."""
        column, along = _between(self._blocks, u)
        row, across = _between(self._strips, v + self._shifts[zone % 61, column % 61])
        number = (zone * len(self._blocks) + column) * len(self._strips) + row
        return number.astype(np.int32), across, along


def _irregular(rng: np.random.Generator, reach: float, width: float) -> NDArray[np.float64]:
    count = math.ceil(2 * reach / width) + 2
    return -reach - width + np.cumsum(rng.uniform(0.6, 1.5, count) * width)


def _between(cuts: NDArray[np.float64], t: Floats) -> tuple[NDArray[np.int64], Floats]:
    after = np.clip(np.searchsorted(cuts, t), 1, len(cuts) - 1)
    gap = np.minimum(np.abs(t - cuts[after - 1]), np.abs(cuts[after] - t))
    return after, gap.astype(np.float32)


def _zone_seeds(rng: np.random.Generator, canvas: Canvas, zone: float) -> NDArray[np.float64]:
    down, across = (max(1, round(side / zone)) for side in (canvas.height, canvas.width))
    cell = np.stack(np.meshgrid(np.arange(across), np.arange(down)), axis=-1).reshape(-1, 2)
    place = cell + rng.uniform(0.15, 0.85, cell.shape)
    return place / (across, down) * (canvas.width, canvas.height)


def _nearest_seed(
    x: Floats, y: Floats, seeds: NDArray[np.float64], parts: Sequence[tuple[slice, slice]]
) -> tuple[NDArray[np.int32], Floats]:
    """The nearest seed, and about how far the border to the next one's zone is.

    Each seed counts in its part of the canvas only, which holds all that it is nearest to.
    """
    first, second = np.full(x.shape, np.inf, np.float32), np.full(x.shape, np.inf, np.float32)
    label = np.zeros(x.shape, np.int32)
    for k, ((seed_x, seed_y), part) in enumerate(zip(seeds.astype(np.float32), parts, strict=True)):
        d = np.hypot(x[part] - seed_x, y[part] - seed_y)
        nearer = d < first[part]
        second[part] = np.where(nearer, first[part], np.minimum(second[part], d))
        label[part][nearer] = k
        first[part] = np.minimum(first[part], d)
    return label, np.minimum((second - first) / 2, np.float32(1e6))


def share_out(
    rng: np.random.Generator, sizes: NDArray[np.int64], shares: Sequence[float]
) -> NDArray[np.int32]:
    """A use for each parcel, so that the areas of the uses come near their shares."""
    wanted = np.asarray(shares) / sum(shares) * sizes.sum()
    use = np.zeros(len(sizes), np.int32)
    # Random order, the largest third first: a large parcel late would spoil the balance.
    order = np.lexsort((rng.random(len(sizes)), sizes < np.quantile(sizes, 0.67)))
    for parcel in order:
        best = int(np.argmax(wanted))
        use[parcel] = best
        wanted[best] -= sizes[parcel]
    return use
