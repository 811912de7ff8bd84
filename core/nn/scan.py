"""The selective scan of state space models, behind one function with several backends.

For every mixer, window, direction and channel, walking the tokens in the direction's order:

    Δ_t = softplus(raw_t + bias)
    h_t = exp(Δ_t A) h_{t-1} + Δ_t u_t B_t        (one value for each state)
    y_t = C_t · h_t + D u_t

and the answers of all directions are added up, token by token. Shapes, with their names:

    u       (mixer, window, token, channel)
    p       (mixer, window, token, direction, channel + 2 · state)    raw Δ, then B, then C
    a       (mixer, direction, channel, state)                        negative
    d, bias (mixer, direction, channel)
    orders  (direction, token)                                        int64, permutations
    y       (mixer, window, token, channel)

Everything is in token order, so that no direction is ever flipped, transposed or stacked by the
caller. Source: Gu and Dao, "Mamba", arXiv 2312.00752; four directions as in DAS²F (2504.16665).
"""

from functools import cache

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .backends import Kernel, choose


@cache
def four_directions(rows: int, columns: int) -> Tensor:
    """Orders (4, token): row by row, column by column, and both reversed."""
    # Remembered for later calls: what is made in inference mode could not serve a training.
    with torch.inference_mode(False):
        token = torch.arange(rows * columns).view(rows, columns)
        by_row, by_column = token.flatten(), token.T.flatten()
        return torch.stack([by_row, by_column, by_row.flip(0), by_column.flip(0)])


def selective_scan(
    u: Tensor,
    p: Tensor,
    a: Tensor,
    d: Tensor,
    bias: Tensor,
    orders: Tensor,
    backend: str = "auto",
) -> Tensor:
    """The scan's y (mixer, window, token, channel) by the fastest backend that works here.

    Args:
        u: what is scanned; float32, or float64 for checks.
        p: raw Δ, B and C of each token and direction.
        a: the negative decay rates.
        d: how much of u goes straight into y.
        bias: added to raw Δ before the softplus.
        orders: the order in which each direction walks the tokens.
        backend: a key of `backends.BACKENDS`, or "auto".

    Raises:
        InputError: the backend asked for does not work here.
    """
    kernel = choose(u.device, u.dtype, a.shape[-2], a.shape[-1], backend).kernel
    # The table of custom functions is untyped in torch's own stubs.
    y: Tensor = _Scan.apply(kernel, u, p, a, d, bias, orders)  # type: ignore[no-untyped-call]
    return y


def selective_scan_ref(
    u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor
) -> Tensor:
    """The same answer by the formula, one token after the other: slow, the oracle of tests."""
    channels, states = a.shape[-2:]
    y = torch.zeros_like(u)
    for k, order in enumerate(orders):
        raw, b, c = torch.split(p[:, :, order, k], [channels, states, states], dim=-1)
        x = u[:, :, order]
        delta = functional.softplus(raw + bias[:, None, None, k])
        h = u.new_zeros(*u.shape[:2], channels, states)
        steps = []
        for t in range(order.numel()):
            decay = torch.exp(delta[:, :, t, :, None] * a[:, None, k])
            h = decay * h + (delta[:, :, t] * x[:, :, t])[..., None] * b[:, :, t, None]
            steps.append((h * c[:, :, t, None]).sum(-1) + d[:, None, k] * x[:, :, t])
        y = y.index_add(2, order, torch.stack(steps, dim=2))
    return y


class _Scan(torch.autograd.Function):
    """Gives a kernel its place in the graph; the kernel brings its own derivative."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, kernel: Kernel, *given: Tensor) -> Tensor:
        u, p, a, d, bias, orders = given
        keep = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        y, states = kernel.forward(u, p, a, d, bias, orders, keep)
        if states is not None:
            ctx.kernel = kernel  # type: ignore[attr-defined]
            ctx.save_for_backward(u, p, a, d, bias, orders, states)
        return y

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        u, p, a, d, bias, orders, states = ctx.saved_tensors  # type: ignore[attr-defined]
        kernel: Kernel = ctx.kernel  # type: ignore[attr-defined]
        return None, *kernel.backward(grad, states, u, p, a, d, bias, orders), None
