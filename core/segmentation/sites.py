"""The scenes of a training at the working pixel size, in memory, with their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..card import Card, CardInput
from ..classes import MapClass
from ..errors import InputError
from ..family import Family
from ..job import Features, Job, Source
from ..progress import Progress
from ..report.words import listed
from ..scene.bands import match_bands, read_facts
from ..scene.grid import Grid, Window
from ..scene.labels import BACKGROUND, LabelMap, is_raster, open_labels, refuse_points
from ..scene.scene import Scene, open_scene, pair_scenes
from ..scene.source import Floats, Mask, RasterFacts
from .emptiness import nothing_there
from .meaning import Meaning, is_name, meaning_of
from .view import View
from .working import check_working_gsd, working_grid

IGNORED = 255
"""In a target: nobody knows, or the image has nothing there."""

_BLOCK = 512
_NAMED = 5
_MOST_BYTES = 6 * 2**30

Target = NDArray[np.uint8]
ViewOf = Callable[[Mapping[str, RasterFacts]], View]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One scene at the working pixel size.

    `values` (channel, row, column) are the view's channels, 0 where not `valid` (row, column);
    `target` (row, column) is 0 for background, 1 for the class, `IGNORED` where nothing is known.
    """

    title: str
    grid: Grid
    values: Floats
    valid: Mask
    target: Target


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """All scenes of a training; `facts` and `images` (role → file) tell about each in order."""

    sites: tuple[Site, ...]
    images: tuple[Mapping[str, Source], ...]
    facts: tuple[Mapping[str, RasterFacts], ...]
    mapclass: MapClass
    gsd: float
    view: View


def read_sites(
    job: Job,
    family: Family,
    view_of: ViewOf,
    gsd: float,
    progress: Progress,
    *,
    start: Card | None = None,
    labels: Features | None = None,
    area: Features | None = None,
    stage: str = "",
) -> Sites:
    """The job's scenes and labels at `gsd` metres a pixel (0: those of the first image).

    An image that is coarser than that sets the pixel size itself. `start` is the card of a model
    to go on from, whose bands are kept. `labels` and `area` replace the job's. The user knows the
    surveyed area as AREA, or under that name with the `stage` before it (FINE_AREA).

    Raises:
        InputError: images or labels do not fit, with the sentence for the user.
    """
    labels, area = labels or job.labels, area or job.area
    if labels is None:
        raise InputError("No labels were given; choose polygons or a class raster.")
    if is_raster(labels):
        progress.log(
            f"In {labels.title}, pixels of 0 are ground without the class, and pixels without data "
            "are not labelled."
        )
    elif area is None:
        name = f"{stage}_AREA" if stage else "AREA"
        progress.warn(
            f"No surveyed area ({name}) was given, so all ground outside {labels.title} counts as "
            "background. Where some may be missing from the labels, draw the area."
        )
    refuse_points(labels)
    expected: dict[str, CardInput] = {one.role: one for one in start.inputs} if start else {}
    pairs = pair_scenes(job.inputs, family.roles, progress)
    found: list[Site] = []
    facts: list[Mapping[str, RasterFacts]] = []
    classes: dict[int, MapClass] = {}
    view: View | None = None
    for number, inputs in enumerate(pairs):
        bands = {
            role: match_bands(one, read_facts(inputs[role]), progress)
            for role, one in expected.items()
        }
        reference = read_facts(inputs[family.reference_role.key])
        if start is None:
            gsd = _fitting(gsd, reference, first=number == 0, progress=progress)
        else:
            check_working_gsd(reference, gsd, progress)
        with open_scene(
            inputs,
            family.roles,
            bands=bands,
            progress=progress,
            onto=partial(working_grid, gsd=gsd),
        ) as scene:
            known = {role: scene.facts(role) for role in scene.roles}
            facts.append(known)
            expected = expected or {role: _described(role, one) for role, one in known.items()}
            view = view or view_of(known)
            where = open_labels(
                labels, scene.grid, area, progress=progress, background=True,
                required=len(pairs) == 1,
            )  # fmt: skip
            classes |= {one.value: one for one in where.classes}
            known_class = start.classes[0] if start else family.target
            meaning = meaning_of(where.classes, known_class, labels, known=start is not None)
            if number == 0:
                _tell(meaning, progress)
                _check_scenes(pairs, family, expected, gsd, view.channels, fresh=start is None)
            share = 1 / len(pairs)
            with progress.stage(f"Reading {reference.title}", share):
                found.append(_read(scene, view, where, meaning.values, reference.title, progress))
            if not found[-1].valid.any():
                _tell_empty(nothing_there(scene, scene.grid.window), pairs, progress)
    if view is None:
        raise ValueError("a training without a scene")
    _check_labelled(found, labels, surveyed=area is not None)
    if area is None and not is_raster(labels):
        _tell_unlabelled(found, labels, progress)
    mapclass = start.classes[0] if start else _class_of(list(classes.values()), family, labels)
    return Sites(tuple(found), tuple(pairs), tuple(facts), mapclass, gsd, view)


