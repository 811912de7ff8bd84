"""The contrastive loss: stable form against the definition, and what it does with too little."""

import pytest
import torch
import torch.nn.functional as F
from terraweave.core.families.hpclnet.contrast import (
    LEAST_KEYS,
    contrastive_loss,
    contrastive_loss_ref,
)


def units(count: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, 8, generator=random, dtype=dtype), dim=1)


def test_the_stable_form_is_the_definition_values_and_gradients() -> None:
    keys = [units(5, 1), units(3, 2), units(LEAST_KEYS, 3)]
    query = units(5, 0).requires_grad_(True)
    exact = units(5, 0).double().requires_grad_(True)
    loss = contrastive_loss(query, *keys)
    reference = contrastive_loss_ref(exact, *(one.double() for one in keys))
    torch.testing.assert_close(loss.double(), reference, rtol=1e-5, atol=1e-6)
    loss.backward()
    reference.backward()
    torch.testing.assert_close(query.grad.double(), exact.grad, rtol=1e-4, atol=1e-6)


def test_it_stays_finite_where_exponentials_would_not() -> None:
    query = units(4, 0).requires_grad_(True)
    loss = contrastive_loss(query, -query.detach(), query.detach(), units(64, 1), 1e-3)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(query.grad).all())


def test_it_falls_as_queries_come_to_their_positives() -> None:
    own, negatives = units(6, 1), units(80, 2)
    none = torch.zeros(0, 8)
    near = contrastive_loss(own, own, none, negatives)
    far = contrastive_loss(-own, own, none, negatives)
    assert near < far


@pytest.mark.parametrize("negatives", [0, LEAST_KEYS - 1])
def test_with_too_few_keys_it_is_nothing(negatives: int) -> None:
    query = units(4, 0).requires_grad_(True)
    loss = contrastive_loss(query, units(4, 1), units(9, 2), units(negatives, 3))
    loss.backward()
    assert loss == 0
    assert bool((query.grad == 0).all())


def test_without_queries_it_is_nothing() -> None:
    source = units(4, 0).requires_grad_(True)
    loss = contrastive_loss(source[:0], units(0, 1), units(9, 2), units(70, 3))
    loss.backward()
    assert loss == 0
    assert bool((source.grad == 0).all())


def test_it_works_in_float32_whatever_comes_in_and_gives_keys_no_gradient() -> None:
    query = units(4, 0).bfloat16().requires_grad_(True)
    own = units(4, 1).requires_grad_(True)
    negatives = units(70, 3).requires_grad_(True)
    loss = contrastive_loss(query, own, units(2, 2), negatives)
    assert loss.dtype == torch.float32
    loss.backward()
    assert query.grad is not None
    assert own.grad is None
    assert negatives.grad is None
