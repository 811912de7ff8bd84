"""Makes a model file of a checkpoint that the paper's code wrote.

Such a checkpoint holds weights only. Bands and their statistics are measured on an image pair
like the one it was trained on, and classes are named by the user, or numbered.
"""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...card import Card, CardInput
from ...classes import MapClass, palette_color
from ...errors import InputError
from ...job import Job
from ...model_file import write_model
from ...progress import Progress
from ...provenance import inputs_of, software
from ...scene.grid import Window
from ...scene.scene import Scene, open_scene
from . import DAS2F
from .architecture import Architecture
from .checkpoint import import_published, read_checkpoint
from .training_data import card_input

# Statistics are taken from at most so many blocks of so many pixels, spread over the scene.
_BLOCKS = 64
_EDGE = 128


def adopt(job: Job, progress: Progress) -> dict[str, object]:
    """Write the model file for the checkpoint `job.model`; returns its size in numbers.

    Raises:
        InputError: the checkpoint and the images do not fit together.
    """
    architecture, state = import_published(read_checkpoint(Path(job.model)))
    progress.log(
        f"The checkpoint is a DAS²F with {architecture.ms_bands} bands, ratio "
        f"{architecture.ratio}, {architecture.levels} levels and {architecture.classes} classes."
    )
    if not all(job.inputs.get(role.key) for role in DAS2F.roles):
        raise InputError(
            "A checkpoint does not say how its images were scaled. Choose an MS and a PAN image "
            "like those it was trained on; mean and deviation are measured there."
        )
    inputs = {role.key: job.inputs[role.key][0] for role in DAS2F.roles}
    scales = {"PAN": architecture.ratio}
    with open_scene(inputs, DAS2F.roles, scales=scales, progress=progress) as scene:
        _check_bands(architecture, scene)
        measured = tuple(_measured(scene, role) for role in scene.roles)
    card = Card(
        family=DAS2F.key,
        name=Path(job.output("MODEL")).stem,
        inputs=measured,
        classes=_classes(job, architecture.classes),
        window=architecture.window,
        overlap=architecture.window - 1,
        architecture=architecture.to_json(),
        training={"imported_from": Path(job.model).name},
        provenance={
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "software": software(),
            "inputs": inputs_of(job),
        },
    )
    write_model(job.output("MODEL"), card, state)
    return {"CLASSES": architecture.classes, "LEVELS": architecture.levels}


def _check_bands(architecture: Architecture, scene: Scene) -> None:
    count = len(scene.facts("MS").bands)
    if count != architecture.ms_bands:
        raise InputError(
            f"The checkpoint works with {architecture.ms_bands} multispectral bands; "
            f"{scene.facts('MS').title} has {count}. Choose an image like the training's."
        )


def _classes(job: Job, count: int) -> tuple[MapClass, ...]:
    given = job.labels.classes if job.labels else ()
    if not given:
        return tuple(MapClass(i + 1, f"class {i + 1}", palette_color(i)) for i in range(count))
    if len(given) != count:
        raise InputError(
            f"The checkpoint has {count} classes, {len(given)} were named; name all of them in "
            "the order of the training."
        )
    return given


def _measured(scene: Scene, role: str) -> CardInput:
    """The input with mean and deviation of its valid pixels, taken from spread blocks."""
    total, squares, count = _sums(scene, role)
    if not count:
        raise InputError(f"{scene.facts(role).title} has no valid pixel; choose another image.")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return card_input(
        role,
        scene.facts(role),
        scene.scales[role],
        tuple(mean.tolist()),
        tuple(np.where(std > 0, std, 1.0).tolist()),
    )


def _sums(scene: Scene, role: str) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    bands = len(scene.facts(role).bands)
    total, squares, count = np.zeros(bands), np.zeros(bands), 0
    for window in _spread(scene):
        block = scene.read(role, window)
        values = block.values[:, block.valid].astype(np.float64)
        total += values.sum(axis=1)
        squares += (values**2).sum(axis=1)
        count += values.shape[1]
    return total, squares, count


def _spread(scene: Scene) -> Iterator[Window]:
    blocks = list(scene.grid.blocks(_EDGE, _EDGE))
    yield from blocks[:: max(1, len(blocks) // _BLOCKS)]
