"""Half the precision is used after a sample had the same classes, and not otherwise."""

import pytest
import torch
from terraweave.core.families.das2f import folded, precision
from terraweave.core.families.das2f.folded import FoldedDas2f
from terraweave.core.families.das2f.network import Architecture, Das2f
from terraweave.core.families.das2f.precision import Precision
from terraweave.core.families.das2f.tokens import TorchTokens
from terraweave.core.nn import dense
from torch import Tensor

CPU = torch.device("cpu")


class Clock:
    """Seconds that pass only when a computation says so."""

    def __init__(self) -> None:
        """Begins at 0."""
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(precision, "time", made)
    return made


def run(clock: Clock, wrong: int, fast: float) -> tuple[Precision, list[str]]:
    """Three batches of 1024, in which bf16 takes `fast` seconds and errs `wrong` times."""
    told: list[str] = []
    chosen = Precision(CPU, told.append)

    def logits(ms: Tensor, _pan: Tensor) -> Tensor:
        halved = torch.is_autocast_enabled("cpu")
        clock.now += fast if halved else 1.0
        answer = torch.tensor([[1.0, 0.0]]).repeat(len(ms), 1)
        if halved:
            answer[:wrong] = torch.tensor([0.0, 1.0])
        return answer

    for _ in range(3):
        assert chosen(logits, torch.zeros(1024, 1), torch.zeros(1024, 1)).dtype == torch.float32
    return chosen, told


def test_bf16_goes_on_when_it_is_faster_and_agrees(clock: Clock) -> None:
    chosen, told = run(clock, wrong=1, fast=0.5)
    assert chosen.reduced is True
    assert told == [
        "Precision: bf16; in bf16, 99.90% of 2048 windows have the class of float32, in 50% of "
        "the time."
    ]


@pytest.mark.parametrize(("wrong", "fast"), [(2, 0.5), (0, 1.5)])
def test_float32_goes_on_otherwise(clock: Clock, wrong: int, fast: float) -> None:
    chosen, told = run(clock, wrong, fast)
    assert chosen.reduced is False
    assert told[0].startswith("Precision: float32; in bf16, ")


def test_the_folded_network_can_be_computed_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    # In plain torch, as on a card.
    monkeypatch.setattr(folded, "choose_tokens", lambda *_: (TorchTokens(), "plain torch"))
    monkeypatch.setattr(dense, "packing_works", lambda: False)
    architecture = Architecture(4, 3)
    torch.manual_seed(0)
    model = FoldedDas2f(Das2f(architecture).eval(), scan="torch")
    ms, pan = torch.randn(4, 4, 8, 8), torch.randn(4, 1, 32, 32)
    full = model(ms, pan)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(ms, pan)
    assert not torch.equal(low.float(), full)
    assert (low - full).abs().max() < 0.05 * full.abs().max()
