"""Convolutions as both segmenting networks are built of them; each says how it normalises."""

from collections.abc import Callable, Iterator

import torch.nn.functional as F
from torch import Tensor, nn

LEAST_BATCH = 8
"""Windows at once from which on a batch says what is usual."""

Norm = Callable[[int], nn.Module]
"""Makes the normalisation of so many channels."""
Shortcut = Callable[[int, int, int], nn.Module]
"""Makes what a residual is added to, from the channels before and after, and the stride."""


class Conv(nn.Sequential):
    """A convolution, normalised and rectified; keeps the size but for `stride`."""

    def __init__(
        self,
        channels: int,
        out: int,
        size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        *,
        norm: Norm,
    ) -> None:
        """`size` is odd."""
        padding = dilation * (size // 2)
        super().__init__(
            nn.Conv2d(channels, out, size, stride, padding, dilation, bias=False),
            norm(out),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut: the basic block of ResNets (arXiv 1512.03385)."""

    def __init__(
        self,
        channels: int,
        out: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        norm: Norm,
        shortcut: Shortcut,
    ) -> None:
        """A block that makes `out` channels at `stride`; the shortcut is asked where they change.

        What does not change goes by untouched.
        """
        super().__init__()
        self.body = nn.Sequential(
            Conv(channels, out, stride=stride, dilation=dilation, norm=norm),
            nn.Conv2d(out, out, 3, padding=dilation, dilation=dilation, bias=False),
            norm(out),
        )
        same = channels == out and stride == 1
        self.shortcut = nn.Identity() if same else shortcut(channels, out, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(b, channel, row, column), `stride` times smaller."""
        result: Tensor = F.relu(self.body(features) + self.shortcut(features))
        return result


def normalisation_for(batch: int) -> str:
    """How a network that trains with so many windows at once normalises: `batch` or `group`.

    Over a batch, a window that is steep as a whole stays so. Groups of one window's channels lose
    that, which helps where scenes differ in brightness, and need no other windows.
    """
    return "batch" if batch >= LEAST_BATCH else "group"


def normalised(network: nn.Module, normalisation: str) -> None:
    """Let a network that was built with groups normalise as asked, in place."""
    if normalisation == "batch":
        for name, child in network.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(network, name, nn.BatchNorm2d(child.num_channels))
            else:
                normalised(child, normalisation)


def batch_norms(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Everything in a network that counts what is usual."""
    return (one for one in network.modules() if isinstance(one, nn.BatchNorm2d))
