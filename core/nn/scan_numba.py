"""The selective scan compiled for this processor by numba: no compiler on the user's machine.

The loops are in `scan_loops.py`. They compile in some seconds on first use, and are kept on disk
where numba may write (beside the sources, in the user's cache, or in NUMBA_CACHE_DIR).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from . import scan_loops
from .memory import keep_freed_memory
from .scan_loops import CHANNELS, CHUNK, FIELD, NUMBERS, STATES
from .scan_torch import Gradients


class NumbaKernel:
    """The compiled scan; float32 only. Windows are shared among torch's threads."""

    def __init__(self) -> None:
        """Also keeps freed memory: with a scan this fast, fresh pages would cost as much again."""
        keep_freed_memory()

    def forward(
        self, u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """y, and with `keep` the states (mixer, window, direction, chunk, state · channel)."""
        mixers, windows, tokens = u.shape[:3]
        chunks = -(-tokens // CHUNK) if keep else 0
        y = torch.empty(u.shape)
        kept = torch.empty(mixers, windows, len(orders), chunks, FIELD)
        given = [x.detach().contiguous() for x in (u, p, a, d, bias, orders)]
        arrays = [x.numpy() for x in (*given, y, kept)]
        _share(lambda start, stop: scan_loops.walk(*arrays, keep, start, stop), mixers * windows)
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
        """The gradients of u, p, a, d and bias.

        Those of parameters are made window by window and summed afterwards, so that they do not
        depend on the number of threads.
        """
        mixers, windows, tokens = u.shape[:3]
        directions = len(orders)
        d_u = torch.empty(u.shape)
        d_p = torch.empty(mixers, windows, tokens, directions, NUMBERS)
        d_rate = torch.empty(mixers, windows, directions, FIELD)
        d_skip, d_bias = (torch.empty(mixers, windows, directions, CHANNELS) for _ in range(2))
        given = [x.detach().contiguous() for x in (grad, states, u, p, a, d, bias, orders)]
        arrays = [x.numpy() for x in (*given, d_u, d_p, d_rate, d_skip, d_bias)]
        _share(lambda start, stop: scan_loops.walk_back(*arrays, start, stop), mixers * windows)
        d_a = d_rate.sum(1).view(mixers, directions, STATES, CHANNELS).transpose(-1, -2)
        return d_u, d_p, d_a, d_skip.sum(1), d_bias.sum(1)


def _share(work: Callable[[int, int], object], scans: int) -> None:
    """Do `work` on all scans, in as many threads as torch would use here."""
    threads = min(torch.get_num_threads(), scans)
    if threads <= 1:
        work(0, scans)
        return
    edges = [scans * i // threads for i in range(threads + 1)]
    # The last part is done here; a list, so that errors of the others come out.
    others = [_pool(threads).submit(work, edges[i], edges[i + 1]) for i in range(threads - 1)]
    work(edges[-2], scans)
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="scan")
