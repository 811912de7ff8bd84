"""The global queues of hyper-pixel keys: first in, first out, and empty at the start."""

from collections.abc import Mapping

import torch
from torch import Tensor

SLIDE, BACK_EDGE, BACK_FAR = "slide", "back_edge", "back_far"
SIZES: Mapping[str, int] = {SLIDE: 4096, BACK_EDGE: 2048, BACK_FAR: 2048}


class Queue:
    """The latest keys, at most `size` of them; rows that were never written are never read."""

    def __init__(self, size: int, dimensions: int, device: torch.device | str = "cpu") -> None:
        """Empty."""
        self._rows = torch.zeros(size, dimensions, device=device)
        self._filled = 0
        self._next = 0

    def __len__(self) -> int:
        """How many keys it holds."""
        return self._filled

    @property
    def keys(self) -> Tensor:
        """All keys (n, d), in no particular order; to be read before the next `push`."""
        return self._rows[: self._filled]

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Take in `keys` (n, d); the oldest make room. Of more than fit, the last are kept."""
        size = len(self._rows)
        latest = keys.detach().to(self._rows)[-size:]
        places = (self._next + torch.arange(len(latest), device=self._rows.device)) % size
        self._rows[places] = latest
        self._next = (self._next + len(latest)) % size
        self._filled = min(size, self._filled + len(latest))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"rows": self._rows.clone(), "place": torch.tensor([self._next, self._filled])}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._rows.copy_(state["rows"])
        self._next, self._filled = (int(one) for one in state["place"])


class Queues:
    """One queue for landslide, one for background at boundaries, one for background elsewhere."""

    def __init__(
        self,
        dimensions: int,
        sizes: Mapping[str, int] = SIZES,
        device: torch.device | str = "cpu",
    ) -> None:
        """All empty."""
        self._queues = {name: Queue(size, dimensions, device) for name, size in sizes.items()}

    def __getitem__(self, name: str) -> Queue:
        """The queue of one kind."""
        return self._queues[name]

    def push(self, keys: Mapping[str, Tensor]) -> None:
        """Take in the keys of each kind."""
        for name, rows in keys.items():
            self._queues[name].push(rows)

    @property
    def positives(self) -> Tensor:
        """The landslide keys (n, d)."""
        return self[SLIDE].keys

    @property
    def negatives(self) -> Tensor:
        """The background keys of both queues (n, d)."""
        return torch.cat([self[BACK_EDGE].keys, self[BACK_FAR].keys])

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {
            f"{name}.{key}": value
            for name, queue in self._queues.items()
            for key, value in queue.state().items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        for name, queue in self._queues.items():
            queue.restore({key: state[f"{name}.{key}"] for key in ("rows", "place")})
