"""A trained HPCL-Net as the shared prediction asks for it."""

import torch
from torch import Tensor, nn

from ...scene.grid import Window
from ...scene.scene import Block, Scene
from .statistics import Statistics
from .view import TerrainView


class HpclSegmenter:
    """A view with a trained network behind it; projector and momentum encoder are not here."""

    def __init__(self, view: TerrainView, network: nn.Module, statistics: Statistics) -> None:
        """`network` gives logits (b, row, column); it is put into evaluation mode."""
        self._view = view
        self._network = network.eval()
        self._statistics = statistics

    @property
    def channels(self) -> int:
        """How many channels the network sees."""
        return self._view.channels

    def read(self, scene: Scene, window: Window) -> Block:
        """The channels in `window`; see `TerrainView`."""
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
