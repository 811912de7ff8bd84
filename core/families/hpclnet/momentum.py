"""The momentum encoder: a slow copy of the network that makes the keys (arXiv 1911.05722)."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .network import HpclNet, Projector

_WARM = 100
_SHORT_RUN = 5000


class Embedder(nn.Module):
    """Channels to unit vectors: the network up to its fused features, then the projector."""

    def __init__(self, network: HpclNet, projector: Projector) -> None:
        """Shares the weights of both."""
        super().__init__()
        self.network = network
        self.projector = projector

    def forward(self, values: Tensor) -> Tensor:
        """Unit vectors (b, d, row/s, column/s) of standardised channels."""
        vectors: Tensor = self.projector(self.network.fused(values))
        return vectors


def momentum_for(steps: int) -> float:
    """How much of the slow copy stays at each of `steps` steps."""
    return 0.99 if steps < _SHORT_RUN else 0.999


class MomentumEncoder:
    """Follows an embedder: k ← m·k + (1-m)·q after each step of the optimiser."""

    def __init__(self, followed: Embedder, momentum: float) -> None:
        """Starts as a copy; `momentum` is m, from 0 at the start to its value after 100 steps."""
        self._followed = followed
        self._momentum = momentum
        self.steps = 0
        slow = Embedder(copy.deepcopy(followed.network), copy.deepcopy(followed.projector))
        slow.network.decoder = nn.Identity()  # type: ignore[assignment]  # keys need no decoder
        self._slow = slow.requires_grad_(False).eval()

    @property
    def momentum(self) -> float:
        """The share m at the present step."""
        return self._momentum * min(1.0, self.steps / _WARM)

    @torch.no_grad()
    def keys(self, values: Tensor) -> Tensor:
        """Unit vectors (b, d, row/s, column/s), without gradient."""
        vectors: Tensor = self._slow(values)
        return vectors

    @torch.no_grad()
    def follow(self) -> None:
        """Move towards the embedder; what normalisations have counted is copied."""
        weights = dict(self._followed.named_parameters())
        for name, slow in self._slow.named_parameters():
            slow.lerp_(weights[name], 1.0 - self.momentum)
        counted = dict(self._followed.named_buffers())
        for name, buffer in self._slow.named_buffers():
            buffer.copy_(counted[name])
        self.steps += 1

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {**self._slow.state_dict(), "steps": torch.tensor(self.steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        weights = dict(state)
        self.steps = int(weights.pop("steps"))
        self._slow.load_state_dict(weights)
