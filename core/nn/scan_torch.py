"""The selective scan in plain torch: any device, any float type, no compiler.

Sixteen steps at a time: exp and products of sixteen tokens in a few large operations, the
recurrence itself step by step and in place. Neither the product form nor prefix scans pay here:
the first overflows at ordinary Δ, the others move more memory than they save steps.
"""

import torch
from torch import Tensor
from torch.nn import functional

CHUNK = 16
"""Tokens between two kept states, and tokens handled at once."""

SCANS_AT_ONCE = {"cpu": 8, "cuda": 512}
"""Mixers × windows that are walked together: few enough for the cache of a CPU core."""

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class TorchKernel:
    """The chunked scan; see `scan.py` for shapes."""

    def forward(
        self, u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """y, and with `keep` the states (chunk, mixer, window, direction, state, channel)."""
        parts = [_forward(u[:, s], p[:, s], a, d, bias, orders, keep) for s in _slices(u)]
        y = torch.cat([part[0] for part in parts], dim=1)
        return y, torch.cat([part[1] for part in parts], dim=2) if keep else None

    def backward(
        self,
        grad: Tensor,
        states: Tensor,
        u: Tensor,
        p: Tensor,
        a: Tensor,
        d: Tensor,
        bias: Tensor,
        orders: Tensor,
    ) -> Gradients:
        """The gradients of u, p, a, d and bias."""
        parts = [
            _backward(grad[:, s], states[:, :, s], u[:, s], p[:, s], a, d, bias, orders)
            for s in _slices(u)
        ]
        by_window = [torch.cat([part[i] for part in parts], dim=1) for i in (0, 1)]
        summed = [torch.stack([part[i] for part in parts]).sum(0) for i in (2, 3, 4)]
        return by_window[0], by_window[1], summed[0], summed[1], summed[2]


def _slices(u: Tensor) -> list[slice]:
    step = max(1, SCANS_AT_ONCE.get(u.device.type, 512) // u.shape[0])
    return [slice(start, start + step) for start in range(0, u.shape[1], step)] or [slice(0)]


def _walked(x: Tensor, orders: Tensor) -> Tensor:
    """Values x (mixer, window, token, direction, …) as (step, mixer, window, direction, …)."""
    direction = torch.arange(orders.shape[0], device=x.device)
    return x[:, :, orders.T, direction].permute(2, 0, 1, 3, 4).contiguous()


def _unwalked(x: Tensor, orders: Tensor) -> Tensor:
    """The inverse of `_walked`."""
    direction = torch.arange(orders.shape[0], device=x.device)
    return x.permute(1, 2, 0, 3, 4)[:, :, orders.argsort(dim=1).T, direction]


def _steps(
    u: Tensor, p: Tensor, bias: Tensor, states: int, orders: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """u, raw Δ with its bias, Δ, B and C, all (step, mixer, window, direction, …)."""
    channels = u.shape[-1]
    x = _walked(u.unsqueeze(3).expand(-1, -1, -1, orders.shape[0], -1), orders)
    raw, b, c = torch.split(_walked(p, orders), [channels, states, states], dim=-1)
    raw = raw + bias[:, None]
    return x, raw, functional.softplus(raw), b, c


def _chunk(h: Tensor, delta: Tensor, x: Tensor, b: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """The decays and the states of some steps that follow the state h."""
    decay = torch.exp(delta.unsqueeze(-2) * rates)
    states = (delta * x).unsqueeze(-2) * b.unsqueeze(-1)
    for t in range(len(states)):
        h = states[t].addcmul_(decay[t], h)
    return decay, states


def _forward(
    u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
) -> tuple[Tensor, Tensor]:
    x, _, delta, b, c = _steps(u, p, bias, a.shape[-1], orders)
    rates = a.transpose(-1, -2)[:, None]
    h = x.new_zeros(*x.shape[1:-1], a.shape[-1], x.shape[-1])
    y = d[:, None] * x
    kept = []
    for start in range(0, len(x), CHUNK):
        s = slice(start, start + CHUNK)
        if keep:
            kept.append(h)
        _, states = _chunk(h, delta[s], x[s], b[s], rates)
        y[s] += (c[s].unsqueeze(-2) @ states).squeeze(-2)
        h = states[-1].clone()
    return _unwalked(y, orders).sum(3), torch.stack(kept) if keep else h


def _backward(
    grad: Tensor,
    kept: Tensor,
    u: Tensor,
    p: Tensor,
    a: Tensor,
    d: Tensor,
    bias: Tensor,
    orders: Tensor,
) -> Gradients:
    x, raw, delta, b, c = _steps(u, p, bias, a.shape[-1], orders)
    dy = _walked(grad.unsqueeze(3).expand(-1, -1, -1, orders.shape[0], -1), orders)
    rates = a.transpose(-1, -2)[:, None]
    d_x, d_delta, d_b, d_c = (torch.empty_like(value) for value in (x, delta, b, c))
    d_rates = torch.zeros_like(a.transpose(-1, -2))
    carried = torch.zeros_like(kept[0])
    for i in reversed(range(len(kept))):
        s = slice(i * CHUNK, (i + 1) * CHUNK)
        decay, states = _chunk(kept[i], delta[s], x[s], b[s], rates)
        d_c[s] = (states @ dy[s].unsqueeze(-1)).squeeze(-1)
        d_states = c[s].unsqueeze(-1) * dy[s].unsqueeze(-2)
        for t in reversed(range(len(states))):
            d_states[t] += carried
            carried = d_states[t] * decay[t]
        d_b[s] = (d_states @ (delta[s] * x[s]).unsqueeze(-1)).squeeze(-1)
        d_input = (b[s].unsqueeze(-2) @ d_states).squeeze(-2)
        d_exponent = d_states.mul_(decay)
        d_exponent[0] *= kept[i]
        d_exponent[1:] *= states[:-1]
        d_delta[s] = (d_exponent * rates).sum(-2) + d_input * x[s]
        d_rates += (d_exponent * delta[s].unsqueeze(-2)).sum(dim=(0, 2))
        d_x[s] = d_input * delta[s] + d[:, None] * dy[s]
    # The derivative of softplus is the logistic function; its sum over windows is the bias's.
    d_raw = d_delta * torch.sigmoid(raw)
    d_p = _unwalked(torch.cat([d_raw, d_b, d_c], dim=-1), orders)
    return (
        _unwalked(d_x, orders).sum(3),
        d_p,
        d_rates.transpose(-1, -2),
        (dy * x).sum(dim=(0, 2)),
        d_raw.sum(dim=(0, 2)),
    )
