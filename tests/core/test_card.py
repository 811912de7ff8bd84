"""Model files read with suspicion: the header alone, every size checked."""

import json
from pathlib import Path

import pytest
from terraweave.core.card import METADATA_KEY, Band, Card, CardInput, read_card
from terraweave.core.classes import MapClass
from terraweave.core.errors import ModelFileError

CARD = Card(
    family="das2f",
    name="Fields",
    inputs=(
        CardInput("MS", (Band("blue", 0.48), Band("red")), (1.0, 2.0), (0.5, 0.25), 2.0),
        CardInput("PAN", (Band("pan"),), (3.0,), (1.0,), 0.5, 4, "uint16", 0.0),
    ),
    classes=(MapClass(1, "water", "#0072b2"), MapClass(7, "roads", "#e69f00")),
    window=8,
    overlap=7,
    architecture={"levels": 1},
    metrics={"kappa": None},
)


def write(path: Path, header: object, body: bytes = b"") -> Path:
    """A file in the form of safetensors with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def with_card(card: object) -> dict[str, object]:
    """A header whose metadata holds `card`."""
    return {
        "__metadata__": {METADATA_KEY: json.dumps(card)},
        "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    }


def test_card_survives_writing_and_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors", with_card(CARD.to_json()), bytes(8))
    assert read_card(path) == CARD


def test_newer_card_is_refused_with_the_remedy(tmp_path: Path) -> None:
    card = {**CARD.to_json(), "terraweave_card": 99}
    path = write(tmp_path / "m.safetensors", with_card(card), bytes(8))
    with pytest.raises(ModelFileError, match=r"version 99, newer than the 1.*update Terraweave"):
        read_card(path)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("window", -1, "window is -1"),
        ("window", 10**9, "window is 1000000000"),
        ("window", True, "window is True"),
        ("inputs", [], "lists with entries"),
        ("classes", "water", "lists with entries"),
        ("classes", [{"value": 0, "name": "a", "color": "#000000"}], "value 0"),
        ("classes", [{"value": 1, "name": "a", "color": "red"}], "colour “red”"),
        ("classes", [{"value": 1, "name": "a", "color": "#000000"}] * 2, "share a value"),
        ("architecture", [], "not an object"),
        ("family", 3, "family is not a text"),
    ],
)
def test_damaged_card_is_refused_by_value(
    tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    card = {**CARD.to_json(), key: value}
    path = write(tmp_path / "m.safetensors", with_card(card), bytes(8))
    with pytest.raises(ModelFileError, match=complaint):
        read_card(path)


@pytest.mark.parametrize("mean", [[1.0], [1.0, float("inf")], ["a", "b"]])
def test_statistics_that_do_not_fit_the_bands_are_refused(tmp_path: Path, mean: object) -> None:
    card = CARD.to_json()
    card["inputs"][0]["mean"] = mean  # type: ignore[index]
    path = write(tmp_path / "m.safetensors", with_card(card), bytes(8))
    with pytest.raises(ModelFileError, match="damaged"):
        read_card(path)


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "PICKLE", "shape": [2], "data_offsets": [0, 8]},
        {"shape": [2], "data_offsets": [0, 8]},
        ["F32", [2]],
    ],
)
def test_header_that_claims_what_is_not_there_is_refused(tmp_path: Path, tensor: object) -> None:
    header = {**with_card(CARD.to_json()), "w": tensor}
    path = write(tmp_path / "m.safetensors", header, bytes(8))
    with pytest.raises(ModelFileError, match="the size of “w” does not add up"):
        read_card(path)


def test_truncated_file_is_refused_with_both_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors", with_card(CARD.to_json()), bytes(3))
    with pytest.raises(ModelFileError, match="describes 8 bytes of weights, the file has 3"):
        read_card(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        (2**62).to_bytes(8, "little") + b"{}",
        (6).to_bytes(8, "little") + b"[1, 2]",
        (8).to_bytes(8, "little") + b"{'a': 1}",
        (60000).to_bytes(8, "little") + b"[" * 60000,
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"m\.safetensors is not a model file"):
        read_card(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"gone\.safetensors cannot be read: No such file"):
        read_card(tmp_path / "gone.safetensors")


def test_file_of_other_software_is_pointed_to_the_import(tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors", {"__metadata__": {"format": "pt"}})
    with pytest.raises(ModelFileError, match=r"no Terraweave card.*Import checkpoint"):
        read_card(path)
