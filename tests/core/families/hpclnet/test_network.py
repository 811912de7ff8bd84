"""The network: shapes for any bands and profile, variants, skips, bounds of its numbers."""

import pytest
import torch
from terraweave.core.errors import ModelFileError
from terraweave.core.families.hpclnet.architecture import VARIANTS, Architecture
from terraweave.core.families.hpclnet.hyperpixel_learning import Contrast, HyperpixelLearning
from terraweave.core.families.hpclnet.network import Attention, Fusion, HpclNet, Projector
from terraweave.core.nn.blocks import normalisation_for
from torch import nn


def small(**numbers: object) -> Architecture:
    return Architecture(**{"image_bands": 3, "width": 8, "window": 32, **numbers})  # type: ignore[arg-type]


def channels(architecture: Architecture, count: int = 2, edge: int = 32) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(count, architecture.image_bands + architecture.terrain_bands, edge, edge)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bands", [1, 3, 14])
def test_every_variant_takes_any_number_of_bands(bands: int, variant: str) -> None:
    architecture = small(image_bands=bands, variant=variant)
    network = HpclNet(architecture)
    answer = network.answer(channels(architecture))
    assert answer.logits.shape == (2, 32, 32)
    assert answer.fused.shape == (2, network.fused_channels, 4, 4)
    answer.logits.sum().backward()
    assert all(one.grad is not None for one in network.parameters())


def test_the_small_network_has_about_0_6_million_weights() -> None:
    count = sum(one.numel() for one in HpclNet(Architecture(3)).parameters())
    assert 0.5e6 < count < 0.7e6


def test_the_network_of_the_paper_fuses_at_stride_16() -> None:
    architecture = Architecture(3, profile="paper", window=512)
    network = HpclNet(architecture).eval()
    with torch.inference_mode():
        answer = network.answer(channels(architecture, 1, 64))
    assert answer.logits.shape == (1, 64, 64)
    assert answer.fused.shape == (1, 256, 4, 4)
    assert architecture.stride == 16


@pytest.mark.parametrize("variant", ["image", "dem"])
def test_a_variant_of_one_input_does_not_see_the_other(variant: str) -> None:
    architecture = small(variant=variant)
    network, values = HpclNet(architecture).eval(), channels(small())
    other = values.clone()
    part = slice(3, None) if variant == "image" else slice(0, 3)
    other[:, part] += 5
    with torch.inference_mode():
        torch.testing.assert_close(network(values), network(other))


def test_fusion_sees_both_inputs() -> None:
    network, values = HpclNet(small()).eval(), channels(small())
    with torch.inference_mode():
        before = network(values)
        for part in (slice(0, 3), slice(3, None)):
            other = values.clone()
            other[:, part] = 0
            assert (network(other) - before).abs().max() > 1e-3


def test_fused_alone_is_what_the_answer_has() -> None:
    network, values = HpclNet(small()).eval(), channels(small())
    with torch.inference_mode():
        torch.testing.assert_close(network.fused(values), network.answer(values).fused)


def test_the_windows_of_a_batch_do_not_see_each_other() -> None:
    network, values = HpclNet(small()).eval(), channels(small())
    with torch.inference_mode():
        alone = torch.cat([network(one[None]) for one in values])
        torch.testing.assert_close(network(values), alone, atol=1e-5, rtol=1e-4)


def test_the_gate_chooses_between_image_and_terrain() -> None:
    fusion = Fusion(8)
    torch.nn.init.zeros_(fusion.gate.weight)
    image, terrain = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    seen = []
    fusion.join.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    for bias, expected in ((50.0, [image, 0 * terrain]), (-50.0, [0 * image, terrain])):
        torch.nn.init.constant_(fusion.gate.bias, bias)
        fusion(image, terrain)
        torch.testing.assert_close(seen[-1], torch.cat(expected, 1))


def test_attention_weighs_a_skip_between_nothing_and_all() -> None:
    attention, skip, fused = Attention(8, 4), torch.rand(1, 4, 16, 16), torch.randn(1, 8, 4, 4)
    weighed = attention(skip, fused)
    assert weighed.shape == skip.shape
    assert bool(((weighed >= 0) & (weighed <= skip)).all())


def test_projected_hyper_pixels_have_length_1() -> None:
    vectors = Projector(16, 64)(torch.randn(2, 16, 4, 4))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2, 4, 4))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ({"image_bands": 0}, "image_bands = 0; give a whole number from 1 to 512"),
        ({"image_bands": 2**40}, "give a whole number from 1 to 512"),
        ({"profile": "huge"}, "profile = 'huge'; choose small, paper"),
        ({"variant": "sum"}, "choose fusion, image, dem, stacked"),
        ({"window": 36}, "window = 36; give a multiple of 8"),
        ({"width": 20}, "width = 20; give a multiple of 8"),
        ({"working_gsd": float("nan")}, "working_gsd = nan; give metres above 0"),
        ({"working_gsd": True}, "give metres above 0"),
    ],
)
def test_numbers_out_of_bounds_are_refused(numbers: dict[str, object], text: str) -> None:
    with pytest.raises(ModelFileError, match=text):
        small(**numbers)


def test_an_architecture_survives_the_card() -> None:
    architecture = small(variant="stacked", working_gsd=2.5)
    data = architecture.to_json()
    assert Architecture.from_json(data) == architecture
    with pytest.raises(ModelFileError, match="lacks “width”"):
        Architecture.from_json({key: value for key, value in data.items() if key != "width"})
    with pytest.raises(ModelFileError, match="unknown number “depth”"):
        Architecture.from_json({**data, "depth": 3})


def test_models_from_before_there_was_a_choice_normalise_over_groups() -> None:
    data = small().to_json()
    del data["normalisation"]
    assert Architecture.from_json(data).normalisation == "group"
    with pytest.raises(ModelFileError, match="normalisation = 'layer'; choose group, batch"):
        small(normalisation="layer")


@pytest.mark.parametrize(
    ("batch", "kind", "other"),
    [(8, nn.BatchNorm2d, nn.GroupNorm), (7, nn.GroupNorm, nn.BatchNorm2d)],
)
def test_large_batches_are_normalised_as_one(
    batch: int, kind: type[nn.Module], other: type[nn.Module]
) -> None:
    network = HpclNet(small(normalisation=normalisation_for(batch)))
    projector = HyperpixelLearning(network, Contrast(), 10).projector
    for one in (network, projector):
        assert any(isinstance(part, kind) for part in one.modules())
        assert not any(isinstance(part, other) for part in one.modules())
