"""Batches that get along with the memory there is."""

from collections.abc import Callable
from typing import TypeVar

import torch

from .errors import ResourceError
from .progress import Progress

Answer = TypeVar("Answer")


class Batches:
    """How many windows go through a network at once, and where.

    Out of memory halves the batch, and the smallest batch falls back to the processor; both are
    said in the log.
    """

    def __init__(
        self,
        device: torch.device,
        size: int,
        progress: Progress,
        *,
        moved: Callable[[torch.device], None],
        smallest: int = 1,
    ) -> None:
        """`moved` is told when the network has to go to another device."""
        self.device = device
        self.size = size
        self._smallest = smallest
        self._moved = moved
        self._progress = progress

    def attempt(self, compute: Callable[[], Answer]) -> Answer | None:
        """One batch, or None when the memory did not suffice and less was arranged for.

        A place to be cancelled.

        Raises:
            ResourceError: even the smallest batch does not fit the processor's memory.
        """
        self._progress.checkpoint()
        try:
            return compute()
        except torch.OutOfMemoryError as error:
            self._make_room(error)
            return None

    def _make_room(self, error: torch.OutOfMemoryError) -> None:
        if self.size > self._smallest:
            self.size = max(self.size // 2, self._smallest)
            self._progress.warn(f"Out of memory; going on with {self.size} windows at once.")
        elif self.device.type != "cpu":
            self.device = torch.device("cpu")
            self._moved(self.device)
            self._progress.warn("Out of memory on the card; going on on the processor.")
        else:
            raise ResourceError(
                "The machine ran out of memory. Close other programs or work on a smaller extent."
            ) from error
