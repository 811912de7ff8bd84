"""Where a result comes from: software, settings and fingerprints, without paths or names."""

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import rasterio
import torch

from . import __version__
from .job import Job

_CHUNK = 2**20
_CHUNKS = 16


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


def inputs_of(job: Job) -> list[dict[str, str]]:
    """Role, name and fingerprint of every input of `job`."""
    sources = [(role, one.title, one.path) for role, some in job.inputs.items() for one in some]
    sources += [("LABELS", job.labels.title, job.labels.path)] if job.labels else []
    sources += [("AREA", job.area.title, job.area.path)] if job.area else []
    sources += [("MODEL", Path(job.model).name, job.model)] if job.model else []
    return [
        {"role": role, "name": Path(title).name, "sha256": fingerprint(path)}
        for role, title, path in sources
    ]


def digest_of(parts: Iterable[bytes]) -> str:
    """The SHA-256 of all parts, one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
