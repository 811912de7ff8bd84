"""The steps between matrix products in training: plain torch, or compiled with derivatives.

Gradients differ from autograd's by rounding alone. The compiled form is used for float32 on the
processor, where it passes a check against plain torch in float64.
"""

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ...nn.backends import FAILURES
from .lift import WIDTH
from .tokens import LocalWeights
from .tokens_numba import NumbaTokens

logger = logging.getLogger(__name__)
_SHUFFLE = 4
_TOLERANCE = 1e-5


def gated(y: Tensor, gates: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """LN(y) · SiLU(gates), all (…, 64)."""
    if _compiled(y):
        # The table of custom functions is untyped in torch's own stubs.
        answer: Tensor = _Gated.apply(y, gates, gain, offset)  # type: ignore[no-untyped-call]
        return answer
    return functional.layer_norm(y, (WIDTH,), gain, offset) * functional.silu(gates)


def local(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU of the depthwise 3×3 convolution (weight (4, 1, 3, 3)) on the four times finer grid.

    x and the answer are tokens (window, row, column, 64).
    """
    if _compiled(x):
        answer: Tensor = _Local.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return answer
    fine = functional.pixel_shuffle(x.permute(0, 3, 1, 2), _SHUFFLE)
    fine = functional.conv2d(fine, weight, bias, padding=1, groups=len(weight))
    cells = functional.pixel_unshuffle(functional.silu(fine), _SHUFFLE)
    return cells.permute(0, 2, 3, 1)


def _compiled(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and steps_work()


@cache
def steps_work() -> bool:
    """Whether the compiled steps load here and agree with plain torch."""
    try:
        difference = _difference()
    except FAILURES as error:
        logger.info("Training's steps are not compiled: %s", str(error).splitlines()[0])
        return False
    # The negated form also refuses NaN.
    if not difference < _TOLERANCE:
        logger.info("Training's compiled steps differ by %.1e and are not used.", difference)
        return False
    return True


def _difference() -> float:
    """The largest relative difference of answers and gradients from plain torch in float64."""
    generator = torch.Generator().manual_seed(24)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    windows, rows, columns = 2, 3, 5
    tokens = (windows, rows, columns, WIDTH)
    trials: tuple[tuple[Any, Any, list[Tensor]], ...] = (
        (_Gated.apply, gated, [normal(*tokens), normal(*tokens), normal(WIDTH), normal(WIDTH)]),
        (_Local.apply, local, [normal(*tokens), normal(4, 1, 3, 3), normal(4)]),
    )
    grad = normal(*tokens)
    found = []
    for ours, plain, given in trials:
        fast = _run(ours, given, grad)
        exact = _run(plain, [x.double() for x in given], grad.double())
        found += [
            ((one - other).abs().max() / other.abs().max()).item()
            for one, other in zip(fast, exact, strict=True)
        ]
    return max(found, key=lambda value: (value != value, value))


def _run(function: Any, given: list[Tensor], grad: Tensor) -> list[Tensor]:  # noqa: ANN401
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [x.clone().requires_grad_() for x in given]
        answer = function(*leaves)
        return [answer.detach(), *torch.autograd.grad(answer, leaves, grad.clone())]


class _Gated(torch.autograd.Function):
    """Keeps its inputs alone; norm and gate are computed once more on the way back."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        y: Tensor,
        gates: Tensor,
        gain: Tensor,
        offset: Tensor,
    ) -> Tensor:
        given = [x.detach().contiguous() for x in (y, gates, gain, offset)]
        ctx.save_for_backward(*given)
        y, gates = (x.view(-1, WIDTH) for x in given[:2])
        return NumbaTokens().gated(y, gates, 0, *given[2:]).view(given[0].shape)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        from . import step_loops

        y, gates, gain, offset = ctx.saved_tensors  # type: ignore[attr-defined]
        d_y, d_gates = torch.empty_like(y), torch.empty_like(gates)
        stretches = -(-y.numel() // (WIDTH * step_loops.STRETCH))
        d_gain, d_offset = (torch.empty(stretches, WIDTH) for _ in range(2))
        tokens = [x.view(-1, WIDTH) for x in (y, gates, grad.contiguous(), d_y, d_gates)]
        given = (*tokens[:2], gain, offset, *tokens[2:], d_gain, d_offset)
        step_loops.gated_back(*(x.numpy() for x in given))
        return d_y, d_gates, d_gain.sum(0), d_offset.sum(0)


class _Local(torch.autograd.Function):
    """Keeps its input alone; the convolution is computed once more on the way back."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        x, weight, bias = (one.detach().contiguous() for one in (x, weight, bias))
        ctx.save_for_backward(x, weight, bias)
        plain = LocalWeights(torch.ones(WIDTH), torch.zeros(WIDTH), weight.view(-1, 9), bias)
        return NumbaTokens().local(x, plain)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from . import step_loops

        x, weight, bias = ctx.saved_tensors  # type: ignore[attr-defined]
        channels = len(bias)
        d_x, d_taps = torch.empty_like(x), torch.empty(len(x), channels, 9)
        d_bias = torch.empty(len(x), channels)
        given = (x, weight.view(-1, 9), bias, grad.contiguous(), d_x, d_taps, d_bias)
        step_loops.local_back(*(one.numpy() for one in given))
        return d_x, d_taps.sum(0).view(weight.shape), d_bias.sum(0)
