"""A trained network as prediction and judging ask for it."""

from typing import Protocol

import torch
from torch import Tensor, nn

from ..scene.grid import Window
from ..scene.scene import Block, Scene
from .view import View


class Scaling(Protocol):
    """What inputs are scaled by."""

    def standardised(self, values: Tensor, valid: Tensor) -> Tensor:
        """What a network sees of `values` (b, channel, row, column); 0 where not `valid`."""


class TrainedSegmenter:
    """A view with a trained network behind it; see `view.Segmenter`."""

    def __init__(self, view: View, network: nn.Module, statistics: Scaling) -> None:
        """`network` gives logits (b, row, column); it is put into evaluation mode."""
        self._view = view
        self._network = network.eval()
        self._statistics = statistics

    @property
    def channels(self) -> int:
        """How many channels the network sees."""
        return self._view.channels

    def read(self, scene: Scene, window: Window) -> Block:
        """The channels in `window`, as the view reads them."""
        return self._view.read(scene, window)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        """The channels of the same ground, flipped and rotated."""
        return self._view.turned(values, orientation)

    @torch.inference_mode()
    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        """The probability of the class (b, row, column), float32, on the device of `values`.

        `values` (b, channel, row, column) as `read` gives them and `valid` (b, row, column).
        """
        device = next(self._network.parameters()).device
        scaled = self._statistics.standardised(values.to(device), valid.to(device))
        logits: Tensor = self._network(scaled)
        return torch.sigmoid(logits.float()).to(values.device)
