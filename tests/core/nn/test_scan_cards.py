"""The scans for cards, as far as a machine without one can check them."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from terraweave.core.errors import InputError
from terraweave.core.nn import backends
from terraweave.core.nn.backends import choose, self_check
from torch import Tensor
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[3]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def run_without_cache(code: str, tmp_path: Path) -> float:
    """The number that a Python of its own prints with Triton's kernels interpreted."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed; it comes with CUDA builds of torch.",
)
def test_triton_kernel_in_its_interpreter_is_exact_to_float32(tmp_path: Path) -> None:
    code = (
        "import torch\n"
        "from core.nn.backends import self_check\n"
        "from core.nn.scan_triton import TritonKernel\n"
        "print(self_check(TritonKernel(), torch.device('cpu'), 64, 24))\n"
    )
    assert run_without_cache(code, tmp_path) < 2e-6


def selective_scan_fn(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor,
    *,
    delta_bias: Tensor,
    delta_softplus: bool,
) -> Tensor:
    """What mamba-ssm documents: u, delta (b, d, l), A (d, n), B and C (b, group, n, l)."""
    assert delta_softplus
    assert all(one.is_contiguous() for one in (u, delta, a, b, c, d))
    each = u.shape[1] // b.shape[1]
    b, c = (one.repeat_interleave(each, dim=1) for one in (b, c))
    delta = functional.softplus(delta + delta_bias[:, None])
    h = u.new_zeros(*u.shape[:2], a.shape[1])
    steps = []
    for t in range(u.shape[2]):
        decay = torch.exp(delta[..., t, None] * a)
        h = decay * h + (delta * u)[..., t, None] * b[..., t]
        steps.append((h * c[..., t]).sum(-1))
    return torch.stack(steps, dim=-1) + d[:, None] * u


@pytest.fixture
def mamba(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package that stands for mamba-ssm."""
    package, ops = ModuleType("mamba_ssm"), ModuleType("mamba_ssm.ops")
    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = selective_scan_fn  # type: ignore[attr-defined]
    for module in (package, ops, interface):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "terraweave.core.nn.scan_mamba", raising=False)
    yield interface
    sys.modules.pop("terraweave.core.nn.scan_mamba", None)


@pytest.mark.parametrize(("channels", "states"), [(64, 24), (6, 5)])
def test_mixers_and_directions_are_the_groups_of_mamba_ssm(
    mamba: ModuleType, channels: int, states: int
) -> None:
    kernel = backends.BACKENDS["mamba"].load()
    assert self_check(kernel, CPU, channels, states) < 5e-6


@pytest.fixture
def unknown_cards() -> Iterator[None]:
    choose.cache_clear()
    backends._checked.cache_clear()
    yield
    choose.cache_clear()
    backends._checked.cache_clear()


@pytest.mark.usefixtures("unknown_cards")
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) for name in ("mamba_ssm", "triton")),
    reason="Kernels for a card may work here.",
)
def test_on_a_card_the_log_says_why_plain_torch_serves() -> None:
    choice = choose(CUDA, torch.float32, 64, 24)
    assert choice.key == "torch"
    assert "Not the CUDA kernel of mamba-ssm: ModuleNotFoundError" in choice.reason
    assert "Not compiled for this card by Triton: " in choice.reason
    assert "numba" not in choice.reason


@pytest.mark.parametrize("key", ["mamba", "triton"])
def test_a_kernel_for_cards_is_refused_on_the_processor(key: str) -> None:
    with pytest.raises(InputError, match="the computation runs on cpu.*choose auto"):
        choose(CPU, torch.float32, 64, 24, key)


@pytest.mark.usefixtures("unknown_cards")
@pytest.mark.parametrize(
    "error", [TypeError("unexpected argument"), subprocess.CalledProcessError(1, ["cc"])]
)
def test_a_library_that_fails_on_first_use_is_passed_over(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> backends.Kernel:
        raise error

    table = {"new": backends.Backend("the new one", "cpu", fails), **backends.BACKENDS}
    monkeypatch.setattr(backends, "BACKENDS", table)
    choice = choose(CPU, torch.float32, 64, 24)
    assert choice.key == "numba"
    assert f"Not the new one: {type(error).__name__}: " in choice.reason


@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA card here.")
@pytest.mark.parametrize("key", ["mamba", "triton", "torch"])
def test_every_kernel_for_cards_that_loads_passes_its_check(key: str) -> None:
    try:
        kernel = backends.BACKENDS[key].load()
    except ImportError as error:
        pytest.skip(f"{key}: {error}")
    assert self_check(kernel, CUDA, 64, 24) < backends.TOLERANCE
