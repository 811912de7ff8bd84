"""Classes of many pixels from blocks of both images: windows, batches, orientations."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...batches import Batches
from ...progress import Progress
from .patches import ORIENTATIONS, Statistics, cut, oriented

Network = Callable[[Tensor, Tensor], Tensor]
_SMALLEST_BATCH = 8


@dataclass(frozen=True, slots=True)
class Block:
    """Both images around a rectangle of MS pixels, `half` MS pixels larger on every side.

    `ms` (band, rows + 2·half, columns + 2·half), `pan` (1, the same × ratio), float32, NaN where
    missing.
    """

    ms: Tensor
    pan: Tensor


class Classifier:
    """The network with everything needed to ask it for the classes of pixels.

    Out of memory halves the batch, and the smallest batch falls back to the processor; both are
    said in the log.
    """

    def __init__(
        self,
        network: Callable[[torch.device], Network],
        statistics: Statistics,
        *,
        window: int,
        ratio: int,
        device: torch.device,
        progress: Progress,
        orientations: int = 1,
        batch: int = 1024,
    ) -> None:
        """`network` gives the logits function (ms, pan) → (n, class) on a device."""
        self._make = network
        self._network = network(device)
        self._statistics = statistics
        self._window = window
        self._ratio = ratio
        self._orientations = orientations
        self._batches = Batches(device, batch, progress, moved=self._move, smallest=_SMALLEST_BATCH)
        self.windows_done = 0

    @property
    def half(self) -> int:
        """How far, in MS pixels, a block reaches beyond the pixels to classify."""
        return self._window // 2

    @torch.inference_mode()
    def probabilities(self, block: Block, rows: Tensor, columns: Tensor) -> Tensor:
        """Class probabilities (n, class) of the pixels at `rows`, `columns` inside the block.

        Row 0, column 0 is the first pixel inside the margin of `half`. A place to be cancelled.
        """
        ms, pan = self._statistics.standardised(block.ms, block.pan)
        parts = []
        start = 0
        while start < len(rows):
            stop = start + self._batches.size
            here = rows[start:stop], columns[start:stop]
            part = self._batches.attempt(partial(self._classified, ms, pan, *here))
            if part is not None:
                parts.append(part)
                start = stop
        self.windows_done += len(rows)
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def _move(self, device: torch.device) -> None:
        self._network = self._make(device)

    def _classified(self, ms: Tensor, pan: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        total: Tensor | None = None
        for orientation in range(self._orientations if self._orientations > 1 else 1):
            windows = (
                _gathered(ms, rows, columns, self._window, 1, orientation),
                _gathered(pan, rows, columns, self._window, self._ratio, orientation),
            )
            logits = self._network(*(part.to(self._batches.device) for part in windows))
            probabilities = torch.softmax(logits.float(), dim=1)
            total = probabilities if total is None else total + probabilities
        if total is None:
            raise ValueError("no orientation was asked for")
        return (total / self._orientations).cpu()


def _gathered(
    image: Tensor, rows: Tensor, columns: Tensor, window: int, scale: int, orientation: int
) -> Tensor:
    """The windows (n, band, window·scale, window·scale) of pixels, in one orientation."""
    edge = (window + 1) * scale
    patches = image.unfold(1, edge, scale).unfold(2, edge, scale)
    if orientation == 0:
        patches = patches[..., scale:, scale:]
        return patches[:, rows, columns].transpose(0, 1).contiguous()
    if orientation >= ORIENTATIONS:
        raise ValueError(f"there is no orientation {orientation}")
    chosen = patches[:, rows, columns].transpose(0, 1)
    return cut(oriented(chosen, orientation), scale).contiguous()
