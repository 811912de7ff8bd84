"""The selective scan on a CUDA card by a kernel of our own, which Triton compiles at run time.

Triton comes with torch's CUDA builds for Linux; elsewhere importing this module fails, which
`backends.py` expects. The loops are in `triton_loops.py`. Not yet run on a card: they were
checked in Triton's interpreter, and `backends.py` checks them on every card before use.
"""

import subprocess  # nosec B404 - its errors alone
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from triton.errors import TritonError  # type: ignore[import-not-found, unused-ignore]

from . import triton_loops
from .scan_torch import CHUNK, Gradients

CHANNELS, STATES = 64, 24
# Compiled for sm_75 to sm_90, two warps need 96 registers forward and 236 back; one warp spills.
_WARPS = 2


class TritonKernel:
    """All mixers, windows and directions in one launch, forward and back; float32 only."""

    def forward(
        self, u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """y, and with `keep` the states (mixer, window, direction, chunk, channel · state)."""
        mixers, windows, tokens = u.shape[:3]
        chunks = -(-tokens // CHUNK) if keep else 0
        y = torch.empty_like(u, memory_format=torch.contiguous_format)
        kept = u.new_empty(mixers, windows, len(orders), chunks, CHANNELS * STATES)
        given = [x.detach().contiguous() for x in (u, p, a, d, bias, orders)]
        _launch(
            triton_loops.walk, mixers * windows, u, (*given, y, kept, windows, tokens, chunks),
            KEEP=keep, CHUNK=CHUNK, DIRECTIONS=len(orders),
        )  # fmt: skip
        return y, kept if keep else None

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
        """The gradients of u, p, a, d and bias; those of parameters are summed over windows."""
        mixers, windows, tokens = u.shape[:3]
        directions = len(orders)
        given = [x.detach().contiguous() for x in (grad, states, u, p, a, d, bias, orders)]
        d_u, d_p = (torch.empty_like(x) for x in given[2:4])
        d_rate = u.new_empty(mixers, windows, directions, CHANNELS, STATES)
        d_skip, d_bias = (u.new_empty(mixers, windows, directions, CHANNELS) for _ in range(2))
        history = u.new_empty(mixers * windows, CHUNK, CHANNELS * STATES)
        _launch(
            triton_loops.walk_back, mixers * windows, u,
            (*given, history, d_u, d_p, d_rate, d_skip, d_bias, windows, tokens, states.shape[3]),
            CHUNK=CHUNK, DIRECTIONS=directions,
        )  # fmt: skip
        return d_u, d_p, d_rate.sum(1), d_skip.sum(1), d_bias.sum(1)


def _launch(
    # What Triton makes of a function has no type.
    loops: Any,  # noqa: ANN401
    scans: int,
    like: Tensor,
    given: tuple[Tensor | int, ...],
    **constants: int | bool,
) -> None:
    """Run one program a scan on the card of `like`.

    Raises:
        RuntimeError: Triton, or the compiler that it calls, gives up.
    """
    if not scans:
        return
    start: Callable[..., object] = loops[(scans,)]
    try:
        with torch.cuda.device_of(like):  # type: ignore[no-untyped-call]
            start(
                *given, **constants, CHANNELS=CHANNELS, STATES=STATES,
                num_warps=_WARPS, enable_fp_fusion=True,
            )  # fmt: skip
    except (TritonError, subprocess.SubprocessError) as error:
        raise RuntimeError(f"Triton: {error}") from error
