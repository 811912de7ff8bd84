"""The DAS²F network: parity with the reference tensors, and what holds without them."""

import itertools

import pytest
import torch
from terraweave.core.errors import ModelFileError
from terraweave.core.families.das2f.checkpoint import import_published, published_names
from terraweave.core.families.das2f.fusion import quartered
from terraweave.core.families.das2f.heads import CentreHead, centre_index, flattened
from terraweave.core.families.das2f.network import Architecture, Das2f
from torch import Tensor

from .golden import NAMES, load_golden, needs_golden


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def inputs(architecture: Architecture, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    edge = architecture.window
    ms = torch.randn(batch, architecture.ms_bands, edge, edge, generator=generator)
    edge *= architecture.ratio
    return ms, torch.randn(batch, 1, edge, edge, generator=generator)


@needs_golden
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("dtype", "values", "gradients"),
    # The published fusion is close to a sign, which amplifies float32's rounding backwards: the
    # plain loop in float32 is off by up to 7e-4.
    [(torch.float64, 2e-7, 1e-6), (torch.float32, 3e-6, 2e-3)],
)
def test_values_and_gradients_are_those_of_the_published_network(
    name: str, dtype: torch.dtype, values: float, gradients: float
) -> None:
    tensors, state = load_golden(name)
    architecture, ours = import_published(state)
    network = Das2f(architecture)
    network.load_state_dict(ours)
    network.to(dtype).eval()
    logits = network(tensors["input.ms"].to(dtype), tensors["input.pan"].to(dtype))
    assert relative(logits, tensors["output.logits"]) < values
    (logits * tensors["loss_weight"].to(dtype)).sum().backward()
    parameters = dict(network.named_parameters())
    names = published_names(architecture.levels)
    compared = {key.removeprefix("grad."): v for key, v in tensors.items() if "grad." in key}
    worst = {
        key: relative(parameters[names[key]].grad.reshape(value.shape), value)
        for key, value in compared.items()
    }
    assert len(worst) > 90
    assert max(worst.values()) < gradients, sorted(worst.items(), key=lambda kv: -kv[1])[:5]


@pytest.mark.parametrize(("levels", "count"), [(2, 17_416_531), (1, 17_107_315)])
def test_published_networks_have_the_published_number_of_parameters(
    levels: int, count: int
) -> None:
    with torch.device("meta"):
        network = Das2f(Architecture.published(4, 11, levels))
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(
    ("window", "ratio", "levels", "fusion"),
    list(itertools.product((8, 16), (2, 4), (1, 2), ("published", "convex"))),
)
def test_every_combination_gives_logits_and_gradients(
    window: int, ratio: int, levels: int, fusion: str
) -> None:
    for head in ("published", "linear", "pooled", "centre"):
        architecture = Architecture(3, 5, window, ratio, levels, fusion, head)
        network = Das2f(architecture)
        logits = network(*inputs(architecture))
        assert logits.shape == (2, 5)
        assert logits.dtype == torch.float32
        logits.square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_a_window_is_classified_the_same_alone_and_in_a_batch() -> None:
    architecture = Architecture(6, 4, levels=2)
    network = Das2f(architecture).double().eval()
    ms, pan = (x.double() for x in inputs(architecture, 5))
    torch.testing.assert_close(
        network(ms, pan)[3:4], network(ms[3:4], pan[3:4]), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("window", "index"), [(16, 7), (8, 3)])
def test_centre_head_sees_the_labelled_token_its_neighbours_and_the_window(
    window: int, index: int
) -> None:
    assert centre_index(window) == index
    head = CentreHead(Architecture(4, 3, window=window))
    tokens = torch.randn(2, window, window, 64)
    centre, around, everything = head.summary(tokens).split(64, dim=1)
    torch.testing.assert_close(centre, tokens[:, index, index])
    neighbours = [tokens[:, index + i, index + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    torch.testing.assert_close(around, torch.stack(neighbours).mean(0))
    torch.testing.assert_close(everything, tokens.flatten(1, 2).mean(1))


def test_quarters_are_a_pixel_shuffle_that_moves_nothing() -> None:
    x = torch.randn(2, 4, 4, 64)
    shuffled = torch.nn.functional.pixel_shuffle(x.permute(0, 3, 1, 2), 2)
    expected = shuffled.flatten(2).transpose(1, 2).flatten(1)
    assert torch.equal(flattened(quartered(x)), expected)


def test_architecture_survives_its_json() -> None:
    for architecture in (Architecture(4, 11), Architecture.published(8, 3, levels=1, ratio=2)):
        assert Architecture.from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ms_bands": 10**12}, "ms_bands = 1000000000000; give a whole number from 1 to 512"),
        ({"classes": 1}, "classes = 1; give a whole number from 2"),
        ({"classes": True}, "classes = True"),
        ({"window": 2**40}, "window = 1099511627776; choose 8 or 16"),
        ({"window": "16"}, "window = '16'"),
        ({"ratio": 3}, "ratio = 3; choose 2 or 4"),
        ({"levels": True}, "levels = True"),
        ({"head": ["centre"]}, "head = "),
        ({"fusion": "sum"}, "fusion = 'sum'; choose published or convex"),
        ({"dropout": float("nan")}, "dropout = nan"),
        ({"depth": 3}, "unknown number “depth”"),
    ],
)
def test_hostile_numbers_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        Architecture.from_json({**Architecture(4, 3).to_json(), **change})


def test_a_missing_number_is_named() -> None:
    data = Architecture(4, 3).to_json()
    del data["ratio"]
    with pytest.raises(ModelFileError, match="lacks “ratio”"):
        Architecture.from_json(data)
    with pytest.raises(ModelFileError, match="no architecture"):
        Architecture.from_json(None)
