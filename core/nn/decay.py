"""Which parameters weight decay may touch."""

from collections.abc import Iterable
from typing import TypedDict

from torch import nn

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)


class ParameterGroup(TypedDict):
    """One entry of an optimiser's list of parameters."""

    params: list[nn.Parameter]
    weight_decay: float


def parameter_groups(model: nn.Module, decay: float) -> list[ParameterGroup]:
    """Two groups for an optimiser: weights that decay, and all else, which does not.

    Biases and norms keep their size, and so do the parameters that a module names in its
    `undecayed` tuple, such as the rates of a state space.
    """
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for module in model.modules():
        undecayed: Iterable[str] = getattr(module, "undecayed", ())
        for name, parameter in module.named_parameters(recurse=False):
            keeps = isinstance(module, NORMS) or name == "bias" or name in undecayed
            (kept if keeps else decayed).append(parameter)
    return [
        ParameterGroup(params=decayed, weight_decay=decay),
        ParameterGroup(params=kept, weight_decay=0.0),
    ]
