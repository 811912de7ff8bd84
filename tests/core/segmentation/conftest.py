"""A segmenter that was never trained, and small scenes for it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from terraweave.core.scene.grid import Window
from terraweave.core.scene.scene import Block, Scene
from terraweave.core.segmentation.orientations import turned
from torch import Tensor
from torch.nn import functional


class Bright:
    """Takes bright ground for the class: a logistic of the mean brightness around a pixel."""

    channels = 1

    def __init__(self, middle: float = 100.0, scale: float = 20.0, reach: int = 0) -> None:
        """`reach` is how many pixels around each count."""
        self._middle, self._scale, self._reach = middle, scale, reach
        self.asked: list[int] = []

    def read(self, scene: Scene, window: Window) -> Block:
        """The first band."""
        block = scene.read("IMAGE", window)
        return Block(np.ascontiguousarray(block.values[:1]), block.valid)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """No direction is involved."""
        return turned(values, orientation)

    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        """The logistic; notes how many windows were asked for."""
        self.asked.append(len(values))
        edge = 2 * self._reach + 1
        padded = functional.pad(values[:, :1], (self._reach,) * 4, mode="replicate")
        mean = functional.avg_pool2d(padded, edge, stride=1)
        return torch.sigmoid((mean[:, 0] - self._middle) / self._scale)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def bright() -> Callable[..., Bright]:
    """Makes segmenters."""
    return Bright
