"""A sampler that needs no scene: bright discs are mines."""

from dataclasses import dataclass

import numpy as np
import torch
from terraweave.core.segmentation.sampler import Batch


@dataclass(frozen=True)
class Discs:
    """Draws windows of noise with one bright disc each; the disc is the class.

    With `fixed`, each step draws the same windows. Pixels of `missing` columns at the left are not
    valid and hold `filler`.
    """

    bands: int = 4
    window: int = 64
    batch: int = 4
    seed: int = 0
    fixed: bool = False
    missing: int = 0
    filler: float = 0.0

    def draw(self, epoch: int, step: int) -> Batch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, *((0, 0) if self.fixed else (epoch, step))])
        centre = random.uniform(0.25, 0.75, (2, self.batch, 1, 1)) * self.window
        radius = random.uniform(0.1, 0.25, (self.batch, 1, 1)) * self.window
        rows, columns = np.indices((self.window, self.window))
        target = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        shape = (self.batch, self.bands, self.window, self.window)
        values = 1000 + 300 * random.standard_normal(shape) + 600 * target[:, None]
        valid = np.ones_like(target)
        valid[:, :, : self.missing] = False
        values = np.where(valid[:, None], values, self.filler)
        return Batch(
            torch.from_numpy(values.astype(np.float32)),
            torch.from_numpy(valid),
            torch.from_numpy(target.astype(np.float32)),
            torch.from_numpy(valid.copy()),
            torch.zeros(self.batch, dtype=torch.int64),
        )
