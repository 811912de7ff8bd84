"""Training patches: what the network sees around each labelled pixel, in all eight orientations.

The window of a pixel is not centred (16 rows have no middle), so a flipped window is not the
window of a flipped scene. Patches are therefore one pixel larger than the window, with the
labelled pixel in their exact middle: they are turned first and cut to the window afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...progress import Progress
from ...scene.grid import Window
from ...scene.scene import Scene

ORIENTATIONS = 8
# So much of the finer image must be known under a pixel for the pixel to count as known.
KNOWN_SHARE = 0.5
# Tiles in which labelled pixels are read together, in MS pixels.
_TILE = 128
_MEMORY_BYTES = 2**29


@dataclass(frozen=True, slots=True)
class Pixels:
    """Labelled pixels of one or several scenes.

    `scene`, `row`, `column` and `target` have one entry a pixel; `target` is the index of the
    class, from 0.
    """

    scene: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    target: NDArray[np.int64]

    def __len__(self) -> int:
        """The number of pixels."""
        return len(self.row)

    def taken(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Pixels":
        """The pixels at `index`."""
        return Pixels(self.scene[index], self.row[index], self.column[index], self.target[index])


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation per band of both images, in the rasters' own numbers."""

    ms_mean: Tensor
    ms_std: Tensor
    pan_mean: Tensor
    pan_std: Tensor

    def standardised(self, ms: Tensor, pan: Tensor) -> tuple[Tensor, Tensor]:
        """Both images with mean 0 and deviation 1; missing (NaN) pixels become the mean, 0.

        `ms` (…, band, row, column) and `pan` (…, 1, row, column), float32, on any device.
        """
        return (
            _standardised(ms, self.ms_mean, self.ms_std),
            _standardised(pan, self.pan_mean, self.pan_std),
        )


