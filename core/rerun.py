"""The task `rerun`: makes a result raster once more from what it says about its making.

The raster has settings and fingerprints, but no paths: whoever reruns it gives the inputs again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterWindow

from .card import read_card
from .errors import InputError
from .families import family_named
from .job import Extent, Job, Source
from .progress import Progress
from .provenance import recorded_inputs, software
from .record import RERUN_SETTINGS, TAG, Record, RecordedInput
from .scene.grid import Grid
from .scene.source import Image, raster_environment
from .settings import resolve

RESULT = "RESULT"
_STRIP_PIXELS = 2**22


def rerun(job: Job, progress: Progress) -> dict[str, object]:
    """Predict anew as the raster in the role RESULT was predicted, and compare every pixel.

    Returns the values to report: compared pixels, different ones, and whether there are none.

    Raises:
        InputError: the raster has no record of its making, or an input is not the one it names.
    """
    old = _result_of(job)
    record, grid = read_record(old), _grid_of(old)
    device = str(resolve(RERUN_SETTINGS, job.settings)["device"])
    again = _job_again(job, record, device)
    _check_family(record, job.model)
    with progress.stage("Comparing the inputs with the record", 0.02, preparing=True):
        check_inputs(record, recorded_inputs(again), progress)
    for note in _other_versions(record):
        progress.warn(note)
    again = replace(again, extent=_extent(again, record, grid))
    with progress.stage("Running again", 0.95):
        family_named(record.family).recipe().predict(again, progress)
    with progress.stage("Comparing pixels", 1.0):
        found = compare(old.path, again.output("CLASSES"), progress)
    progress.log(found.sentence(old.title))
    return {"PIXELS": found.pixels, "DIFFERENT": found.different, "IDENTICAL": found.identical}


def read_record(source: Source) -> Record:
    """What the class raster `source` says about its making.

    Raises:
        InputError: it is no raster, says nothing, or is no result that can be made again.
    """
    try:
        with raster_environment(), rasterio.open(source.path) as data:
            text, kind = data.tags().get(TAG, ""), np.dtype(data.dtypes[0]).kind
    except RasterioIOError as error:
        raise InputError(
            f"{source.title} cannot be read as a raster; choose a class raster as Terraweave "
            "wrote it."
        ) from error
    if not text:
        raise InputError(
            f"{source.title} does not say how it was made: it is no result of Terraweave, or "
            "another program has rewritten it. Choose the class raster as Terraweave wrote it."
        )
    record = Record.from_text(text, source.title)
    if record.task != "predict":
        raise InputError(
            f"{source.title} was made by “{record.task}”, and only predictions can be run again; "
            f"use the tool “{record.task}” with the settings of its report."
        )
    if kind == "f":
        raise InputError(
            f"{source.title} is a raster of numbers; choose the class raster (CLASSES) that was "
            "made together with it."
        )
    return record


def _result_of(job: Job) -> Source:
    sources = job.inputs.get(RESULT, ())
    if len(sources) != 1:
        raise InputError(f"Choose one class raster ({RESULT}) to make again.")
    new = job.output("CLASSES")
    if not new:
        raise InputError("No output was named for CLASSES; name the class raster to write.")
    return sources[0]


def _job_again(job: Job, record: Record, device: str) -> Job:
    """The prediction that `record` tells of, with the inputs of `job`."""
    roles = [role.key for role in family_named(record.family).roles]
    bands = {one.role: one.bands for one in record.inputs}
    unused = sorted(set(job.inputs) - {RESULT, *roles})
    if unused:
        raise InputError(
            f"{unused[0]} is no image of the family {record.family}, which made this result; it "
            f"looks at {', '.join(roles)}."
        )
    return Job(
        "predict",
        record.family,
        inputs={
            role: tuple(replace(one, bands=bands.get(role, ())) for one in job.inputs[role])
            for role in roles
            if role in job.inputs
        },
        model=job.model,
        settings={**record.settings, "device": record.device if device == "recorded" else device},
        outputs=job.outputs,
    )


def _check_family(record: Record, model: str) -> None:
    """Refuse a model of another family; a missing one is missed by its fingerprint."""
    if model and read_card(model).family != record.family:
        raise InputError(
            f"{Path(model).name} is a model of the family {read_card(model).family}, and the "
            f"result was made by one of {record.family}; choose that model."
        )


def check_inputs(
    record: Record, given: tuple[RecordedInput, ...], progress: Progress | None = None
) -> None:
    """Refuse inputs that are not those of the record; what cannot be checked is said.

    Raises:
        InputError: an input is missing or has another fingerprint.
    """
    here = {one.role: one for one in given}
    for then in record.inputs:
        now = here.get(then.role)
        if now is None:
            raise InputError(
                f"The result was made from {then.role} “{then.name}”, which is missing; choose it "
                "again."
            )
        if not then.sha256 or not now.sha256:
            if progress is not None:
                progress.warn(f"{then.role} “{now.name}” is no plain file and cannot be checked.")
        elif then.sha256 != now.sha256:
            raise InputError(
                f"{then.role} “{now.name}” is not the file that the result was made from "
                f"(“{then.name}”, SHA-256 {then.sha256[:12]}…; this one has {now.sha256[:12]}…). "
                "Choose that file, or run the prediction anew to map with this one."
            )


def _other_versions(record: Record) -> Iterator[str]:
    changed = [
        f"{name} {record.software.get(name) or 'unknown'} then, {version} now"
        for name, version in software().items()
        if record.software.get(name) != version
    ]
    if changed:
        yield f"The software is not the same, so single pixels may differ: {'; '.join(changed)}."


def _extent(job: Job, record: Record, grid: Grid) -> Extent | None:
    """The part of the scene that the result covers, or None where that is all of it."""
    role = family_named(record.family).reference_role.key
    if role not in job.inputs:
        return None  # the prediction asks for the image
    reference = _grid_of(job.inputs[role][0])
    if (grid.shape, grid.transform) == (reference.shape, reference.transform):
        return None
    return Extent(*grid.bounds, grid.crs)


def _grid_of(source: Source) -> Grid:
    with raster_environment(), Image(source) as image:
        return image.grid


@dataclass(frozen=True, slots=True)
class Difference:
    """How two rasters compare: all pixels, different ones; `same_grid` is False for other grids."""

    pixels: int
    different: int
    same_grid: bool = True

    @property
    def identical(self) -> bool:
        """Whether no pixel differs."""
        return self.same_grid and not self.different

    def sentence(self, title: str) -> str:
        """The comparison with the raster called `title`, for the log."""
        if not self.same_grid:
            return f"The new raster does not lie on the grid of {title}."
        if self.identical:
            return f"All {self.pixels} pixels are the same as in {title}."
        share = self.different / self.pixels
        return f"{self.different} of {self.pixels} pixels ({share:.2%}) differ from {title}."


def compare(old: str | Path, new: str | Path, progress: Progress | None = None) -> Difference:
    """The difference of two class rasters, pixel by pixel, nodata included."""
    with raster_environment(), rasterio.open(old) as a, rasterio.open(new) as b:
        if (a.shape, a.transform, a.crs) != (b.shape, b.transform, b.crs):
            return Difference(b.height * b.width, b.height * b.width, same_grid=False)
        different = 0
        step = max(1, _STRIP_PIXELS // a.width)
        for row in range(0, a.height, step):
            window = RasterWindow(0, row, a.width, min(step, a.height - row))
            different += int((a.read(1, window=window) != b.read(1, window=window)).sum())
            if progress is not None:
                progress.update(row / a.height)
        return Difference(a.height * a.width, different)