def _fitting(gsd: float, image: RasterFacts, *, first: bool, progress: Progress) -> float:
    """The working pixel size: as wished, but never finer than the first image."""
    if not first or gsd >= image.gsd * 0.95:
        if image.gsd > gsd * 1.5:
            raise InputError(
                f"{image.title} has pixels of {image.gsd:.3g} m, too coarse to be worked at "
                f"{gsd:.3g} m; leave it out, or raise the working pixel size (WORKING_GSD)."
            )
        return gsd
    if gsd > 0:
        progress.log(
            f"The network works on pixels of {image.gsd:.3g} m, those of {image.title}, because "
            f"they are coarser than the {gsd:.3g} m that were asked for."
        )
    return image.gsd


def _described(role: str, facts: RasterFacts) -> CardInput:
    count = len(facts.bands)
    return CardInput(role, facts.bands, (0.0,) * count, (1.0,) * count, facts.gsd)


def _check_scenes(
    pairs: Sequence[Mapping[str, Source]],
    family: Family,
    expected: Mapping[str, CardInput],
    gsd: float,
    channels: int,
    *,
    fresh: bool,
) -> None:
    """Refuse what does not fit in any scene before the first is read, which may take long."""
    unheard, pixels = Progress(), 0
    for number, inputs in enumerate(pairs):
        facts = {role: read_facts(source) for role, source in inputs.items()}
        for role, one in expected.items():
            match_bands(one, facts[role])
        reference = facts[family.reference_role.key]
        if fresh:
            _fitting(gsd, reference, first=number == 0, progress=unheard)
        else:
            check_working_gsd(reference, gsd, unheard)
        pixels += working_grid(reference.grid, gsd).shape.pixels
    needed = 4 * channels * pixels
    if needed > _MOST_BYTES:
        raise InputError(
            f"The scenes take {needed / 2**30:.0f} GB of memory at a pixel size of "
            f"{gsd:.3g} m, over the {_MOST_BYTES / 2**30:.0f} GB that a training may "
            "take; clip them to the labelled ground, or raise the working pixel size "
            "(WORKING_GSD)."
        )


def _tell(meaning: Meaning, progress: Progress) -> None:
    progress.log(meaning.sentence)
    if meaning.doubt:
        progress.warn(meaning.doubt)


def _read(
    scene: Scene,
    view: View,
    labels: LabelMap,
    meant: frozenset[int],
    title: str,
    progress: Progress,
) -> Site:
    shape = scene.grid.shape
    values = np.zeros((view.channels, shape.rows, shape.columns), np.float32)
    valid = np.zeros((shape.rows, shape.columns), np.bool_)
    target = np.full((shape.rows, shape.columns), IGNORED, np.uint8)
    for window in scene.grid.blocks(_BLOCK, _BLOCK):
        rows, columns = window.slices
        block = view.read(scene, window)
        values[:, rows, columns], valid[rows, columns] = block.values, block.valid
        target[rows, columns] = _target(labels, meant, window, block.valid)
        progress.update(window.end_row / shape.rows)
    return Site(title, scene.grid, values, valid, target)


def _target(labels: LabelMap, meant: frozenset[int], window: Window, valid: Mask) -> Target:
    """Other classes than those that are `meant` are background like unmarked ground."""
    values = labels.read(window)
    inside = np.isin(values, list(meant))
    target = np.full(values.shape, IGNORED, np.uint8)
    target[valid & inside] = 1
    target[valid & ~inside & ((values == BACKGROUND) | (values > 0))] = 0
    return target


def _tell_empty(told: str, pairs: Sequence[object], progress: Progress) -> None:
    """Say that a scene shows nothing; alone it is refused."""
    if len(pairs) == 1:
        raise InputError(told)
    progress.warn(f"{told} The other scenes are learnt from.")


def _tell_unlabelled(sites: Sequence[Site], labels: Features, progress: Progress) -> None:
    """Name the scenes in which nothing is labelled, since all of them is taken for background."""
    bare = [one.title for one in sites if one.valid.any() and not (one.target == 1).any()]
    if not bare:
        return
    progress.warn(
        f"No label from {labels.title} lies in {listed(bare, _NAMED)}: all ground there counts as "
        "background. Leave out what was not looked at, or give the surveyed area."
    )


def _check_labelled(sites: Sequence[Site], labels: Features, *, surveyed: bool) -> None:
    if not any((site.target == 1).any() for site in sites):
        raise InputError(
            f"No pixel of the scenes gets a label from {labels.title}: its features lie beside "
            "the images, between the pixels' centres, outside the surveyed area, or on missing "
            f"data. Choose labels of the same place, draw larger polygons or work at less than "
            f"{sites[0].grid.gsd:.3g} m a pixel (WORKING_GSD), or check the area."
        )
    if not any((site.target == 0).any() for site in sites):
        where, remedy = (
            ("that was surveyed", "widen the surveyed area (AREA), or leave it empty")
            if surveyed
            else ("that the images show", "choose labels around the objects alone, or images that "
                  "reach further")
        )  # fmt: skip
        raise InputError(
            f"{labels.title} covers everything {where}, so there is no background to learn from; "
            f"{remedy}."
        )


def _class_of(found: Sequence[MapClass], family: Family, labels: Features) -> MapClass:
    """The one class of the map: the layer's own where it has one, else the family's."""
    if len(found) == 1 and is_name(found[0].name):
        # A colour that nobody chose is the first of a palette, which says nothing of the class.
        own = found[0].color
        color = own if labels.classes or family.target is None else family.target.color
        return MapClass(1, found[0].name, color)
    return family.target or MapClass(1, "class 1", "#c0392b")
