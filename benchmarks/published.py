"""DAS²F computed the way the published code does, as the yardstick of the benchmarks.

The same weights and the same answer as our network; nothing folded or fused: two maps to raw Δ,
flipped and stacked copies of the sequence for four directions, every state of the scan in memory
and a plain loop over tokens, convolutions on the shuffled grid, an outer product in the fusion,
two maps in the head.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.families.das2f.fusion import quartered
from core.families.das2f.mixers import RANK, STATES
from core.families.das2f.network import Das2f


def published_logits(model: Das2f, ms: Tensor, pan: Tensor) -> Tensor:
    """The logits of `model`, which has the published fusion and head."""
    t, q = model.lift(ms, pan)
    dominant = []
    for level in model.levels:
        f, g = (
            _mixed(level.mixers[name], level.norms[i], x, _scanned(level, name, name, i, x, x))
            for i, (name, x) in enumerate((("ms", t), ("pan", q)))
        )
        c, d = (
            _mixed(level.mixers[name], level.norms[2], x, _scanned(level, name, other, 2, x, y))
            for name, other, x, y in (
                ("cross_ms", "cross_pan", t, q),
                ("cross_pan", "cross_ms", q, t),
            )
        )
        dominant.append((quartered(f - c), quartered(g - d)))
        t, q = c, d
    fused = quartered((t + q) / 2)
    for fusion, (of_ms, of_pan) in reversed(list(zip(model.fusions, dominant, strict=True))):
        x = _outer(fusion.modalities, fusion.norm(of_ms), fusion.norm(of_pan))
        fused = _outer(fusion.common, fusion.norm(x), fusion.norm(fused))
    return model.head(fused)


def _local(local: Any, normed: Tensor) -> Tensor:  # noqa: ANN401
    fine = functional.pixel_shuffle(normed.permute(0, 3, 1, 2), 4)
    return local.norm(local.patch(functional.silu(local.depthwise(fine))))


def _scanned(level: Any, own: str, other: str, norm: int, x: Tensor, y: Tensor) -> Tensor:  # noqa: ANN401
    """The scan of mixer `own` over tokens x with the state space of mixer `other` over y."""
    norms, mixers = level.norms[norm].tokens, level.mixers
    u = _directions(_local(mixers[own].local, norms(x)))
    v = u if own == other else _directions(_local(mixers[other].local, norms(y)))
    space = mixers[other].space
    low = torch.einsum("bkdl,kcd->bkcl", v, space.project)
    low, b, c = torch.split(low, [RANK, STATES, STATES], dim=2)
    raw = torch.einsum("bkrl,kdr->bkdl", low, space.delta_weight)
    delta = functional.softplus(raw + space.delta_bias[..., None])
    decay = torch.exp(torch.einsum("bkdl,kdn->bkdln", delta, -space.a_log.exp()))
    gained = torch.einsum("bkdl,bknl,bkdl->bkdln", delta, b, u)
    h = torch.zeros_like(decay[..., 0, :])
    steps = []
    for t in range(u.shape[-1]):
        h = decay[..., t, :] * h + gained[..., t, :]
        steps.append(torch.einsum("bkdn,bkn->bkd", h, c[..., t]))
    return _undirected(torch.stack(steps, dim=-1) + u * space.skip[..., None], x)


def _directions(image: Tensor) -> Tensor:
    """Four sequences (b, 4, 64, token): rows, columns, both reversed."""
    pair = torch.stack([image.flatten(2), image.transpose(2, 3).flatten(2)], dim=1)
    return torch.cat([pair, pair.flip(-1)], dim=1)


def _undirected(y: Tensor, x: Tensor) -> Tensor:
    """The sum of four sequences as tokens (b, row, column, 64)."""
    rows, columns = x.shape[1:3]
    by_row, by_column = (y[:, :2] + y[:, 2:].flip(-1)).unbind(1)
    turned = by_column.unflatten(-1, (columns, rows)).transpose(2, 3).flatten(2)
    return (by_row + turned).unflatten(-1, (rows, columns)).permute(0, 2, 3, 1)


def _mixed(mixer: Any, norms: Any, x: Tensor, y: Tensor) -> Tensor:  # noqa: ANN401
    gate = functional.silu(functional.linear(norms.tokens(x), mixer.gate.weight))
    x = x + functional.linear(norms.scanned(y) * gate, mixer.out.weight)
    first, second = mixer.mlp[0], mixer.mlp[2]
    hidden = functional.gelu(functional.linear(norms.tokens(x), first.weight, first.bias))
    return x + functional.linear(hidden, second.weight, second.bias)


def _outer(gate: Any, a: Tensor, b: Tensor) -> Tensor:  # noqa: ANN401
    weight = torch.sigmoid(functional.linear(torch.cat([a, b], -1), gate.map.weight, gate.map.bias))
    return ((a * weight).unsqueeze(-1) * b.unsqueeze(-2)).mean(-2)
