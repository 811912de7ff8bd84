"""The model card, and the header of a model file, read without torch.

A model file is a safetensors file: eight bytes with the header's length, the header as JSON, the
tensors. The card is one JSON text in the header's metadata.
Source of the format: https://github.com/huggingface/safetensors.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .classes import MapClass
from .errors import InputError, ModelFileError

VERSION = 1
METADATA_KEY = "terraweave"
STOPPED_AFTER, PLANNED = "stopped_after_epoch", "planned_epochs"
"""Where a card's training part says that it ended early: the epochs done, and those wanted."""

REFIT_STOPPED = "refit_stopped_after_epoch"
"""The same of the last training, on all labels, after the model was measured."""

_LARGEST_HEADER = 16 * 2**20
_ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """One band of an input: its name, and its centre wavelength in micrometres if known."""

    name: str
    wavelength: float | None = None


@dataclass(frozen=True, slots=True)
class CardInput:
    """What the network was trained on in one role.

    `mean` and `std` are per band, in the raster's own numbers; `gsd` is in metres on the ground;
    `scale` is the number of pixels along the edge of one pixel of the reference grid. `facts` are
    further numbers by name that a family keeps about its training ground.
    """

    role: str
    bands: tuple[Band, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd: float
    scale: int = 1
    data_type: str = "float32"
    nodata: float | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a model file says about itself."""

    family: str
    name: str
    inputs: tuple[CardInput, ...]
    classes: tuple[MapClass, ...]
    window: int
    overlap: int
    architecture: Mapping[str, object]
    training: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)

    def input(self, role: str) -> CardInput:
        """The input in `role`; raises ModelFileError where the model has none."""
        for one in self.inputs:
            if one.role == role:
                return one
        raise ModelFileError(f"The model has no input {role}; it is damaged or not for this tool.")

    def to_json(self) -> dict[str, object]:
        """The card as a JSON object."""
        return {
            "terraweave_card": VERSION,
            "family": self.family,
            "name": self.name,
            "inputs": [_input_json(one) for one in self.inputs],
            "classes": [one.to_json() for one in self.classes],
            "window": self.window,
            "overlap": self.overlap,
            "architecture": dict(self.architecture),
            "training": dict(self.training),
            "metrics": dict(self.metrics),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, data: object) -> "Card":
        """The card in a JSON object.

        Raises:
            ModelFileError: it is not a card, or one of a newer version.
        """
        if not isinstance(data, Mapping):
            raise ModelFileError("The model file has no Terraweave card.")
        version = data.get("terraweave_card")
        if not isinstance(version, int):
            raise ModelFileError("The model file's card has no version.")
        if version > VERSION:
            raise ModelFileError(
                f"The model file's card has version {version}, newer than the {VERSION} that "
                "this software reads; update Terraweave."
            )
        try:
            return _card(data)
        except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
            raise ModelFileError(f"The model file's card is damaged: {error}.") from error


def earlier_models(card: Card) -> tuple[str, ...]:
    """The models that this one came from, the nearest first, each with its score in words."""
    told = card.metrics.get("earlier")
    single = len(card.classes) == 1
    every = told if isinstance(told, list) else []
    found = [_earlier_text(one, single=single) for one in every]
    nearest = card.provenance.get("earlier_model")
    if not found and isinstance(nearest, Mapping) and nearest.get("name"):
        found = [str(nearest["name"])]
    return tuple(one for one in found if one)


def _earlier_text(one: object, *, single: bool) -> str:
    """Its name, and where a `single` class is found that one's score, which stands first."""
    if not isinstance(one, Mapping) or not one.get("model"):
        return ""
    classes = one.get("classes")
    first = classes[0] if isinstance(classes, list) and classes and single else None
    score = first.get("iou") if isinstance(first, Mapping) else None
    if not isinstance(score, float):
        return str(one["model"])
    return f"{one['model']} (IoU {score:.3f} in its own training)"


def unfinished(card: Card) -> str:
    """The sentences about a training that ended before its last epoch, or "" where it did not."""
    again = "The same training, started again into the same file (MODEL), goes on where it stopped."
    of = f" of {card.training[PLANNED]}" if PLANNED in card.training else ""
    if STOPPED_AFTER in card.training:
        done = card.training[STOPPED_AFTER]
        return (
            f"The training of the model “{card.name}” was not finished: it was stopped after epoch "
            f"{done}{of}. The file holds the weights of the best epoch until then "
            f"({card.training.get('best_epoch', done)}), without scores. {again}"
        )
    if REFIT_STOPPED in card.training:
        done = card.training[REFIT_STOPPED]
        when = f"after epoch {done}{of}" if done else "before its first epoch was kept"
        return (
            f"The training of the model “{card.name}” on all labels was stopped {when}. The file "
            "holds the weights that were measured, which have not learnt from the held-out "
            f"ground. {again}"
        )
    return ""


def _input_json(one: CardInput) -> dict[str, object]:
    return {
        "role": one.role,
        "bands": [{"name": band.name, "wavelength": band.wavelength} for band in one.bands],
        "mean": list(one.mean),
        "std": list(one.std),
        "gsd": one.gsd,
        "scale": one.scale,
        "data_type": one.data_type,
        "nodata": one.nodata,
        **({"facts": dict(one.facts)} if one.facts else {}),
    }


def _card(data: Mapping[str, object]) -> Card:
    mappings = ("architecture", "training", "metrics", "provenance")
    for key in mappings:
        if not isinstance(data[key], Mapping):
            raise TypeError(f"“{key}” is not an object")
    inputs, classes = data["inputs"], data["classes"]
    if not isinstance(inputs, list) or not isinstance(classes, list) or not inputs or not classes:
        raise TypeError("inputs and classes must be lists with entries")
    read = tuple(MapClass.from_json(one) for one in classes)
    if len({one.value for one in read}) != len(read):
        raise ValueError("two classes share a value")
    return Card(
        family=_text(data["family"], "family"),
        name=_text(data["name"], "name"),
        inputs=tuple(_card_input(one) for one in inputs),
        classes=read,
        window=_whole(data["window"], "window", 1, 8192),
        overlap=_whole(data["overlap"], "overlap", 0, 8192),
        **{key: data[key] for key in mappings},  # type: ignore[arg-type]
    )


def _card_input(data: Mapping[str, object]) -> CardInput:
    bands = tuple(_band(one) for one in data["bands"])  # type: ignore[attr-defined]
    mean = tuple(_number(one, "mean") for one in data["mean"])  # type: ignore[attr-defined]
    std = tuple(_number(one, "std") for one in data["std"])  # type: ignore[attr-defined]
    if not 1 <= len(bands) <= 4096 or len(mean) != len(bands) or len(std) != len(bands):
        raise ValueError(f"{len(bands)} bands, {len(mean)} means and {len(std)} deviations")
    if min(std) <= 0:
        raise ValueError("a standard deviation is not positive")
    gsd = _number(data["gsd"], "gsd")
    if gsd <= 0:
        raise ValueError(f"the GSD is {gsd}")
    nodata = data.get("nodata")
    return CardInput(
        role=_text(data["role"], "role"),
        bands=bands,
        mean=mean,
        std=std,
        gsd=gsd,
        scale=_whole(data["scale"], "scale", 1, 64),
        data_type=_text(data.get("data_type", "float32"), "data_type"),
        nodata=None if nodata is None else _number(nodata, "nodata"),
        facts={key: _number(one, key) for key, one in data.get("facts", {}).items()},  # type: ignore[attr-defined]
    )


def _band(data: Mapping[str, object]) -> Band:
    wavelength = data.get("wavelength")
    return Band(
        _text(data["name"], "band name"),
        None if wavelength is None else _number(wavelength, "wavelength"),
    )


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is not a text")
    return value


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} is {value!r}")
    return float(value)


