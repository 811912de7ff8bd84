"""The selective scan: the chunk form against the plain loop, and against finite differences."""

import pytest
import torch
from terraweave.core.errors import InputError
from terraweave.core.nn import backends
from terraweave.core.nn.backends import BACKENDS, Backend, choose, random_problem, self_check
from terraweave.core.nn.scan import four_directions, selective_scan, selective_scan_ref
from terraweave.core.nn.scan_torch import TorchKernel
from torch import Tensor

CPU = torch.device("cpu")


def problem(
    windows: int = 3, tokens: int = 35, channels: int = 6, states: int = 5
) -> tuple[list[Tensor], Tensor]:
    values, grad = random_problem(CPU, channels, states, windows, tokens)
    doubles = [v.double().requires_grad_() if v.is_floating_point() else v for v in values]
    return doubles, grad.double()


def gradients(y: Tensor, grad: Tensor, values: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(y, values[:5], grad))


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 64])
@pytest.mark.parametrize("windows", [1, 5, 9])
def test_chunk_form_equals_the_plain_loop(tokens: int, windows: int) -> None:
    values, grad = problem(windows, tokens)
    fast = selective_scan(*values, backend="torch")
    slow = selective_scan_ref(*values)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-11)
    for ours, theirs in zip(
        gradients(fast, grad, values), gradients(slow, grad, values), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_gradients_are_those_of_finite_differences() -> None:
    values, _ = problem(windows=1, tokens=18, channels=2, states=2)
    assert torch.autograd.gradcheck(lambda *v: selective_scan(*v, backend="torch"), values)


def test_one_step_is_the_formula() -> None:
    u, b, c, rate, skip, raw = 2.0, 3.0, 5.0, -0.5, 0.25, 1.0
    delta = torch.nn.functional.softplus(torch.tensor(raw)).item()
    y = selective_scan(
        torch.full((1, 1, 1, 1), u),
        torch.tensor([raw, b, c]).view(1, 1, 1, 1, 3),
        torch.full((1, 1, 1, 1), rate),
        torch.full((1, 1, 1), skip),
        torch.zeros(1, 1, 1),
        torch.zeros(1, 1, dtype=torch.int64),
        backend="torch",
    )
    assert y.item() == pytest.approx(c * delta * u * b + skip * u)


def test_windows_do_not_influence_each_other() -> None:
    values, _ = problem(windows=9)
    u, p, *rest = values
    together = selective_scan(u, p, *rest, backend="torch")
    alone = selective_scan(u[:, 4:5], p[:, 4:5], *rest, backend="torch")
    torch.testing.assert_close(together[:, 4:5], alone, rtol=1e-13, atol=1e-13)


def test_reversed_directions_of_a_reversed_sequence_give_the_reversed_answer() -> None:
    values, _ = problem(tokens=12)
    u, p, a, d, bias, _ = values
    orders = four_directions(3, 4)
    y = selective_scan(u, p, a, d, bias, orders)
    backwards = selective_scan(u.flip(2), p.flip(2), a, d, bias, orders.flip(1))
    torch.testing.assert_close(backwards.flip(2), y, rtol=1e-12, atol=1e-12)


def test_orders_first_asked_for_while_predicting_serve_a_training() -> None:
    four_directions.cache_clear()
    with torch.inference_mode():
        four_directions(5, 7)
    assert not four_directions(5, 7).is_inference()


def test_orders_walk_rows_and_columns_both_ways() -> None:
    assert four_directions(2, 3).tolist() == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]


def test_no_windows_give_no_answer() -> None:
    u, p, *rest = problem()[0]
    assert selective_scan(u[:, :0], p[:, :0], *rest, backend="torch").shape == (2, 0, 35, 6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_visible(value: float) -> None:
    u, p, *rest = (v.detach() for v in problem()[0])
    u[0, 0, 7, 0] = value
    y = selective_scan(u, p, *rest, backend="torch")
    assert not y[0, 0, :, 0].isfinite().all()
    assert y[0, 1:].isfinite().all()


class Wrong(TorchKernel):
    """A kernel whose answer is off by a little."""

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor | None]:
        y, states = super().forward(*given)
        return y * 1.001, states


def _broken() -> TorchKernel:
    raise ImportError("no such library")


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> dict[str, Backend]:
    table = {
        "broken": Backend("the broken kernel", "cpu", _broken),
        "wrong": Backend("the wrong kernel", "cpu", Wrong),
        "torch": BACKENDS["torch"],
    }
    monkeypatch.setattr(backends, "BACKENDS", table)
    choose.cache_clear()
    backends._checked.cache_clear()
    yield table
    choose.cache_clear()
    backends._checked.cache_clear()


def test_a_backend_that_fails_is_passed_over_and_the_reason_says_so(
    candidates: dict[str, Backend],
) -> None:
    choice = choose(CPU, torch.float32, 8, 4)
    assert choice.key == "torch"
    assert "Not the broken kernel: ImportError: no such library." in choice.reason
    assert "Not the wrong kernel: its self-check differs by 1.0e-03" in choice.reason


def test_a_forced_backend_that_fails_is_refused(candidates: dict[str, Backend]) -> None:
    with pytest.raises(InputError, match=r"“wrong” does not work here .* choose auto"):
        choose(CPU, torch.float32, 8, 4, "wrong")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(InputError, match="no scan backend “fast”; choose auto or one of"):
        choose(CPU, torch.float32, 64, 24, "fast")


def test_double_precision_is_computed_by_plain_torch() -> None:
    assert choose(CPU, torch.float64, 64, 24).key == "torch"


@pytest.mark.parametrize("key", BACKENDS)
def test_every_backend_that_works_here_passes_its_check(key: str) -> None:
    if BACKENDS[key].device not in (None, "cpu"):
        pytest.skip(f"{key} needs {BACKENDS[key].device}")
    assert self_check(choose(CPU, torch.float32, 64, 24, key).kernel, CPU, 64, 24) < 1e-5
