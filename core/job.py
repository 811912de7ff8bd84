"""The job document: everything one run of the worker needs, as versioned JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .classes import MapClass
from .errors import InputError, JobError

VERSION = 1
_RASTERS = (".tif", ".tiff", ".vrt", ".jp2", ".img")


def rasters_in(path: str) -> list[str]:
    """The rasters of a folder in the order of their names; any other path by itself.

    Raises:
        InputError: the folder holds none.
    """
    folder = Path(path) if path else None
    if folder is None or not folder.is_dir():
        return [path]
    found = sorted(str(one) for one in folder.iterdir() if one.suffix.lower() in _RASTERS)
    if not found:
        raise InputError(
            f"The folder “{folder.name}” holds no raster ({', '.join(_RASTERS)}); choose another "
            "folder, or the files themselves."
        )
    return found


@dataclass(frozen=True, slots=True)
class Source:
    """A raster file; `name` is what the user calls it, `bands` (1-based) narrows it down.

    `classes` carries names and colours that the style of a class raster already has.
    """

    path: str
    name: str = ""
    bands: tuple[int, ...] = ()
    classes: tuple[MapClass, ...] = ()

    @property
    def title(self) -> str:
        """What to call the raster when speaking to the user."""
        return self.name or self.path.replace("\\", "/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Features:
    """Labels or areas: a vector file, GeoJSON that the host wrote, or a class raster.

    `crs` (WKT) overrides what the file says, since plain GeoJSON cannot say it. `classes` carries
    names and colours that the layer's style already has.
    """

    path: str
    name: str = ""
    layer: str = ""
    field: str = ""
    crs: str = ""
    classes: tuple[MapClass, ...] = ()

    @property
    def title(self) -> str:
        """What to call the layer when speaking to the user."""
        return self.name or self.path.replace("\\", "/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Extent:
    """A rectangle in the coordinate system `crs` (WKT or an authority's code)."""

    west: float
    south: float
    east: float
    north: float
    crs: str


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker process is asked to do; see `from_json` for the document's form.

    `features` are further labels and areas by name, such as FINE_LABELS. `about` is the task that
    an `estimate` is asked for; where it is not said, labels make it a training.
    """

    task: str
    family: str = ""
    inputs: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    labels: Features | None = None
    area: Features | None = None
    model: str = ""
    extent: Extent | None = None
    features: Mapping[str, Features] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    about: str = ""

    def output(self, key: str) -> str:
        """Where to write the output `key`, or an empty string where nobody asked for it."""
        return self.outputs.get(key, "")

    def to_json(self) -> dict[str, object]:
        """The document; empty parts are left out."""
        parts: dict[str, object] = {
            "terraweave_job": VERSION,
            "task": self.task,
            "about": self.about,
            "family": self.family,
            "inputs": {role: [_source_json(s) for s in some] for role, some in self.inputs.items()},
            "labels": _features_json(self.labels),
            "area": _features_json(self.area),
            "model": self.model,
            "extent": _extent_json(self.extent),
            "features": {key: _features_json(one) for key, one in self.features.items()},
            "settings": dict(self.settings),
            "outputs": dict(self.outputs),
        }
        return {key: value for key, value in parts.items() if value or key == "terraweave_job"}

    @classmethod
    def from_json(cls, document: object) -> "Job":
        """The job that a document describes.

        Raises:
            JobError: the document has another version or form.
        """
        if not isinstance(document, Mapping):
            raise JobError("The job document is not a JSON object.")
        version = document.get("terraweave_job")
        if version != VERSION:
            raise JobError(
                f"The job document has version {version!r}; this worker understands {VERSION}. "
                "Use the worker that came with the plugin."
            )
        unknown = set(document) - {"terraweave_job", *cls.__dataclass_fields__}
        if unknown:
            raise JobError(f"The job document has an unknown part “{sorted(unknown)[0]}”.")
        return cls(
            task=_text(document, "task"),
            family=_text(document, "family"),
            inputs=_inputs(document.get("inputs", {})),
            labels=_features(document.get("labels"), "labels"),
            area=_features(document.get("area"), "area"),
            model=_text(document, "model"),
            extent=_extent(document.get("extent")),
            features=_named_features(document),
            settings=_mapping(document, "settings"),
            outputs={
                key: _text(_mapping(document, "outputs"), key)
                for key in _mapping(document, "outputs")
            },
            about=_text(document, "about"),
        )

    @classmethod
    def from_text(cls, text: str) -> "Job":
        """The job in a JSON text; raises JobError where it is not one."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise JobError(f"The job document is not JSON: {error}.") from error
        return cls.from_json(document)


def _source_json(source: Source) -> dict[str, object]:
    parts: dict[str, object] = {
        "path": source.path,
        "name": source.name,
        "bands": list(source.bands),
        "classes": [one.to_json() for one in source.classes],
    }
    return {key: value for key, value in parts.items() if value}


def _features_json(features: Features | None) -> dict[str, object]:
    if features is None:
        return {}
    parts: dict[str, object] = {
        key: getattr(features, key) for key in ("path", "name", "layer", "field", "crs")
    }
    parts["classes"] = [item.to_json() for item in features.classes]
    return {key: value for key, value in parts.items() if value}


def _extent_json(extent: Extent | None) -> dict[str, object]:
    if extent is None:
        return {}
    return {key: getattr(extent, key) for key in ("west", "south", "east", "north", "crs")}


def _text(document: Mapping[str, object], key: str) -> str:
    value = document.get(key, "")
    if not isinstance(value, str):
        raise JobError(f"“{key}” in the job document is {value!r}; it must be a text.")
    return value


def _mapping(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key, {})
    if not isinstance(value, Mapping):
        raise JobError(f"“{key}” in the job document is {value!r}; it must be an object.")
    return value


def _inputs(data: object) -> dict[str, tuple[Source, ...]]:
    if not isinstance(data, Mapping):
        raise JobError("“inputs” in the job document must be an object of lists by role.")
    return {role: tuple(_source(one, role) for one in some) for role, some in data.items()}


def _source(data: object, role: str) -> Source:
    if not isinstance(data, Mapping) or not isinstance(data.get("path"), str):
        raise JobError(f"An input {role} in the job document has no path.")
    bands = data.get("bands", [])
    if not isinstance(bands, list) or not all(isinstance(b, int) and b > 0 for b in bands):
        raise JobError(f"The bands of input {role} are {bands!r}; give numbers from 1 on.")
    classes = _classes(data, f"input {role}")
    return Source(data["path"], _text(data, "name"), tuple(bands), classes)


def _features(data: object, key: str) -> Features | None:
    if not data:
        return None
    if not isinstance(data, Mapping) or not isinstance(data.get("path"), str):
        raise JobError(f"“{key}” in the job document has no path.")
    texts = {part: _text(data, part) for part in ("path", "name", "layer", "field", "crs")}
    return Features(**texts, classes=_classes(data, f"“{key}”"))


def _named_features(document: Mapping[str, object]) -> dict[str, Features]:
    given = _mapping(document, "features")
    read = {key: _features(given[key], key) for key in given}
    return {key: one for key, one in read.items() if one is not None}


def _classes(data: Mapping[str, object], owner: str) -> tuple[MapClass, ...]:
    classes = data.get("classes", [])
    if not isinstance(classes, list):
        raise JobError(f"The classes of {owner} in the job document must be a list.")
    return tuple(MapClass.from_json(one) for one in classes)


def _extent(data: object) -> Extent | None:
    if not data:
        return None
    sides = ("west", "south", "east", "north")
    if not isinstance(data, Mapping) or not all(
        isinstance(data.get(side), int | float) for side in sides
    ):
        raise JobError(f"“extent” in the job document needs the numbers {', '.join(sides)}.")
    west, south, east, north = (float(data[side]) for side in sides)
    if not (west < east and south < north):
        raise JobError("The extent is empty: west must be below east and south below north.")
    return Extent(west, south, east, north, _text(data, "crs"))
