"""Checkpoints of the published code."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from terraweave.core.errors import InputError, ModelFileError
from terraweave.core.families.das2f.checkpoint import (
    import_published,
    published_names,
    read_checkpoint,
)
from terraweave.core.families.das2f.network import Architecture, Das2f
from torch import Tensor

PUBLISHED = Architecture.published(3, 5, levels=1)


@pytest.fixture(scope="module")
def network() -> Das2f:
    return Das2f(PUBLISHED)


@pytest.fixture
def state(network: Das2f) -> dict[str, Tensor]:
    """The weights under the published names and shapes."""
    ours = network.state_dict()
    merged = ("A_logs", "Ds")
    return {
        published: ours[name].flatten(0, 1) if any(m in published for m in merged) else ours[name]
        for published, name in published_names(1).items()
    }


@pytest.mark.parametrize("levels", [1, 2])
def test_every_weight_has_one_published_name(levels: int) -> None:
    with torch.device("meta"):
        ours = Das2f(Architecture.published(4, 11, levels)).state_dict()
    names = published_names(levels)
    assert sorted(names.values()) == sorted(ours)


def test_a_published_checkpoint_becomes_the_same_network(
    network: Das2f, state: Mapping[str, Tensor]
) -> None:
    prefixed = {f"module.{name}": value for name, value in state.items()}
    architecture, ours = import_published({**prefixed, "module.total_ops": torch.zeros(1)})
    assert architecture == PUBLISHED
    expected = network.state_dict()
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], expected[name]) for name in ours)


def test_a_missing_weight_is_named(state: dict[str, Tensor]) -> None:
    del state["mamba_pan_1.mamba.Ds"]
    with pytest.raises(ModelFileError, match=r"lacks the weight “mamba_pan_1.mamba.Ds”"):
        import_published(state)


def test_a_weight_of_another_shape_is_named(state: dict[str, Tensor]) -> None:
    state["mamba_ms_1.mlp.0.weight"] = torch.zeros(7, 64)
    with pytest.raises(ModelFileError, match=r"“mamba_ms_1.mlp.0.weight” has shape \(7, 64\)"):
        import_published(state)


def test_an_unknown_weight_is_named(state: dict[str, Tensor]) -> None:
    state["encoder.weight"] = torch.zeros(2)
    with pytest.raises(ModelFileError, match=r"“encoder.weight” that the published DAS²F lacks"):
        import_published(state)


def test_weights_that_are_not_numbers_are_refused(state: dict[str, Tensor]) -> None:
    state["R1.conv.bias"] = torch.full((4,), float("nan"))
    with pytest.raises(ModelFileError, match=r"“R1.conv.bias” holds NaN"):
        import_published(state)


def test_torch_and_safetensors_files_hold_the_same(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pth")
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        read = read_checkpoint(tmp_path / name)
        assert all(torch.equal(read[key], state[key]) for key in state)


class Payload:
    """Something that would run when unpickled without care."""

    def __reduce__(self) -> tuple[object, ...]:
        """What a careless reader would call."""
        return (Path.touch, (Path("executed"),))


def test_nothing_in_a_checkpoint_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(ModelFileError, match=r"evil.pth is damaged, or holds more than plain"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not Path("executed").exists()


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ModelFileError, match="damaged"):
        read_checkpoint(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.pth cannot be read"):
        read_checkpoint(tmp_path / "gone.pth")


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(ModelFileError, match="“epoch”, which is not a weight"):
        read_checkpoint(tmp_path / "a.pth")
