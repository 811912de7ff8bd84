"""The momentum encoder: follows slowly, warms up, copies what is counted, comes back."""

import copy

import pytest
import torch
from terraweave.core.families.hpclnet.architecture import Architecture
from terraweave.core.families.hpclnet.momentum import Embedder, MomentumEncoder, momentum_for
from terraweave.core.families.hpclnet.network import HpclNet, Projector
from torch import nn


def embedder() -> Embedder:
    torch.manual_seed(0)
    network = HpclNet(Architecture(1, width=8, window=32))
    return Embedder(network, Projector(network.fused_channels, 16))


def windows() -> torch.Tensor:
    return torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(2))


def shift(module: nn.Module, by: float) -> None:
    with torch.no_grad():
        for one in module.parameters():
            one.add_(by)


def test_it_starts_as_a_copy_and_stays_when_the_network_moves() -> None:
    fast = embedder()
    slow = MomentumEncoder(fast, 0.9)
    before = fast(windows()).detach()
    torch.testing.assert_close(slow.keys(windows()), before)
    shift(fast, 0.1)
    torch.testing.assert_close(slow.keys(windows()), before)
    assert not slow.keys(windows()).requires_grad


def test_it_follows_by_one_minus_momentum() -> None:
    fast = embedder()
    slow = MomentumEncoder(fast, 0.9)
    slow.steps = 1000
    name = "network.fusion.gate.weight"
    before = slow.state()[name].clone()
    shift(fast, 1.0)
    slow.follow()
    torch.testing.assert_close(slow.state()[name], before + 0.1)


def test_it_warms_up_over_the_first_100_steps() -> None:
    slow = MomentumEncoder(embedder(), 0.99)
    found = []
    for steps in (0, 50, 100, 500):
        slow.steps = steps
        found.append(slow.momentum)
    assert found == pytest.approx([0.0, 0.495, 0.99, 0.99])


def test_short_runs_are_followed_faster() -> None:
    assert (momentum_for(4999), momentum_for(5000)) == (0.99, 0.999)


def test_what_normalisations_count_is_copied() -> None:
    fast = embedder()
    fast.network.fusion.join[1] = nn.BatchNorm2d(fast.network.fused_channels)
    slow = MomentumEncoder(fast, 0.99)
    slow.steps = 1000
    fast.train()(windows())
    counted = fast.network.fusion.join[1].running_mean.clone()
    assert counted.abs().max() > 0
    slow.follow()
    torch.testing.assert_close(slow.state()["network.fusion.join.1.running_mean"], counted)


def test_it_comes_back_from_a_checkpoint() -> None:
    fast = embedder()
    one = MomentumEncoder(fast, 0.99)
    shift(fast, 0.05)
    one.follow()
    state = copy.deepcopy(one.state())
    other = MomentumEncoder(embedder(), 0.99)
    other.restore(state)
    assert other.steps == 1
    torch.testing.assert_close(other.keys(windows()), one.keys(windows()))


def test_it_carries_no_decoder() -> None:
    assert not any("decoder" in key for key in MomentumEncoder(embedder(), 0.9).state())
