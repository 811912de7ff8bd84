"""One level of DAS²F: two SPVM blocks and one CMDA block, as four mixers and one scan.

SPVM (space preserving visual Mamba) and CMDA (cross-modal diff-attention) send each of their
inputs through the same pipeline, here a `Mixer`. An SPVM mixer scans with its own state space;
the two mixers of CMDA each scan with *all* state space parameters of the other (Δ, B, C, A, D,
bias). The four do not depend on each other, so that a level needs one scan.
"""

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ...nn.dense import Linear, linear
from ...nn.scan import four_directions, selective_scan
from .lift import WIDTH
from .steps import gated, local

STATES = 24
RANK = 24
DIRECTIONS = 4
_SHUFFLE = 4
_FINE = WIDTH // _SHUFFLE**2


class SpaceTensors(NamedTuple):
    """What the scan needs of a state space: see `nn/scan.py` for shapes."""

    projection: Tensor
    a: Tensor
    d: Tensor
    bias: Tensor


class StateSpace(nn.Module):
    """The parameters of four scans: Δ by way of 24 numbers, B, C, and the rates A and D."""

    undecayed = ("a_log", "skip", "delta_bias")

    def __init__(self) -> None:
        """A = −(1…24), D = 1, Δ between 0.001 and 0.1 at the start."""
        super().__init__()
        bound = WIDTH**-0.5
        self.project = nn.Parameter(
            torch.empty(DIRECTIONS, RANK + 2 * STATES, WIDTH).uniform_(-bound, bound)
        )
        bound = RANK**-0.5
        self.delta_weight = nn.Parameter(
            torch.empty(DIRECTIONS, WIDTH, RANK).uniform_(-bound, bound)
        )
        first = torch.empty(DIRECTIONS, WIDTH).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        # The inverse of softplus, so that Δ starts at `first`.
        self.delta_bias = nn.Parameter(first + torch.log(-torch.expm1(-first)))
        rates = torch.arange(1, STATES + 1, dtype=torch.float32)
        self.a_log = nn.Parameter(rates.log().repeat(DIRECTIONS, WIDTH, 1))
        self.skip = nn.Parameter(torch.ones(DIRECTIONS, WIDTH))

    def tensors(self) -> SpaceTensors:
        """The projection (direction · (channel + 2 · state), 64) to raw Δ, B and C, and A, D, bias.

        The two maps behind raw Δ have nothing in between and are one map here.
        """
        low, rest = torch.split(self.project, [RANK, 2 * STATES], dim=1)
        projection = torch.cat([self.delta_weight @ low, rest], dim=1)
        return SpaceTensors(projection.flatten(0, 1), -self.a_log.exp(), self.skip, self.delta_bias)


