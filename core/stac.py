"""A model card as a STAC item with the Machine Learning Model extension.

Source: https://github.com/stac-extensions/mlm, version 1.6.0.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from .card import Card, CardInput, read_header
from .families import family_named

if TYPE_CHECKING:
    from collections.abc import Mapping

_MLM = "https://stac-extensions.github.io/mlm/v1.6.0/schema.json"
_FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"


def write_stac_item(card: Card, model: str | Path, path: str | Path) -> None:
    """Write the card of the file `model` as a STAC item (JSON) to `path`.

    The item has no geometry: a model is not tied to the ground it was trained on, and the card
    does not tell where that was.
    """
    from .scene.aside import written_aside

    text = json.dumps(stac_item(card, Path(model)), indent=2, ensure_ascii=False)
    with written_aside(path) as aside:
        Path(aside).write_text(text + "\n", encoding="utf-8")


def stac_item(card: Card, model: Path) -> dict[str, object]:
    """The STAC item for `card`, whose weights are in the file `model`."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [_MLM, _FILE],
        "id": model.stem,
        "geometry": None,
        "properties": _properties(card, model),
        "links": [],
        "assets": {"model": _asset(card, model)},
    }


def _properties(card: Card, model: Path) -> dict[str, object]:
    family = family_named(card.family)
    software = card.provenance.get("software")
    torch_version = software.get("torch") if isinstance(software, dict) else None
    return {
        "datetime": str(card.provenance.get("created", "1970-01-01T00:00:00Z")),
        "title": card.name,
        "description": family.help,
        "mlm:name": card.name,
        "mlm:architecture": family.title,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "pytorch",
        **({"mlm:framework_version": torch_version} if torch_version else {}),
        "mlm:total_parameters": _parameters(model),
        "mlm:pretrained": True,
        "mlm:accelerator_constrained": False,
        "mlm:hyperparameters": dict(card.architecture),
        "mlm:input": [_input(one, card.window) for one in card.inputs],
        "mlm:output": [_output(card)],
        "sci:citation": family.reference.citation,
        "terraweave:metrics": dict(card.metrics),
    }


def _asset(card: Card, model: Path) -> dict[str, object]:
    return {
        "href": f"./{model.name}",
        "title": card.name,
        "type": "application/octet-stream; application=safetensors",
        "roles": ["mlm:model", "mlm:weights"],
        "mlm:artifact_type": "safetensors",
        "file:size": model.stat().st_size,
    }


def _input(one: CardInput, window: int) -> dict[str, object]:
    edge = window * one.scale
    return {
        "name": one.role,
        "bands": [band.name for band in one.bands],
        "input": {
            "shape": [-1, len(one.bands), edge, edge],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [
            {"type": "z-score", "mean": mean, "stddev": std}
            for mean, std in zip(one.mean, one.std, strict=True)
        ],
        "resize_type": None,
        "pre_processing_function": None,
    }


def _output(card: Card) -> dict[str, object]:
    return {
        "name": "class of a pixel",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(card.classes)],
            "dim_order": ["batch", "class"],
            "data_type": "float32",
        },
        "classification:classes": [
            {
                "value": one.value,
                "name": one.name,
                "description": one.name,
                "color_hint": one.color.lstrip("#").upper(),
            }
            for one in card.classes
        ],
        "post_processing_function": None,
    }


def _parameters(model: Path) -> int:
    """How many numbers the file's tensors hold, from its header alone."""
    header: Mapping[str, object] = read_header(model)
    shapes = (one["shape"] for key, one in header.items() if key != "__metadata__")  # type: ignore[index]
    return sum(math.prod(shape) for shape in shapes)
