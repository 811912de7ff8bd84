"""The compiled steps of training against autograd through plain torch in double precision."""

import pytest
import torch
from terraweave.core.families.das2f import steps
from terraweave.core.families.das2f.steps import gated, local, steps_work
from torch import Tensor


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def with_gradients(function: object, given: list[Tensor], grad: Tensor) -> list[Tensor]:
    leaves = [one.detach().clone().requires_grad_() for one in given]
    answer = function(*leaves)
    return [answer.detach(), *torch.autograd.grad(answer, leaves, grad)]


def compare(function: object, given: list[Tensor], grad: Tensor) -> None:
    fast = with_gradients(function, given, grad)
    exact = with_gradients(function, [one.double() for one in given], grad.double())
    for ours, theirs in zip(fast, exact, strict=True):
        assert ours.dtype == torch.float32
        assert ((ours - theirs).abs().max() / theirs.abs().max()).item() < 2e-6


def test_they_are_used_here() -> None:
    assert steps_work()


@pytest.mark.parametrize(("windows", "rows", "columns"), [(1, 1, 1), (3, 1, 7), (2, 8, 8)])
def test_local_and_its_gradients_are_exact_to_float32(
    windows: int, rows: int, columns: int
) -> None:
    tokens = (windows, rows, columns, 64)
    compare(local, [normal(*tokens), normal(4, 1, 3, 3), normal(4)], normal(*tokens) + 1)


@pytest.mark.parametrize("tokens", [1, 63, 64, 200])
def test_gated_and_its_gradients_are_exact_to_float32(tokens: int) -> None:
    given = [normal(tokens, 64), normal(tokens, 64) * 3, normal(64), normal(64)]
    compare(gated, given, normal(tokens, 64) - 1)


def test_tensors_in_another_order_are_read_right() -> None:
    x = normal(2, 64, 5, 4).permute(0, 2, 3, 1)
    grad = normal(2, 64, 5, 4).permute(0, 2, 3, 1)
    compare(local, [x, normal(4, 1, 3, 3), normal(4)], grad)
    compare(gated, [x, x.flip(1), normal(64), normal(64)], grad)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_window(value: float) -> None:
    x = normal(3, 4, 4, 64)
    x[1, 2, 3, 5] = value
    answer = local(x, normal(4, 1, 3, 3), normal(4))
    assert not answer[1].isfinite().all()
    assert answer[[0, 2]].isfinite().all()
    d_x = with_gradients(local, [x, normal(4, 1, 3, 3), normal(4)], torch.ones_like(x))[1]
    assert d_x[[0, 2]].isfinite().all()


def test_steps_that_are_off_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_difference", lambda: float("nan"))
    steps_work.cache_clear()
    try:
        assert not steps_work()
        # Plain torch serves.
        assert local(normal(1, 2, 2, 64), normal(4, 1, 3, 3), normal(4)).shape == (1, 2, 2, 64)
    finally:
        steps_work.cache_clear()
