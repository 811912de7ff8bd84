"""The card as a STAC item, checked by the extension's own validator."""

import json
from pathlib import Path

import pystac
import torch
from stac_model.schema import MLModelExtension, MLModelProperties
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.model_file import write_model
from terraweave.core.stac import stac_item, write_stac_item

CARD = Card(
    family="das2f",
    name="Fields of the valley",
    inputs=(
        CardInput("MS", (Band("blue", 0.48), Band("red")), (1.0, 2.0), (0.5, 0.25), 2.0),
        CardInput("PAN", (Band("pan"),), (3.0,), (1.0,), 0.5, 4),
    ),
    classes=(MapClass(1, "water", "#0072b2"), MapClass(7, "roads", "#e69f00")),
    window=8,
    overlap=7,
    architecture={"levels": 1},
    provenance={"created": "2026-11-21T10:00:00Z", "software": {"torch": "2.13.0"}},
)


def model(folder: Path) -> Path:
    """A model file with five numbers in it."""
    path = folder / "fields.safetensors"
    write_model(path, CARD, {"a": torch.zeros(3), "b": torch.zeros(2, 1)})
    return path


def test_item_is_valid_for_the_model_extension(tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    write_stac_item(CARD, model(tmp_path), path)
    item = pystac.Item.from_dict(json.loads(path.read_text(encoding="utf-8")))
    properties = MLModelProperties.model_validate(item.properties)
    assert MLModelExtension.has_extension(item)
    assert properties.total_parameters == 5
    assert [one.name for one in properties.input] == ["MS", "PAN"]
    assert properties.input[1].input.shape == [-1, 1, 32, 32]


def test_item_carries_statistics_classes_and_weights(tmp_path: Path) -> None:
    item = stac_item(CARD, model(tmp_path))
    properties = item["properties"]
    assert isinstance(properties, dict)
    scaling = properties["mlm:input"][0]["value_scaling"]
    assert scaling == [
        {"type": "z-score", "mean": 1.0, "stddev": 0.5},
        {"type": "z-score", "mean": 2.0, "stddev": 0.25},
    ]
    classes = properties["mlm:output"][0]["classification:classes"]
    assert [(one["value"], one["name"], one["color_hint"]) for one in classes] == [
        (1, "water", "0072B2"),
        (7, "roads", "E69F00"),
    ]


def test_item_tells_neither_a_folder_nor_a_place(tmp_path: Path) -> None:
    text = json.dumps(stac_item(CARD, model(tmp_path)))
    assert str(tmp_path) not in text
    assert json.loads(text)["geometry"] is None
