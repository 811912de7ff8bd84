"""The labelled pixels of a training, and the patches around them, from the job's layers."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from ...card import Band, CardInput
from ...classes import MapClass
from ...errors import InputError
from ...job import Job, Source
from ...progress import Progress
from ...scene.bands import match_bands, read_facts
from ...scene.labels import LabelMap, open_labels
from ...scene.scene import Scene, open_scene, pair_scenes
from ...scene.source import RasterFacts
from . import DAS2F
from .patches import Pixels


@dataclass(frozen=True, slots=True)
class LabelledScenes:
    """Open scenes with their labelled pixels; `facts` are those of the first scene."""

    scenes: tuple[Scene, ...]
    inputs: tuple[Mapping[str, Source], ...]
    pixels: Pixels
    classes: tuple[MapClass, ...]
    facts: Mapping[str, RasterFacts]
    ratio: int


@contextmanager
def labelled_scenes(
    job: Job, progress: Progress, start: Mapping[str, CardInput] | None = None
) -> Iterator[LabelledScenes]:
    """The job's scenes, open and aligned, with all labelled pixels.

    `start` are the inputs of a model to go on from; its bands and scale are kept.

    Raises:
        InputError: images or labels do not fit, with the sentence for the user.
    """
    if job.labels is None:
        raise InputError("No labels were given; choose polygons, points or a class raster.")
    with ExitStack() as stack:
        scenes: list[Scene] = []
        expected = dict(start or {})
        pairs = tuple(pair_scenes(job.inputs, DAS2F.roles))
        for inputs in pairs:
            scales = {role: one.scale for role, one in expected.items() if role != "MS"}
            bands = {
                role: match_bands(one, read_facts(inputs[role]), progress)
                for role, one in expected.items()
            }
            scene = stack.enter_context(
                open_scene(inputs, DAS2F.roles, scales=scales, bands=bands, progress=progress)
            )
            scenes.append(scene)
            expected = expected or described(scene)
        alone = len(scenes) == 1
        maps = [
            open_labels(job.labels, scene.grid, job.area, progress=progress, required=alone)
            for scene in scenes
        ]
        classes = _classes(maps)
        with progress.stage("Reading labels", 0.3):
            pixels = _pixels(maps, classes, progress)
        facts = {role: scenes[0].facts(role) for role in scenes[0].roles}
        yield LabelledScenes(tuple(scenes), pairs, pixels, classes, facts, scenes[0].scales["PAN"])


def described(scene: Scene) -> dict[str, CardInput]:
    """Bands, GSD and scale of a scene's inputs, as a card has them, before any statistics."""
    return {role: card_input(role, scene.facts(role), scene.scales[role]) for role in scene.roles}


def card_input(
    role: str,
    facts: RasterFacts,
    scale: int,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> CardInput:
    """The card's description of the image in `role`."""
    count = len(facts.bands)
    return CardInput(
        role=role,
        bands=tuple(Band(band.name, band.wavelength) for band in facts.bands),
        mean=mean or (0.0,) * count,
        std=std or (1.0,) * count,
        gsd=facts.gsd,
        scale=scale,
        data_type=facts.data_type,
        nodata=facts.nodata,
    )


def _classes(maps: list[LabelMap]) -> tuple[MapClass, ...]:
    found = {one.value: one for labels in maps for one in labels.classes}
    return tuple(found[value] for value in sorted(found))


def _pixels(maps: list[LabelMap], classes: tuple[MapClass, ...], progress: Progress) -> Pixels:
    """Every labelled pixel of every scene."""
    index = {one.value: number for number, one in enumerate(classes)}
    parts = []
    for number, labels in enumerate(maps):
        found = labels.pixels(progress)
        targets = np.array([index[value] for value in found.values.tolist()], np.int64)
        parts.append((np.full(len(targets), number), found.rows, found.columns, targets))
    scene_index, rows, columns, targets = (
        np.concatenate([part[i] for part in parts]).astype(np.int64) for i in range(4)
    )
    return Pixels(scene_index, rows, columns, targets)
