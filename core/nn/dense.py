"""Linear maps by oneDNN where torch offers it: fixed ones for inference, others for training."""

import logging
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

logger = logging.getLogger(__name__)

_NARROW = 64


class Dense:
    """x W^T + bias with weights that do not change, and what may follow at no cost.

    On a processor the weights are laid out once for oneDNN, which is twice as fast as the usual
    linear map on AMD. That is a private part of torch: where it is missing or disagrees, the usual
    one serves.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """`weight` is (out, in), `bias` (out)."""
        self.weight = weight.detach().contiguous()
        self.bias = None if bias is None else bias.detach().contiguous()
        packs = weight.device.type == "cpu" and weight.dtype == torch.float32 and packing_works()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, 2048) if packs else None

    def __call__(self, x: Tensor) -> Tensor:
        """The map of x (…, in)."""
        if self._packed is None:
            return functional.linear(x, self.weight, self.bias)
        return _pointwise(x, self._packed, self.bias, "none")

    def gelu(self, x: Tensor) -> Tensor:
        """GELU of the map."""
        if self._packed is None:
            return functional.gelu(functional.linear(x, self.weight, self.bias))
        return _pointwise(x, self._packed, self.bias, "gelu")

    def added(self, x: Tensor, other: Tensor) -> Tensor:
        """The map plus `other`, of the answer's shape."""
        if self._packed is None:
            return functional.linear(x, self.weight, self.bias) + other
        answer: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, other, self._packed, self.bias, "add"
        )
        return answer


def _pointwise(x: Tensor, packed: Tensor, bias: Tensor | None, after: str) -> Tensor:
    answer: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, after, [], "none")
    return answer


@cache
def packing_works() -> bool:
    """Whether this torch has the packed linear map, and it gives what the usual one gives."""
    generator = torch.Generator().manual_seed(24)
    x, other, weight, bias = (
        torch.randn(shape, generator=generator) for shape in ((40, 24), (40, 8), (8, 24), (8,))
    )
    plain = functional.linear(x, weight, bias)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 40)
        pairs = (
            (_pointwise(x, packed, bias, "none"), plain),
            (_pointwise(x, packed, bias, "gelu"), functional.gelu(plain)),
            (
                torch.ops.mkldnn._linear_pointwise.binary(x, other, packed, bias, "add"),
                plain + other,
            ),
        )
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        logger.info("Packed linear maps are not available: %s", str(error).splitlines()[0])
        return False
    works = all(torch.allclose(ours, theirs, atol=1e-5) for ours, theirs in pairs)
    if not works:
        logger.info("Packed linear maps disagree with the usual ones and are not used.")
    return works


class Linear(nn.Linear):
    """`nn.Linear`, twice as fast in training on some processors; the same parameters."""

    def forward(self, input: Tensor) -> Tensor:
        """The map of `input` (…, in)."""
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The map x W^T + bias of weights that are being learnt, by oneDNN where that works."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or not packing_works():
        return functional.linear(x, weight, bias)
    # The table of custom functions is untyped in torch's own stubs.
    answer: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return answer


class _Linear(torch.autograd.Function):
    """The answer and both gradients by oneDNN, which reads transposed tensors as they are."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        flat = x.reshape(-1, x.shape[-1])
        return _pointwise(flat, weight, bias, "none").view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        of_x, _, of_bias = ctx.needs_input_grad  # type: ignore[attr-defined]
        flat = grad.reshape(-1, grad.shape[-1])
        d_x = _pointwise(flat, weight.t(), None, "none").view(x.shape) if of_x else None
        d_bias = flat.sum(0) if of_bias else None
        return d_x, _product(flat, x.reshape(-1, x.shape[-1])), d_bias


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The product aᵀ b of two tall matrices, (wide a, wide b).

    oneDNN lays out the first of its operands anew, so that the narrower one comes first: four
    times faster for 64 and 448. Where both are narrow, that costs more than oneDNN gains.
    """
    if max(a.shape[1], b.shape[1]) <= _NARROW:
        return a.t() @ b
    if a.shape[1] <= b.shape[1]:
        return _pointwise(a.t(), b.t(), None, "none")
    return _pointwise(b.t(), a.t(), None, "none").t()
