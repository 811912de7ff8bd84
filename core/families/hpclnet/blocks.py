"""The pieces that HPCL-Net's encoders and decoder are made of."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn import blocks


def norm(channels: int) -> nn.GroupNorm:
    """A normalisation that does not depend on the size of the batch; 8 channels or more a group."""
    return nn.GroupNorm(max(1, min(8, channels // 8)), channels)


class Conv(blocks.Conv):
    """A convolution, normalised and rectified; keeps the size but for `stride`."""

    def __init__(
        self, channels: int, out: int, size: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        """`size` is odd."""
        super().__init__(channels, out, size, stride, dilation, norm=norm)


class Residual(blocks.Residual):
    """Two 3×3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, channels: int, out: int, stride: int = 1, dilation: int = 1) -> None:
        """The shortcut is a 1×1 convolution where the shape changes."""
        super().__init__(channels, out, stride, dilation, norm=norm, shortcut=projected)


class Bottleneck(nn.Module):
    """The residual block of the deeper ResNets (arXiv 1512.03385): 1×1, 3×3, 1×1."""

    expansion = 4

    def __init__(self, channels: int, out: int, stride: int = 1, dilation: int = 1) -> None:
        """`out` is what comes out, four times the width inside."""
        super().__init__()
        inner = out // self.expansion
        self.body = nn.Sequential(
            Conv(channels, inner, 1),
            Conv(inner, inner, stride=stride, dilation=dilation),
            nn.Conv2d(inner, out, 1, bias=False),
            norm(out),
        )
        same = channels == out and stride == 1
        self.shortcut = nn.Identity() if same else projected(channels, out, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(b, channel, row, column), `stride` times smaller."""
        result: Tensor = F.relu(self.body(features) + self.shortcut(features))
        return result


def projected(channels: int, out: int, stride: int) -> nn.Module:
    """What a residual is added to where the shape changes: a 1×1 convolution."""
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), norm(out))


class Context(nn.Module):
    """Dilated convolutions side by side, and the mean of the whole (ASPP, arXiv 1706.05587)."""

    def __init__(self, channels: int, out: int, dilations: tuple[int, ...], inner: int) -> None:
        """One branch for each of `dilations` (1 is a 1×1 convolution) with `inner` channels."""
        super().__init__()
        self.branches = nn.ModuleList(
            Conv(channels, inner, 1 if one == 1 else 3, dilation=one) for one in dilations
        )
        # The mean is a single pixel, which a normalisation would make nothing of.
        self.whole = nn.Conv2d(channels, inner, 1)
        self.join = Conv(inner * (len(dilations) + 1), out, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(b, out, row, column) of the same size."""
        whole = F.relu(self.whole(features.mean((2, 3), keepdim=True))).expand(
            -1, -1, *features.shape[2:]
        )
        parts = [branch(features) for branch in self.branches]
        result: Tensor = self.join(torch.cat([*parts, whole], 1))
        return result
