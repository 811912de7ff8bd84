"""The network of teacher and student: a U-Net over residual blocks, with its features on request.

Source: U-Net (Ronneberger et al. 2015) over ResNet's basic blocks (He et al. 2016), our choice,
since the paper's code is not public. Departures from ResNet: GroupNorm, because batches are small;
a stem at full resolution instead of 7 × 7 at stride 2, because outlines matter to the pixel; pooled
shortcuts.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn.blocks import Conv, Residual
from .architecture import PROFILES, Architecture

STRIDE = 32
_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a network says, and what it thinks on the way.

    `logits` (b, row, column). `features` are the encoder's maps at strides 4, 8, 16 and 32 and the
    decoder's last map at stride 1, each (b, channel, rows, columns) of the window, filled up at
    the right and below to a multiple of 32 pixels.
    """

    logits: Tensor
    features: tuple[Tensor, ...]


class FootprintNet(nn.Module):
    """Standardised bands (b, band, row, column) → one logit a pixel (b, row, column)."""

    def __init__(self, architecture: Architecture) -> None:
        """A network with random weights."""
        super().__init__()
        profile = PROFILES[architecture.profile]
        self.stem = _conv(architecture.bands, profile.full)
        self.halved = _residual(profile.full, profile.half, 2)
        widths = (profile.half, *profile.widths)
        self.stages = nn.ModuleList(
            _stage(before, width, blocks)
            for (before, width), blocks in zip(pairwise(widths), profile.blocks, strict=True)
        )
        up = (*reversed(widths), profile.full)
        self.decoder = nn.ModuleList(Joined(deep, skip) for deep, skip in pairwise(up))
        self.head = nn.Conv2d(profile.full, 1, 1)

    def forward(self, bands: Tensor) -> Tensor:
        """The logits; rows and columns may be any number."""
        return self.tapped(bands).logits

    def tapped(self, bands: Tensor) -> Tapped:
        """The logits with the features behind them."""
        rows, columns = bands.shape[-2:]
        filled = functional.pad(bands, (0, -columns % STRIDE, 0, -rows % STRIDE))
        # With channels last, the processor's convolutions take a third less time.
        x = self.stem(filled.contiguous(memory_format=torch.channels_last))
        skips = [x, self.halved(x)]
        for stage in self.stages:
            skips.append(stage(skips[-1]))
        x = skips[-1]
        for joined, skip in zip(self.decoder, reversed(skips[:-1]), strict=True):
            x = joined(x, skip)
        logits = self.head(x)[:, 0, :rows, :columns]
        return Tapped(logits, (*skips[2:], x))


class Joined(nn.Module):
    """A deep map, drawn to twice its size, together with the encoder's map of that size."""

    def __init__(self, deep: int, skip: int) -> None:
        """The answer has `skip` channels."""
        super().__init__()
        self.body = nn.Sequential(_conv(deep + skip, skip), _conv(skip, skip))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """`deep` (b, deep, r, k), `skip` (b, skip, 2r, 2k) → (b, skip, 2r, 2k)."""
        size = (skip.shape[-2], skip.shape[-1])
        risen = functional.interpolate(deep, size=size, mode="bilinear", align_corners=False)
        result: Tensor = self.body(torch.cat((risen, skip), dim=1))
        return result


def _stage(channels: int, width: int, blocks: int) -> nn.Sequential:
    rest = (_residual(width, width) for _ in range(blocks - 1))
    return nn.Sequential(_residual(channels, width, 2), *rest)


def _pooled(channels: int, width: int, stride: int) -> nn.Module:
    # Pooled rather than strided: no pixel is skipped, and torch 2.13 corrupts memory in strided
    # 1 × 1 convolutions of few channels when channels are last.
    halved = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
    return nn.Sequential(halved, nn.Conv2d(channels, width, 1, bias=False), _norm(width))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(_GROUPS, width), width)


_conv = partial(Conv, norm=_norm)
_residual = partial(Residual, norm=_norm, shortcut=_pooled)