class Local(nn.Module):
    """A small convolution on the four times finer grid that the 64 numbers of a token span."""

    def __init__(self) -> None:
        """Depthwise 3×3, then back to tokens by a strided convolution with its norm."""
        super().__init__()
        self.depthwise = nn.Conv2d(_FINE, _FINE, 3, padding=1, groups=_FINE)
        self.patch = nn.Conv2d(_FINE, WIDTH, _SHUFFLE, stride=_SHUFFLE)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (b, row, column, 64) to tokens (b, row · column, 64)."""
        cells = local(x, self.depthwise.weight, cast(Tensor, self.depthwise.bias))
        # A convolution whose stride is its size is a linear map of each cell's numbers.
        tokens = cells.reshape(-1, WIDTH)
        coarse = linear(tokens, self.patch.weight.flatten(1), self.patch.bias)
        normed: Tensor = self.norm(coarse.view(-1, WIDTH, 1, 1))
        return normed.view(len(x), -1, WIDTH)


class Mixer(nn.Module):
    """The pipeline of one input, without the scan in its middle and the norms it shares."""

    def __init__(self) -> None:
        """Widths as published: 64, and 256 inside the last two maps."""
        super().__init__()
        self.gate = Linear(WIDTH, WIDTH, bias=False)
        self.local = Local()
        self.space = StateSpace()
        self.out = Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(Linear(WIDTH, 4 * WIDTH), nn.GELU(), Linear(4 * WIDTH, WIDTH))


class Norms(nn.Module):
    """The pair of norms of a block: of its tokens (used twice), and of what was scanned."""

    def __init__(self) -> None:
        """Both over the 64 numbers of a token."""
        super().__init__()
        self.tokens = nn.LayerNorm(WIDTH)
        self.scanned = nn.LayerNorm(WIDTH)


class Features(NamedTuple):
    """What a level gives, each (b, row, column, 64).

    Dominant features belong to one image alone; common ones are shared, and the next level's
    inputs.
    """

    dominant_ms: Tensor
    dominant_pan: Tensor
    common_ms: Tensor
    common_pan: Tensor


class Level(nn.Module):
    """SPVM of both images and CMDA between them."""

    # Inputs, norms and state spaces of the four mixers: SPVM twice, CMDA's two halves.
    names = ("ms", "pan", "cross_ms", "cross_pan")
    inputs = (0, 1, 0, 1)
    norms_used = (0, 1, 2, 2)
    spaces_used = (0, 1, 3, 2)

    def __init__(self) -> None:
        """Four mixers in the order of `names`; CMDA's two share one pair of norms."""
        super().__init__()
        self.mixers = nn.ModuleDict({name: Mixer() for name in self.names})
        self.norms = nn.ModuleList(Norms() for _ in range(3))

    def forward(self, ms: Tensor, pan: Tensor, backend: str = "auto") -> Features:
        """Features of MS and PAN tokens (b, row, column, 64); `backend` as in `nn/scan.py`."""
        tokens = [(ms, pan)[i] for i in self.inputs]
        norms = [cast(Norms, self.norms[i]) for i in self.norms_used]
        mixers = [cast(Mixer, self.mixers[name]) for name in self.names]
        normed = [norm.tokens(x) for norm, x in zip(norms, tokens, strict=True)]
        u = [mixer.local(n) for mixer, n in zip(mixers, normed, strict=True)]
        y = self._scanned(mixers, u, four_directions(*ms.shape[1:3]).to(ms.device), backend)
        f, g, c, d = (
            _mixed(mixer, norm, x, n, scanned.view(x.shape))
            for mixer, norm, x, n, scanned in zip(mixers, norms, tokens, normed, y, strict=True)
        )
        return Features(f - c, g - d, c, d)

    def _scanned(
        self, mixers: list[Mixer], u: list[Tensor], orders: Tensor, backend: str
    ) -> list[Tensor]:
        """The scan's y of each mixer's u, all (b, token, 64)."""
        spaces = [mixers[i].space.tensors() for i in self.spaces_used]
        # Δ, B and C are made of the tokens of the mixer that the state space belongs to.
        p = [
            linear(u[i], space.projection).view(*u[i].shape[:2], DIRECTIONS, -1)
            for i, space in zip(self.spaces_used, spaces, strict=True)
        ]
        given = [(u[n], p[n], *spaces[n][1:]) for n in range(len(mixers))]
        if u[0].device.type == "cpu":
            # A call costs nothing here; putting all mixers into one tensor would.
            alone = ([x.unsqueeze(0) for x in one] for one in given)
            return [
                selective_scan(x, of_x, a, d, bias, orders, backend).squeeze(0)
                for x, of_x, a, d, bias in alone
            ]
        x, of_x, a, d, bias = (torch.stack(parts) for parts in zip(*given, strict=True))
        return list(selective_scan(x, of_x, a, d, bias, orders, backend))


def _mixed(mixer: Mixer, norms: Norms, x: Tensor, normed: Tensor, y: Tensor) -> Tensor:
    """The second half of a mixer: the gated answer of the scan, then two maps per token."""
    norm = norms.scanned
    x = x + mixer.out(gated(y, mixer.gate(normed), norm.weight, norm.bias))
    mixed: Tensor = x + mixer.mlp(norms.tokens(x))
    return mixed
