"""The compiled scan against plain torch in float64."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from terraweave.core.nn.backends import choose, random_problem
from terraweave.core.nn.scan import four_directions, selective_scan
from terraweave.core.nn.scan_loops import CHANNELS, STATES
from terraweave.core.nn.scan_numba import NumbaKernel
from terraweave.core.nn.scan_torch import TorchKernel
from torch import Tensor

CPU = torch.device("cpu")
Problem = tuple[list[Tensor], Tensor]


def problem(windows: int = 3, tokens: int = 35) -> Problem:
    return random_problem(CPU, CHANNELS, STATES, windows, tokens)


def everything(values: list[Tensor], grad: Tensor, kernel: object) -> list[Tensor]:
    """Y and the gradients of all inputs."""
    y, states = kernel.forward(*values, True)
    return [y, *kernel.backward(grad, states, *values)]


def differences(values: list[Tensor], grad: Tensor) -> list[float]:
    double = [value.double() if value.is_floating_point() else value for value in values]
    ours = everything(values, grad, NumbaKernel())
    exact = everything(double, grad.double(), TorchKernel())
    return [
        ((one - other).abs().max() / other.abs().max()).item()
        for one, other in zip(ours, exact, strict=True)
    ]


def test_it_is_what_float32_on_the_processor_gets_here() -> None:
    choice = choose(CPU, torch.float32, CHANNELS, STATES)
    assert choice.key == "numba", choice.reason


@pytest.mark.parametrize("tokens", [1, 2, 16, 17, 64])
def test_values_and_gradients_are_exact_to_float32(tokens: int) -> None:
    assert max(differences(*problem(tokens=tokens))) < 1.5e-6


def test_a_whole_window_in_four_directions_is_exact_to_float32() -> None:
    values, grad = problem(windows=2, tokens=256)
    values[-1] = four_directions(16, 16)
    assert max(differences(values, grad)) < 1.5e-6


@pytest.mark.parametrize("shift", [-12.0, 5.0, 40.0])
def test_very_small_and_very_large_steps_are_exact_too(shift: float) -> None:
    """Δ A far below −126 takes another way through the loops than ordinary ones."""
    values, grad = problem()
    values[4] += shift
    assert max(differences(values, grad)) < 3e-6


def test_gradients_do_not_depend_on_the_number_of_threads() -> None:
    values, grad = problem(windows=5)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = everything(values, grad, NumbaKernel())
        torch.set_num_threads(3)
        shared = everything(values, grad, NumbaKernel())
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


def test_views_are_read_where_they_are() -> None:
    values, _grad = problem(windows=4)
    u, p, *rest = values
    y, _ = NumbaKernel().forward(u, p, *rest, False)
    every_other, _ = NumbaKernel().forward(u[:, ::2], p[:, ::2], *rest, False)
    assert torch.equal(every_other, y[:, ::2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["u", "Δ", "B"])
def test_what_is_not_finite_stays_visible(value: float, where: str) -> None:
    (u, p, *rest), _ = problem()
    if where == "u":
        u[0, 0, 7, 3] = value
    else:
        p[0, 0, 7, 0, {"Δ": 3, "B": CHANNELS}[where]] = value
    y = selective_scan(u, p, *rest, backend="numba")
    plain = selective_scan(u, p, *rest, backend="torch")
    assert not y[0, 0].isfinite().all()
    assert torch.equal(y[0, 0, 7].isfinite(), plain[0, 0, 7].isfinite())
    assert y[0, 1:].isfinite().all()


@pytest.mark.slow
def test_it_compiles_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A read-only installation and no home: the loops are compiled for the process alone."""
    root = Path(__file__).resolve().parents[3]
    code = (
        "import torch\n"
        "from core.nn.backends import choose\n"
        "print(choose(torch.device('cpu'), torch.float32, 64, 24).key)\n"
    )
    # This locator of numba's knows notebooks only, and finds no place for the cache of a module.
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["numba"]
