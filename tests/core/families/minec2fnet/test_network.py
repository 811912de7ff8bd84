"""The network: shapes, taps, sizes, and bounds."""

import pytest
import torch
from terraweave.core.errors import ModelFileError
from terraweave.core.families.minec2fnet.architecture import PROFILES, Architecture
from terraweave.core.families.minec2fnet.network import FootprintNet


@pytest.mark.parametrize("bands", [1, 4, 10])
def test_any_number_of_bands_gives_one_logit_a_pixel(bands: int) -> None:
    network = FootprintNet(Architecture(bands))
    assert network(torch.randn(2, bands, 64, 64)).shape == (2, 64, 64)


def test_windows_need_not_be_multiples_of_the_stride(network: FootprintNet) -> None:
    assert network(torch.randn(1, 4, 33, 70)).shape == (1, 33, 70)


def test_taps_lie_at_strides_4_8_16_32_and_1(network: FootprintNet) -> None:
    tapped = network.tapped(torch.randn(1, 4, 64, 96))
    sizes = [tuple(one.shape[-2:]) for one in tapped.features]
    assert sizes == [(16, 24), (8, 12), (4, 6), (2, 3), (64, 96)]
    widths = [one.shape[1] for one in tapped.features]
    assert widths == [*PROFILES["small"].widths, PROFILES["small"].full]


def test_taps_do_not_change_the_logits(network: FootprintNet) -> None:
    bands = torch.randn(1, 4, 32, 32)
    assert torch.equal(network(bands), network.tapped(bands).logits)


@pytest.mark.parametrize(
    ("profile", "millions"), [("small", 1.0), ("resnet18", 14.5), ("resnet34", 24.6)]
)
def test_profiles_have_the_size_they_are_said_to_have(profile: str, millions: float) -> None:
    with torch.device("meta"):
        network = FootprintNet(Architecture(4, profile))
    count = sum(one.numel() for one in network.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.05)


def test_every_parameter_takes_part(network: FootprintNet) -> None:
    network(torch.randn(2, 4, 64, 64)).square().mean().backward()
    idle = [name for name, one in network.named_parameters() if not one.grad.abs().sum() > 0]
    assert idle == []


def test_a_window_in_a_batch_is_answered_as_alone(network: FootprintNet) -> None:
    bands = torch.randn(3, 4, 64, 64)
    assert torch.allclose(network(bands)[1], network(bands[1:2])[0], atol=1e-5)


def test_architecture_survives_the_card_among_other_numbers() -> None:
    one = Architecture(10, "resnet18")
    assert Architecture.from_json({**one.to_json(), "working_gsd": 10.0}) == one


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"bands": 0, "profile": "small"}, "0 bands; give 1 to 512"),
        ({"bands": True, "profile": "small"}, "True bands"),
        ({"bands": 10**9, "profile": "small"}, "1000000000 bands"),
        ({"bands": 3, "profile": "huge"}, "choose small or resnet18 or resnet34"),
        ({"bands": 3}, "lacks “profile”"),
        (None, "no architecture"),
    ],
)
def test_what_no_network_has_is_refused(data: object, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        Architecture.from_json(data)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_convolution_of_one_pixel_strides(profile: str) -> None:
    # In torch 2.13 such a convolution of 8 channels, channels last, ends the process.
    with torch.device("meta"):
        network = FootprintNet(Architecture(4, profile))
    small = [m for m in network.modules() if getattr(m, "kernel_size", None) == (1, 1)]
    assert len(small) > 4
    assert all(one.stride == (1, 1) for one in small)
