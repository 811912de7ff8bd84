"""What happens between the matrix products of folded inference, in plain torch.

Works on any device and in any precision, and is what the compiled form (`token_loops.py`) is
checked against.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .fusion import PART, quartered
from .lift import WIDTH

_SHUFFLE = 4


class LocalWeights(NamedTuple):
    """Of `local`: of the norm before it (64), and of the convolution, taps (4, 9) and bias (4)."""

    gain: Tensor
    offset: Tensor
    taps: Tensor
    bias: Tensor


class FusionWeights(NamedTuple):
    """Of a fusion: of its norm (16), and of its two gates, weights (2, 32, 16), biases (2, 16)."""

    kind: str
    gain: Tensor
    offset: Tensor
    weights: Tensor
    biases: Tensor


class Tokens(Protocol):
    """The steps between matrix products; `TorchTokens` says what each gives."""

    def normalised(self, x: Tensor) -> Tensor:
        """As `TorchTokens.normalised`."""

    def gated(self, y: Tensor, gates: Tensor, first: int, gain: Tensor, offset: Tensor) -> Tensor:
        """As `TorchTokens.gated`."""

    def local(self, x: Tensor, weights: LocalWeights) -> Tensor:
        """As `TorchTokens.local`."""

    def fused(self, features: tuple[Tensor, ...], common: Tensor, weights: FusionWeights) -> Tensor:
        """As `TorchTokens.fused`."""


class TorchTokens:
    """The steps in plain torch."""

    def normalised(self, x: Tensor) -> Tensor:
        """LN without gain and offset of tokens (…, 64)."""
        return functional.layer_norm(x, (WIDTH,))

    def gated(self, y: Tensor, gates: Tensor, first: int, gain: Tensor, offset: Tensor) -> Tensor:
        """LN(y) · SiLU(gate), of y (token, 64) and 64 columns of the gates from `first` on."""
        gate = functional.silu(gates[:, first : first + WIDTH])
        return functional.layer_norm(y, (WIDTH,), gain, offset) * gate

    def local(self, x: Tensor, weights: LocalWeights) -> Tensor:
        """SiLU of the depthwise 3×3 convolution on the finer grid.

        x (window, row, column, 64) is normalised without gain and offset; so is not the answer,
        of the same shape.
        """
        affine = (x * weights.gain + weights.offset).permute(0, 3, 1, 2)
        fine = functional.pixel_shuffle(affine, _SHUFFLE)
        kernel = weights.taps.view(-1, 1, 3, 3)
        fine = functional.conv2d(fine, kernel, weights.bias, padding=1, groups=len(kernel))
        coarse = functional.pixel_unshuffle(functional.silu(fine), _SHUFFLE)
        return coarse.permute(0, 2, 3, 1).contiguous()

    def fused(self, features: tuple[Tensor, ...], common: Tensor, weights: FusionWeights) -> Tensor:
        """Fused features of a level, all (token, 64).

        `features` are f, g, c, d: what the mixers of MS, PAN and of both across gave.
        """
        f, g, c, d = features
        pair = _convex if weights.kind == "convex" else _product
        x = pair(quartered(f - c), quartered(g - d), weights, 0)
        fused = pair(x, quartered(common), weights, 1)
        return fused.transpose(-1, -2).reshape(-1, WIDTH)


def _gate(a: Tensor, b: Tensor, weights: FusionWeights, which: int) -> tuple[Tensor, ...]:
    a, b = (functional.layer_norm(x, (PART,), weights.gain, weights.offset) for x in (a, b))
    of_a, of_b = torch.split(weights.weights[which], PART)
    return torch.sigmoid(a @ of_a + b @ of_b + weights.biases[which]), a, b


def _convex(a: Tensor, b: Tensor, weights: FusionWeights, which: int) -> Tensor:
    gate, _, _ = _gate(a, b, weights, which)
    return torch.lerp(b, a, gate)


def _product(a: Tensor, b: Tensor, weights: FusionWeights, which: int) -> Tensor:
    gate, a, b = _gate(a, b, weights, which)
    return (a * gate).mean(-1, keepdim=True) * b
