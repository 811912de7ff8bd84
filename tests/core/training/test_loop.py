"""The shared training loop, with a network that counts what is usual."""

import copy
import math

import pytest
import torch
from terraweave.core.errors import ResourceError
from terraweave.core.progress import Progress
from terraweave.core.training.checkpoint import Checkpoint
from terraweave.core.training.loop import Evaluation, Outcome, Plain, Plan, train
from torch import Tensor, nn

PLAN = Plan(epochs=2, steps=6, learning_rate=0.01)


class Scaled(Plain):
    """A network that normalises over the batch; the steps in `bad` see values that are none."""

    def __init__(self, bad: frozenset[int]) -> None:
        torch.manual_seed(0)
        self.network: nn.Module = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 1))
        self._bad = bad

    def groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.network.parameters())}]

    def loss(self, epoch: int, step: int) -> Tensor:
        random = torch.Generator().manual_seed(epoch * 100 + step)
        seen = torch.randn(8, 3, 2, 2, generator=random) * 5 + 2
        if epoch * PLAN.steps + step in self._bad:
            seen[0] = math.inf
        loss: Tensor = self.network(seen).square().mean()
        return loss

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        return None


def trained(bad: frozenset[int]) -> Outcome:
    one = Scaled(bad)
    averaged = copy.deepcopy(one.network)
    return train(one, PLAN, Progress(), seed=1, checkpoint=Checkpoint(None, ""), averaged=averaged)


def test_a_step_without_a_loss_leaves_no_trace_in_what_is_usual() -> None:
    state = trained(frozenset({3, 7})).state
    assert all(bool(torch.isfinite(value).all()) for value in state.values())
    assert int(state["0.num_batches_tracked"]) == PLAN.total - 2
    assert int(trained(frozenset()).state["0.num_batches_tracked"]) == PLAN.total


def test_ten_steps_without_a_loss_end_the_training_with_a_sentence() -> None:
    with pytest.raises(ResourceError, match="not a number ten times in a row"):
        trained(frozenset(range(PLAN.total)))
