"""One level of folded DAS²F: four mixers between two rows of matrix products."""

from typing import cast

import torch
from torch import Tensor, nn

from ...nn.backends import Kernel
from ...nn.dense import Dense
from ...nn.scan import four_directions
from .lift import WIDTH
from .mixers import DIRECTIONS, STATES, Level, Mixer, Norms, SpaceTensors
from .tokens import LocalWeights, Tokens

_IMAGES = 2


class FoldedLevel:
    """f, g, c, d of `Level`, each (token, 64), from the tokens of MS and PAN."""

    def __init__(self, level: Level, window: int, kernel: Kernel, tokens: Tokens) -> None:
        """`window` is the edge of the square of tokens."""
        mixers = [cast(Mixer, level.mixers[name]) for name in level.names]
        norms = [cast(Norms, level.norms[i]) for i in level.norms_used]
        spaces = [mixers[i].space.tensors() for i in level.spaces_used]
        self._inputs, self._sources = level.inputs, level.spaces_used
        self._window, self._kernel, self._tokens = window, kernel, tokens
        self._gates = [_fold_gates(mixers, norms, level.inputs, image) for image in range(_IMAGES)]
        self._mixers = [
            FoldedMixer(mixer, norm, mixer.space.tensors().projection, tokens)
            for mixer, norm in zip(mixers, norms, strict=True)
        ]
        self._scans = [_parameters([space]) for space in spaces]
        self._all_scans = _parameters(spaces)
        # Mixers that scan with each other's state space belong together.
        self._groups = sorted({tuple(sorted({n, m})) for n, m in enumerate(level.spaces_used)})
        self._orders = four_directions(window, window).to(self._all_scans[0].device)

    def __call__(self, ms: Tensor, pan: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """f, g, c, d of tokens (window · token, 64)."""
        tokens = (ms, pan)
        normed = [self._tokens.normalised(x) for x in tokens]
        gates = [gate(x) for gate, x in zip(self._gates, normed, strict=True)]
        y = self._scanned([normed[image] for image in self._inputs])
        f, g, c, d = (
            # The gates of an image's own mixer come first, those of its part in CMDA second.
            mixer.mixed(tokens[image], y[n], gates[image], (n // _IMAGES) * WIDTH)
            for n, (mixer, image) in enumerate(zip(self._mixers, self._inputs, strict=True))
        )
        return f, g, c, d

    def _scanned(self, normed: list[Tensor]) -> list[Tensor]:
        """The scan's y (token, 64) of all mixers from their normalised tokens."""
        if normed[0].device.type != "cpu":
            every = [self._made(n, x) for n, x in enumerate(normed)]
            of_sources = torch.cat([every[source][1] for source in self._sources])
            return list(self._scan(torch.cat([u for u, _ in every]), of_sources, self._all_scans))
        # A call costs nothing here, gathering would: scan what is there while it is in the cache.
        y: list[Tensor] = []
        for group in self._groups:
            made = {n: self._made(n, normed[n]) for n in group}
            for n in group:
                p = made[self._sources[n]][1]
                y.extend(self._scan(made[n][0], p, self._scans[n]))
        return y

    def _made(self, mixer: int, normed: Tensor) -> tuple[Tensor, Tensor]:
        """What is scanned, u (1, window, token, 64), and p (…, 4, 112) of a mixer."""
        u, p = self._mixers[mixer].scanned(normed.view(-1, self._window, self._window, WIDTH))
        count = self._window**2
        return (
            u.view(1, -1, count, WIDTH),
            p.view(1, -1, count, DIRECTIONS, WIDTH + 2 * STATES),
        )

    def _scan(self, u: Tensor, p: Tensor, parameters: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The scan's y (mixer, token, 64)."""
        # Autocast may have halved the precision of what comes in; the scan never works in it.
        dtype = parameters[0].dtype
        y, _ = self._kernel.forward(u.to(dtype), p.to(dtype), *parameters, self._orders, False)
        return y.flatten(1, 2)


class FoldedMixer:
    """The two halves of a mixer, before and after the scan."""

    def __init__(self, mixer: Mixer, norms: Norms, projection: Tensor, tokens: Tokens) -> None:
        """`projection` is of the mixer's own state space."""
        self._tokens = tokens
        local = mixer.local
        self._local = LocalWeights(
            norms.tokens.weight.detach(),
            norms.tokens.bias.detach(),
            local.depthwise.weight.detach().reshape(-1, 9),
            _bias(local.depthwise),
        )
        self._patch = _fold_patch(local.patch, local.norm)
        self._project = Dense(projection)
        self._scanned = (norms.scanned.weight.detach(), norms.scanned.bias.detach())
        first, second = cast(nn.Linear, mixer.mlp[0]), cast(nn.Linear, mixer.mlp[2])
        self._out = Dense(mixer.out.weight)
        self._first = Dense(*_after_norm(first.weight, first.bias, norms.tokens))
        self._second = Dense(second.weight, second.bias)

    def scanned(self, normed: Tensor) -> tuple[Tensor, Tensor]:
        """What is scanned (token, 64), and raw Δ, B, C (token, 448), of normalised tokens."""
        u = self._patch(self._tokens.local(normed, self._local).view(-1, WIDTH))
        return u, self._project(u)

    def mixed(self, x: Tensor, y: Tensor, gates: Tensor, first: int) -> Tensor:
        """The mixer's answer from tokens x, the scan's y and the gates' columns from `first`."""
        x = self._out.added(self._tokens.gated(y, gates, first, *self._scanned), x)
        return self._second.added(self._first.gelu(self._tokens.normalised(x)), x)


def _parameters(spaces: list[SpaceTensors]) -> tuple[Tensor, Tensor, Tensor]:
    """A, D and bias of several mixers, as the scan takes them."""
    a, d, bias = (torch.stack([space[i] for space in spaces]).detach() for i in (1, 2, 3))
    return a, d, bias


def _fold_gates(
    mixers: list[Mixer], norms: list[Norms], inputs: tuple[int, ...], image: int
) -> Dense:
    """The gates of both mixers that look at an image, as one map of its normalised tokens."""
    folded = [
        _after_norm(mixers[n].gate.weight, None, norms[n].tokens)
        for n in range(len(mixers))
        if inputs[n] == image
    ]
    return Dense(torch.cat([weight for weight, _ in folded]), torch.cat([b for _, b in folded]))


def _after_norm(weight: Tensor, bias: Tensor | None, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """The map W (γ x + β) + b as one map of x."""
    wide = weight.double()
    offset = wide @ norm.bias.double()
    if bias is not None:
        offset = offset + bias.double()
    return (wide * norm.weight.double()).to(weight.dtype), offset.to(weight.dtype)


def _fold_patch(patch: nn.Conv2d, norm: nn.BatchNorm2d) -> Dense:
    """The strided convolution and its batch norm as a map of tokens.

    A token's 64 numbers are the 4 channels of its 4×4 pixels in the order that the convolution's
    weights have anyway.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("this batch norm keeps no statistics")
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = patch.weight.double().flatten(1) * scale[:, None]
    bias = (_bias(patch).double() - norm.running_mean.double()) * scale + norm.bias.double()
    return Dense(weight.to(patch.weight.dtype), bias.to(patch.weight.dtype))


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        raise ValueError("this convolution has no bias")
    return layer.bias.detach()
