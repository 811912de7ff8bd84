"""The record of its making that a result raster carries, and that `rerun` reads again.

It is JSON in the raster's metadata, under `TAG`: settings, device, versions and fingerprints, but
no path. A raster may come from a stranger, so what it says is checked before it is used.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from .errors import InputError
from .settings import Choice, Setting, Value

TAG = "TERRAWEAVE"
RERUN_SETTINGS = (
    Setting(
        key="device",
        title="Device",
        help="Where the network runs. “recorded” is the device of the first run; only there, and "
        "with the same versions, can the result be expected to be the same in every pixel.",
        default="recorded",
        choices=(
            Choice("recorded", "The device of the first run"),
            Choice("cuda", "An NVIDIA card"),
            Choice("mps", "The graphics part of an Apple chip"),
            Choice("cpu", "The processor"),
        ),
    ),
)
_LARGEST = 2**18
MOST_ENTRIES = 256
_LONGEST_WORD = 1024
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class RecordedInput:
    """A file that took part: its role, its name, and its fingerprint or “” where it had none.

    `bands` (1-based) are those that were picked; none stand for all. `field` is the class field
    of labels.
    """

    role: str
    name: str
    sha256: str
    bands: tuple[int, ...] = ()
    field: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """How a result raster was made: by which task, and for a map with which model and device.

    `trained_on` and `trained_images` are the fingerprints of the labels and images that the model
    learnt from, as far as they are known.
    """

    task: str
    settings: Mapping[str, Value]
    inputs: tuple[RecordedInput, ...]
    software: Mapping[str, str]
    family: str = ""
    model: str = ""
    device: str = ""
    trained_on: tuple[str, ...] = ()
    trained_images: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The record as the raster carries it."""
        parts: dict[str, object] = {
            "task": self.task,
            "family": self.family,
            "model": self.model,
            "device": self.device,
            "settings": dict(self.settings),
            "inputs": [input_json(one) for one in self.inputs],
            "software": dict(self.software),
            "trained_on": list(self.trained_on),
            "trained_images": list(self.trained_images),
        }
        return json.dumps({key: value for key, value in parts.items() if value not in ("", [])},
                          ensure_ascii=False, allow_nan=False)  # fmt: skip

    @classmethod
    def from_text(cls, text: str, title: str) -> "Record":
        """The record in the metadata of the raster called `title`.

        Raises:
            InputError: it is none, or one that cannot be trusted.
        """
        if len(text) > _LARGEST:
            raise _damaged(title, f"it has {len(text)} characters")
        try:
            return _read(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise _damaged(title, str(error)) from error


def input_json(one: RecordedInput) -> dict[str, object]:
    """An input as a JSON object."""
    parts: dict[str, object] = {"role": one.role, "name": one.name, "sha256": one.sha256}
    more = {"bands": list(one.bands), "field": one.field}
    return parts | {key: value for key, value in more.items() if value}


def _damaged(title: str, reason: str) -> InputError:
    return InputError(
        f"What {title} says about its making cannot be understood ({reason[:200]}); choose a class "
        "raster as Terraweave wrote it."
    )


def _read(data: object) -> Record:
    parts = _object(data, "the record")
    inputs = parts.get("inputs", [])
    if not isinstance(inputs, list) or len(inputs) > MOST_ENTRIES:
        raise ValueError("its inputs are no list of a sensible length")
    return Record(
        task=_word(parts, "task", "predict"),
        settings={key: _value(one, key) for key, one in _part(parts, "settings").items()},
        inputs=tuple(_input(one) for one in inputs),
        software={key: str(one)[:_LONGEST_WORD] for key, one in _part(parts, "software").items()},
        family=_word(parts, "family"),
        model=_word(parts, "model"),
        device=_word(parts, "device"),
        trained_on=_digests(parts.get("trained_on", [])),
        trained_images=_digests(parts.get("trained_images", [])),
    )


def _digests(data: object) -> tuple[str, ...]:
    if not isinstance(data, list) or len(data) > MOST_ENTRIES or not all(map(is_digest, data)):
        raise ValueError("what it was trained on is no list of fingerprints")
    return tuple(data)


def is_digest(value: object) -> TypeGuard[str]:
    """Whether `value` is a SHA-256 as `fingerprint` gives it."""
    return isinstance(value, str) and bool(_SHA256.match(value))


def _object(data: object, name: str) -> Mapping[str, object]:
    if not isinstance(data, dict) or len(data) > MOST_ENTRIES:
        raise ValueError(f"{name} is no object of a sensible size")
    return data


def _part(parts: Mapping[str, object], key: str) -> Mapping[str, object]:
    return _object(parts.get(key, {}), f"“{key}”")


def _word(parts: Mapping[str, object], key: str, default: str = "") -> str:
    word = parts.get(key, default)
    if not isinstance(word, str) or len(word) > _LONGEST_WORD:
        raise ValueError(f"“{key}” is no short text")
    return word


def _value(value: object, key: str) -> Value:
    if isinstance(value, bool | int | float) or (
        isinstance(value, str) and len(value) <= _LONGEST_WORD
    ):
        return value
    raise ValueError(f"the setting “{key[:50]}” is no number, switch or short text")


def _input(data: object) -> RecordedInput:
    parts = _object(data, "an input")
    digest = _word(parts, "sha256")
    if digest and not is_digest(digest):
        raise ValueError("a fingerprint is no SHA-256")
    bands = parts.get("bands", [])
    if not isinstance(bands, list) or not all(
        isinstance(one, int) and 0 < one <= 65535 for one in bands
    ):
        raise ValueError("the bands of an input are no list of numbers from 1 on")
    return RecordedInput(_word(parts, "role"), _word(parts, "name"), digest, tuple(bands),
                         _word(parts, "field"))  # fmt: skip
