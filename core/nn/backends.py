"""Which implementation of the selective scan runs here, and why.

`BACKENDS` is written out, fastest first. A candidate must import, compile and agree with the
torch form on a small random problem, forward and backward, before it is used; whatever happens
is kept as a sentence for the log.

Those for CUDA have not yet run on a card. Until ours has, the one of mamba-ssm comes first where
it is installed.
"""

import logging
import subprocess  # nosec B404 - its errors alone
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from .scan_torch import Gradients, TorchKernel

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
"""Largest difference that the self-check forgives, relative to the largest value."""

FAILURES = (
    ImportError,
    OSError,
    RuntimeError,
    AttributeError,
    TypeError,
    ValueError,
    subprocess.SubprocessError,
)
"""What a library that is missing, broken or of an unexpected version raises on its first use."""


class Kernel(Protocol):
    """One implementation; shapes as in `scan.py`."""

    def forward(
        self, u: Tensor, p: Tensor, a: Tensor, d: Tensor, bias: Tensor, orders: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """y, and with `keep` whatever `backward` wants to find again."""

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


@dataclass(frozen=True, slots=True)
class Backend:
    """One candidate.

    `load` imports and compiles; an error of `FAILURES` that it raises counts as "not available
    here". `fits` says whether it handles that many channels and states.
    """

    title: str
    device: str | None
    load: Callable[[], Kernel]
    fits: Callable[[int, int], bool] = lambda channels, states: True
    single_only: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """The kernel that is used, its key, and the reason as a sentence for the log."""

    key: str
    kernel: Kernel
    reason: str


def _load_numba() -> Kernel:
    from .scan_numba import NumbaKernel

    return NumbaKernel()


def _load_mamba() -> Kernel:
    from .scan_mamba import MambaKernel

    return MambaKernel()


def _load_triton() -> Kernel:
    from .scan_triton import TritonKernel

    return TritonKernel()


def _of_das2f(channels: int, states: int) -> bool:
    """The compiled loops know the shape of DAS²F only; others are left to plain torch."""
    return (channels, states) == (64, 24)


BACKENDS: Mapping[str, Backend] = {
    "numba": Backend("compiled for this processor by numba", "cpu", _load_numba, _of_das2f),
    "mamba": Backend("the CUDA kernel of mamba-ssm", "cuda", _load_mamba),
    "triton": Backend("compiled for this card by Triton", "cuda", _load_triton, _of_das2f),
    "torch": Backend("plain torch", None, TorchKernel, single_only=False),
}


@cache
def choose(
    device: torch.device, dtype: torch.dtype, channels: int, states: int, wanted: str = "auto"
) -> Choice:
    """The first backend that fits, loads and passes its check; or the one that is `wanted`.

    Raises:
        InputError: the backend that is wanted is unknown or does not work here.
    """
    if wanted != "auto" and wanted not in BACKENDS:
        raise InputError(
            f"There is no scan backend “{wanted}”; choose auto or one of {', '.join(BACKENDS)}."
        )
    passed_over: list[str] = []
    # What is made for another device is no news, unless somebody asks for it by name.
    here = [key for key, one in BACKENDS.items() if one.device in (None, device.type)]
    for key in here if wanted == "auto" else [wanted]:
        obstacle = _obstacle(BACKENDS[key], device, dtype, channels, states)
        if obstacle is None:
            obstacle, kernel = _checked(key, device, channels, states)
            if kernel is not None:
                reason = " ".join([f"Selective scan: {BACKENDS[key].title}.", *passed_over])
                logger.info(reason)
                return Choice(key, kernel, reason)
        passed_over.append(f"Not {BACKENDS[key].title}: {obstacle}.")
    raise InputError(
        f"The scan backend “{wanted}” does not work here ({passed_over[0]}); choose auto."
    )


def _obstacle(
    backend: Backend, device: torch.device, dtype: torch.dtype, channels: int, states: int
) -> str | None:
    if backend.device not in (None, device.type):
        return f"the computation runs on {device.type}"
    if backend.single_only and dtype != torch.float32:
        return f"the numbers are {dtype}"
    if not backend.fits(channels, states):
        return f"it does not handle {channels} channels with {states} states"
    return None


@cache
def _checked(
    key: str, device: torch.device, channels: int, states: int
) -> tuple[str, Kernel | None]:
    """A kernel that passed its check, or the obstacle as half a sentence."""
    try:
        kernel = BACKENDS[key].load()
        if key != "torch":
            difference = self_check(kernel, device, channels, states)
            # The negated form also refuses NaN.
            if not difference < TOLERANCE:
                return f"its self-check differs by {difference:.1e} from plain torch", None
    except FAILURES as error:
        return f"{type(error).__name__}: {error}".splitlines()[0], None
    return "", kernel


def self_check(kernel: Kernel, device: torch.device, channels: int, states: int) -> float:
    """The largest relative difference of y and all gradients from the torch form in float64."""
    problem, grad = random_problem(device, channels, states)
    ours = _run(kernel, problem, grad)
    double = [value.double() if value.is_floating_point() else value for value in problem]
    plain = _run(TorchKernel(), double, grad.double())
    differences = [
        ((one - other).abs().max() / other.abs().max()).item()
        for one, other in zip(ours, plain, strict=True)
    ]
    return max(differences, key=lambda value: (value != value, value))


def _run(kernel: Kernel, problem: list[Tensor], grad: Tensor) -> list[Tensor]:
    u, p, a, d, bias, orders = problem
    y, states = kernel.forward(u, p, a, d, bias, orders, True)
    if states is None:
        raise RuntimeError("the kernel kept no states")
    return [y, *kernel.backward(grad, states, u, p, a, d, bias, orders)]


def random_problem(
    device: torch.device, channels: int, states: int, windows: int = 3, tokens: int = 35
) -> tuple[list[Tensor], Tensor]:
    """u, p, a, d, bias, orders and a gradient of y: small, seeded, of two mixers."""
    generator = torch.Generator().manual_seed(24)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    mixers, directions = 2, 4
    problem = [
        normal(mixers, windows, tokens, channels),
        normal(mixers, windows, tokens, directions, channels + 2 * states),
        -torch.exp(normal(mixers, directions, channels, states)),
        normal(mixers, directions, channels),
        normal(mixers, directions, channels) - 3,
        torch.stack([torch.randperm(tokens, generator=generator) for _ in range(directions)]),
    ]
    grad = normal(mixers, windows, tokens, channels)
    return [value.to(device) for value in problem], grad.to(device)
