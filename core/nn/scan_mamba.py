"""The selective scan by the CUDA kernels of mamba-ssm, where that package is installed.

Its scan has one B and C for each *group* of channels: here a mixer and direction is a group, so
that one call does all of them. Sequences are laid out in walking order for it and summed
afterwards. Not yet run on a card: the layout is tested with the package's formula on the
processor, and `backends.py` checks the numbers on every card before use.
"""

from typing import Any

import torch
from mamba_ssm.ops.selective_scan_interface import (  # type: ignore[import-not-found, unused-ignore]
    selective_scan_fn,
)
from torch import Tensor

from .scan_torch import Gradients

_scan: Any = selective_scan_fn


class MambaKernel:
    """mamba-ssm's `selective_scan_fn`; float32 only."""

    def forward(
        self, u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """y, and with `keep` an empty tensor: `backward` computes what it needs once more."""
        with torch.no_grad():
            return scanned(u, p, a, d, bias, orders), u.new_empty(0) if keep else None

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
        given = [x.detach().requires_grad_() for x in (u, p, a, d, bias)]
        with torch.enable_grad():
            y = scanned(given[0], given[1], given[2], given[3], given[4], orders)
        one, two, three, four, five = torch.autograd.grad(y, given, grad)
        return one, two, three, four, five


def scanned(u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor) -> Tensor:
    """The scan's y from one call of `selective_scan_fn`."""
    mixers, windows, tokens, channels = u.shape
    directions, states = len(orders), a.shape[-1]
    direction = torch.arange(directions, device=u.device)
    # (mixer, window, step, direction, number), then mixers and directions side by side.
    walked = p[:, :, orders.T, direction].permute(1, 0, 3, 4, 2)
    raw, b, c = torch.split(walked, [channels, states, states], dim=3)
    x = u[:, :, orders].permute(1, 0, 2, 4, 3)
    y = _scan(
        x.reshape(windows, -1, tokens).contiguous(),
        raw.reshape(windows, -1, tokens).contiguous(),
        a.reshape(-1, states).contiguous(),
        b.reshape(windows, -1, states, tokens).contiguous(),
        c.reshape(windows, -1, states, tokens).contiguous(),
        d.reshape(-1).contiguous(),
        delta_bias=bias.reshape(-1).contiguous(),
        delta_softplus=True,
    )
    by_direction = y.view(windows, mixers, directions, channels, tokens)
    back = orders.argsort(dim=1)
    # (direction, token, window, mixer, channel): advanced indexing brings its shape to the front.
    in_token_order: Tensor = by_direction.permute(2, 4, 0, 1, 3)[direction[:, None], back]
    return in_token_order.sum(0).permute(2, 1, 0, 3).contiguous()
