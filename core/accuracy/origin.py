"""Whether a map was made from its own reference, which makes its scores too good."""

import contextlib
from collections.abc import Iterator

import rasterio
from rasterio.errors import RasterioError

from ..errors import InputError
from ..job import Job
from ..provenance import fingerprint
from ..record import TAG, Record
from ..scene.source import raster_environment


def trained_on_reference(job: Job) -> Iterator[str]:
    """A warning where the model of the job's map learnt from the job's reference.

    Silent where nothing can be told: the map may be anybody's.
    """
    own = fingerprint(job.labels.path) if job.labels else ""
    record = _record(job.inputs["CLASSES"][0].path) if own else None
    if job.labels is None or record is None or own not in record.trained_on:
        return
    mapped = {one.sha256 for one in record.inputs}
    if record.trained_images and mapped.isdisjoint(record.trained_images):
        # One file may hold the labels of all scenes, and this scene may have taken no part.
        yield (
            f"The map’s model learnt from labels in {job.labels.title}, too, though not with this "
            "map’s image. Where they lie on the map, these scores are too good."
        )
        return
    yield (
        f"{job.labels.title} is what the map’s model learnt from, so these scores tell how "
        "well it learnt rather than how good the map is; assess it with a reference that took "
        "no part in the training."
    )


def _record(path: str) -> Record | None:
    # A record that cannot be read only means that there is nothing to warn of.
    with contextlib.suppress(RasterioError, InputError):
        with raster_environment(), rasterio.open(path) as data:
            text = data.tags().get(TAG, "")
        return Record.from_text(text, path)
    return None
