"""From fused features (b, row, column, 4, 16) to logits (b, class)."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from .architecture import Architecture
from .lift import WIDTH

HIDDEN: Final = 1024


def centre_index(window: int) -> int:
    """Row, and column, of the labelled pixel in a window: 7 of 16, 3 of 8."""
    return window // 2 - 1


def flattened(x: Tensor) -> Tensor:
    """All features in the published order: finer rows, finer columns, 16 numbers each."""
    rows, columns, _, numbers = x.shape[1:]
    return x.reshape(-1, rows, columns, 2, 2, numbers).transpose(2, 3).flatten(1)


class PublishedHead(nn.Module):
    """Two linear maps with nothing in between: 64 · tokens → 1024 → classes."""

    def __init__(self, architecture: Architecture) -> None:
        """Ninety-six per cent of the published network's parameters."""
        super().__init__()
        self.dropout = nn.Dropout(architecture.dropout)
        self.first = nn.Linear(WIDTH * architecture.tokens, HIDDEN)
        self.second = nn.Linear(HIDDEN, architecture.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, class)."""
        logits: Tensor = self.second(self.first(self.dropout(flattened(x))))
        return logits


class LinearHead(nn.Module):
    """What the published head amounts to: one linear map of all features."""

    def __init__(self, architecture: Architecture) -> None:
        """64 · tokens → classes."""
        super().__init__()
        self.dropout = nn.Dropout(architecture.dropout)
        self.map = nn.Linear(WIDTH * architecture.tokens, architecture.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, class)."""
        logits: Tensor = self.map(self.dropout(flattened(x)))
        return logits


class SummaryHead(nn.Module):
    """A linear map of a few summaries of the window, normalised together."""

    def __init__(self, architecture: Architecture, summaries: int) -> None:
        """`summaries` is how many rows of 64 numbers `summary` gives."""
        super().__init__()
        self.norm = nn.LayerNorm(summaries * WIDTH)
        self.dropout = nn.Dropout(architecture.dropout)
        self.map = nn.Linear(summaries * WIDTH, architecture.classes)

    def summary(self, x: Tensor) -> Tensor:
        """Features (b, row, column, 64) as (b, summaries · 64)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, class)."""
        logits: Tensor = self.map(self.dropout(self.norm(self.summary(x.flatten(3)))))
        return logits


class PooledHead(SummaryHead):
    """Reads the class from the mean of the window."""

    def __init__(self, architecture: Architecture) -> None:
        """64 → classes."""
        super().__init__(architecture, 1)

    def summary(self, x: Tensor) -> Tensor:
        """The mean over the window (b, 64)."""
        return x.mean(dim=(1, 2))


class CentreHead(SummaryHead):
    """Reads the class from the labelled token, the 3×3 tokens around it, and the whole window.

    Our departure from the published head, which has to learn for every position that the label
    belongs to the one in the middle.
    """

    def __init__(self, architecture: Architecture) -> None:
        """192 → classes."""
        super().__init__(architecture, 3)
        self.centre = centre_index(architecture.window)

    def summary(self, x: Tensor) -> Tensor:
        """Centre, mean of 3×3 and mean of all (b, 192)."""
        around = slice(self.centre - 1, self.centre + 2)
        return torch.cat(
            [
                x[:, self.centre, self.centre],
                x[:, around, around].mean(dim=(1, 2)),
                x.mean(dim=(1, 2)),
            ],
            dim=1,
        )


HEADS: dict[str, Callable[[Architecture], nn.Module]] = {
    "published": PublishedHead,
    "linear": LinearHead,
    "pooled": PooledHead,
    "centre": CentreHead,
}