def _whole(value: object, what: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}")
    return value


def read_header(path: str | Path) -> dict[str, object]:
    """The JSON header of a safetensors file, with every size checked against the file.

    Raises:
        ModelFileError: the file cannot be read, is not safetensors, is truncated, or claims
            sizes that it does not have.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise ModelFileError(
                    f"{path.name} is not a model file, or was cut off; choose a *.safetensors "
                    "file that Terraweave wrote."
                )
            header = json.loads(file.read(length))
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path.name} is not a model file: its header is no JSON.") from error
    if not isinstance(header, dict):
        raise ModelFileError(f"{path.name} is not a model file: its header is no object.")
    _check_tensors(header, size - 8 - length, path.name)
    return header


def _check_tensors(header: Mapping[str, object], available: int, name: str) -> None:
    end = 0
    for key, tensor in header.items():
        if key == "__metadata__":
            continue
        try:
            begin, stop = tensor["data_offsets"]  # type: ignore[index]
            shape = tensor["shape"]  # type: ignore[index]
            needed = _ITEM_BYTES[tensor["dtype"]]  # type: ignore[index]
            for length in shape:
                needed *= _whole(length, "a length", 0, 2**40)
            fits = stop - begin == needed and 0 <= begin <= stop
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise ModelFileError(f"{name} is damaged: the size of “{key[:80]}” does not add up.")
        end = max(end, stop)
    if end != available:
        raise ModelFileError(
            f"{name} is cut off or damaged: its header describes {end} bytes of weights, the "
            f"file has {available}. Copy it again from where it came."
        )


def read_card(path: str | Path) -> Card:
    """The card of the model file at `path`, without reading its weights.

    Raises:
        ModelFileError: the file is damaged, newer than this software, or has no card.
    """
    metadata = read_header(path).get("__metadata__")
    text = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    if not isinstance(text, str):
        raise ModelFileError(
            f"{Path(path).name} has no Terraweave card; a checkpoint of other software comes in "
            "through “Import checkpoint”."
        )
    try:
        return Card.from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"The card of {Path(path).name} is no JSON.") from error
