"""What can be told from the names of a job's files before any work begins."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import InputError
from ..job import Job

_HTML = (".html", ".htm")
_VECTOR = (".gpkg", ".geojson", ".json", ".fgb", ".shp")
_RASTER = (".tif", ".tiff")
# The endings an output may have; a class raster without one is a GeoTIFF all the same.
_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "MODEL": (".safetensors",),
    "REPORT": _HTML,
    "CLASSES": (*_RASTER, ""),
    "CONFIDENCE": (*_RASTER, ""),
    "HILLSHADE": (*_RASTER, ""),
    "DISAGREEMENT": (*_RASTER, ""),
    "POLYGONS": (*_VECTOR, ""),
    "WORST": (*_VECTOR, ""),
    "POINTS": (*_VECTOR, ""),
}


def check_files(job: Job) -> None:
    """Look at the names of all inputs and outputs.

    Raises:
        InputError: an output would overwrite an input or another output or has an ending that
            does not suit it, or a scene was given twice.
    """
    for key, path in job.outputs.items():
        if path:
            _check_ending(key, path)
            _check_place(key, path, job)
    for role, sources in job.inputs.items():
        seen: set[tuple[object, ...]] = set()
        for source in sources:
            place = (_resolved(source.path), source.bands)
            if place in seen:
                raise InputError(
                    f"{source.title} was given twice as {role}; its pixels would count twice. "
                    "Choose each scene once."
                )
            seen.add(place)


def _check_ending(key: str, path: str) -> None:
    endings = _ENDINGS.get(key)
    if endings is None or Path(path).suffix.lower() in endings:
        return
    wanted = " or ".join(one for one in endings if one)
    raise InputError(
        f"The output {key} is named “{Path(path).name}”; let its name end in {wanted}."
    )


def _check_place(key: str, path: str, job: Job) -> None:
    target = _resolved(path)
    for name in _input_paths(job):
        if _resolved(name) == target:
            raise InputError(
                f"The output {key} is the same file as an input, “{Path(name).name}”; choose "
                "another name, so that the input is not lost."
            )
    for other, second in job.outputs.items():
        if other != key and second and _resolved(second) == target:
            raise InputError(
                f"The outputs {key} and {other} are the same file, “{Path(path).name}”; give each "
                "a name of its own."
            )


def _input_paths(job: Job) -> Iterator[str]:
    for sources in job.inputs.values():
        for source in sources:
            yield source.path
    # A training may go on from a model and write over it: it is read before it is replaced.
    if job.model and (job.about or job.task) != "train":
        yield job.model
    for features in (job.labels, job.area, *job.features.values()):
        if features is not None:
            yield features.path


def _resolved(path: str) -> Path:
    return Path(path).resolve()
