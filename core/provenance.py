"""Where a result comes from: software, settings and fingerprints, without paths or names."""

import hashlib
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import rasterio
import torch

from . import __version__
from .card import Card
from .job import Job
from .record import MOST_ENTRIES, RecordedInput, input_json, is_digest

_CHUNK = 2**20
_CHUNKS = 16
_LABELS = ("LABELS", "FINE_LABELS")


def software() -> dict[str, str]:
    """The versions that take part in a result."""
    return {
        "terraweave": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "rasterio": rasterio.__version__,
        "gdal": rasterio.__gdal_version__,
        "system": platform.system(),
        "machine": platform.machine(),
    }


def fingerprint(path: str | Path) -> str:
    """A SHA-256 over the file's size and sixteen spread mebibytes, quick for files of any size.

    An empty text where the path is no plain file (a database, a subdataset).
    """
    file = Path(path)
    if not file.is_file():
        return ""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    step = max(1, (size - _CHUNK) // (_CHUNKS - 1)) if size > _CHUNK * _CHUNKS else _CHUNK
    with file.open("rb") as stream:
        for index in range(_CHUNKS):
            stream.seek(index * step)
            digest.update(stream.read(_CHUNK))
    return digest.hexdigest()


def recorded_inputs(job: Job) -> tuple[RecordedInput, ...]:
    """Role, name and fingerprint of every input of `job`."""
    images = [(role, one) for role, some in job.inputs.items() for one in some]
    labels, area, model = job.labels, job.area, job.model
    further = job.features.items()
    return (
        *(_recorded(role, one.title, one.path, bands=one.bands) for role, one in images),
        *([_recorded("LABELS", labels.title, labels.path, field=labels.field)] if labels else []),
        *([_recorded("AREA", area.title, area.path)] if area else []),
        *(_recorded(key, one.title, one.path, field=one.field) for key, one in further),
        *([_recorded("MODEL", Path(model).name, model)] if model else []),
    )


def _recorded(
    role: str, title: str, path: str, bands: tuple[int, ...] = (), field: str = ""
) -> RecordedInput:
    return RecordedInput(role, Path(title).name, fingerprint(path), bands, field)


def inputs_of(job: Job) -> list[dict[str, object]]:
    """Role, name and fingerprint of every input of `job`, as JSON objects."""
    return [input_json(one) for one in recorded_inputs(job)]


def training_labels(card: Card) -> tuple[str, ...]:
    """Fingerprints of the labels that the model of `card` learnt from; none where it is silent."""
    return _digests(card, lambda role: role in _LABELS)


def training_images(card: Card) -> tuple[str, ...]:
    """Fingerprints of the images that the model of `card` learnt from, of the first 256."""
    roles = {one.role for one in card.inputs}
    return _digests(card, lambda role: role.removeprefix("FINE_") in roles)


def _digests(card: Card, wanted: Callable[[str], bool]) -> tuple[str, ...]:
    inputs = card.provenance.get("inputs")
    found = [one for one in inputs if isinstance(one, dict)] if isinstance(inputs, list) else []
    digests = (one.get("sha256") for one in found if wanted(str(one.get("role"))))
    return tuple(one for one in digests if is_digest(one))[:MOST_ENTRIES]


def digest_of(parts: Iterable[bytes]) -> str:
    """The SHA-256 of all parts, one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
