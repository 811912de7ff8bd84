"""One thread, and small networks and windows for tests of MineC2FNet."""

import pytest
import torch
from terraweave.core.families.minec2fnet.architecture import Architecture
from terraweave.core.families.minec2fnet.network import FootprintNet


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def network() -> FootprintNet:
    """A small network for four bands."""
    return FootprintNet(Architecture(4))
