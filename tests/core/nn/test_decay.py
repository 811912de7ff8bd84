"""Which parameters decay."""

import torch
from terraweave.core.families.das2f.network import Architecture, Das2f
from terraweave.core.nn.decay import parameter_groups


def test_rates_skips_biases_and_norms_do_not_decay() -> None:
    with torch.device("meta"):
        model = Das2f(Architecture(4, 3))
    decayed, kept = parameter_groups(model, 0.05)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.05, 0.0)
    assert {names[id(p)].rpartition(".")[2] for p in decayed["params"]} == {
        "weight", "project", "delta_weight",
    }  # fmt: skip
    kept_names = [names[id(p)] for p in kept["params"]]
    assert {"a_log", "skip", "delta_bias", "bias"} <= {n.rpartition(".")[2] for n in kept_names}
    assert "lift.embed_ms.norm.weight" in kept_names
    assert "levels.0.mixers.ms.local.norm.weight" in kept_names


def test_every_parameter_is_in_one_group() -> None:
    with torch.device("meta"):
        model = Das2f(Architecture.published(4, 3, levels=1))
    grouped = [p for group in parameter_groups(model, 0.1) for p in group["params"]]
    assert len(grouped) == len(list(model.parameters()))
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}