def _standardised(image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    shape = (-1, 1, 1)
    scaled = (image - mean.to(image).reshape(shape)) / std.to(image).reshape(shape)
    return torch.nan_to_num_(scaled, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches around labelled pixels.

    `ms` (n, band, window+1, window+1) and `pan` (n, 1, (window+1)·ratio, (window+1)·ratio),
    float32, NaN where missing; `target` (n,) int64.
    """

    ms: Tensor
    pan: Tensor
    target: Tensor

    def __len__(self) -> int:
        """The number of patches."""
        return len(self.target)

    @property
    def ratio(self) -> int:
        """PAN pixels along the edge of an MS pixel."""
        return self.pan.shape[-1] // self.ms.shape[-1]

    def taken(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Patches":
        """The patches at `index`."""
        chosen = torch.from_numpy(np.asarray(index))
        return Patches(self.ms[chosen], self.pan[chosen], self.target[chosen])

    def known(self) -> NDArray[np.bool_]:
        """Whether the labelled pixel itself is known in both images, one entry a patch."""
        half, ratio = self.ms.shape[-1] // 2, self.ratio
        fine = slice(half * ratio, (half + 1) * ratio)
        colours = torch.isfinite(self.ms[:, :, half, half]).all(dim=1)
        grey = torch.isfinite(self.pan[:, 0, fine, fine]).float().mean(dim=(1, 2))
        known: NDArray[np.bool_] = (colours & (grey >= KNOWN_SHARE)).numpy()
        return known

    def statistics(self) -> Statistics:
        """Mean and deviation of the bands over all valid pixels of the patches."""
        return Statistics(*_moments(self.ms), *_moments(self.pan))

    def standardised(self, statistics: Statistics) -> "Patches":
        """The same patches with mean 0 and deviation 1, nothing missing."""
        return Patches(*statistics.standardised(self.ms, self.pan), self.target)

    def windows(self, index: Tensor, orientation: Tensor) -> tuple[Tensor, Tensor]:
        """The network's inputs for the patches at `index`, each in its own orientation (0–7)."""
        ms, pan = self.ms[index], self.pan[index]
        ms_out = torch.empty_like(ms[..., 1:, 1:])
        pan_out = torch.empty_like(pan[..., self.ratio :, self.ratio :])
        for turn in set(orientation.tolist()):
            chosen = orientation == turn
            ms_out[chosen] = cut(oriented(ms[chosen], turn), 1)
            pan_out[chosen] = cut(oriented(pan[chosen], turn), self.ratio)
        return ms_out, pan_out


def oriented(images: Tensor, orientation: int) -> Tensor:
    """`images` (…, row, column) in one of the eight orientations: turned, from 4 on mirrored."""
    turned = torch.rot90(images, orientation % 4, (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned


def cut(images: Tensor, pixels: int) -> Tensor:
    """`images` without their first rows and columns: the window inside an oriented patch."""
    return images[..., pixels:, pixels:]


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    means, deviations = [], []
    for band in range(images.shape[1]):
        values = images[:, band]
        valid = values[torch.isfinite(values)].double()
        mean = valid.mean() if len(valid) else torch.zeros((), dtype=torch.float64)
        deviation = valid.std(correction=0) if len(valid) else torch.ones_like(mean)
        means.append(mean)
        # A constant band carries nothing; dividing by 1 keeps it at 0 instead of NaN.
        deviations.append(deviation if deviation > 0 else torch.ones_like(mean))
    return torch.stack(means).float(), torch.stack(deviations).float()


def patch_limit(bands: int, window: int, ratio: int) -> int:
    """How many patches fit the memory that a training may take for them."""
    pixels = (window + 1) ** 2 * (bands + ratio**2)
    return max(1000, _MEMORY_BYTES // (4 * pixels))


def thinned(pixels: Pixels, limit: int, seed: int) -> Pixels:
    """At most about `limit` of the pixels; the rarer a class, the more of it is kept."""
    if len(pixels) <= limit:
        return pixels
    random = np.random.default_rng(seed)
    share = _fair_share(np.bincount(pixels.target), limit)
    kept = [
        random.permutation(np.flatnonzero(pixels.target == target))[:share]
        for target in np.unique(pixels.target)
    ]
    return pixels.taken(np.sort(np.concatenate(kept)))


def _fair_share(counts: NDArray[np.int64], limit: int) -> int:
    """The largest number a class so that all classes together keep to `limit`."""
    low, high = 1, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(counts, middle).sum()) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def cut_patches(
    scenes: Sequence[Scene], pixels: Pixels, window: int, ratio: int, progress: Progress
) -> Patches:
    """Read the patches around `pixels`, in the order of `pixels`."""
    half = window // 2
    edge = window + 1
    bands = scenes[0].read("MS", Window(0, 0, 1, 1)).values.shape[0]
    ms = np.empty((len(pixels), bands, edge, edge), np.float32)
    pan = np.empty((len(pixels), 1, edge * ratio, edge * ratio), np.float32)
    tiles = np.stack([pixels.scene, pixels.row // _TILE, pixels.column // _TILE], axis=1)
    unique, inverse = np.unique(tiles, axis=0, return_inverse=True)
    for number, (scene, _, _) in enumerate(unique.tolist()):
        progress.update(number / len(unique))
        chosen = np.flatnonzero(inverse == number)
        row, column = pixels.row[chosen], pixels.column[chosen]
        tile = Window(
            int(row.min()), int(column.min()), int(np.ptp(row)) + 1, int(np.ptp(column)) + 1
        ).grown(half)
        rows, columns = row - row.min(), column - column.min()
        ms[chosen] = _gathered(scenes[scene], "MS", tile, rows, columns, edge)
        pan[chosen] = _gathered(
            scenes[scene], "PAN", tile, rows * ratio, columns * ratio, edge * ratio
        )
    return Patches(torch.from_numpy(ms), torch.from_numpy(pan), torch.from_numpy(pixels.target))


def _gathered(
    scene: Scene,
    role: str,
    tile: Window,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    edge: int,
) -> NDArray[np.float32]:
    """Squares of `edge` pixels from one read, their upper left corners at `rows`, `columns`."""
    block = scene.read(role, tile)
    values = np.where(block.valid, block.values, np.float32(np.nan))
    steps = np.arange(edge)
    down = rows[:, None, None] + steps[None, :, None]
    across = columns[:, None, None] + steps[None, None, :]
    return np.moveaxis(values[:, down, across], 0, 1).astype(np.float32, copy=False)
