"""The fixed linear map, packed or not."""

import pytest
import torch
from terraweave.core.nn import dense
from terraweave.core.nn.dense import Dense
from torch.nn import functional


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 2048])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_the_linear_map_and_what_follows(
    packed: bool, rows: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if packed and not dense.packing_works():
        pytest.skip("this torch does not pack linear maps")
    monkeypatch.setattr(dense, "packing_works", lambda: packed)
    generator = torch.Generator().manual_seed(1)
    x, other, weight, bias = (
        torch.randn(shape, generator=generator) for shape in ((rows, 64), (rows, 9), (9, 64), (9,))
    )
    map_ = Dense(weight, bias if with_bias else None)
    expected = functional.linear(x, weight, bias if with_bias else None)
    torch.testing.assert_close(map_(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(map_.gelu(x), functional.gelu(expected), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(map_.added(x, other), expected + other, rtol=1e-5, atol=1e-5)
