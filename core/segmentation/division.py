"""Which ground of the scenes trains and which validates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..report.training import SplitMap, split_maps
from ..scene.quicklook import quicklook
from ..scene.source import Mask
from ..settings import Value
from ..training.split import Split, blocked_split, spatial_folds
from .judging import both_classes
from .sites import IGNORED, Site, Sites

TRAIN, VALIDATE, NEITHER = 0, 1, 2
# From this many scenes with the class on, whole scenes are held out.
_SCENES = 4
_FOLDS = 5
_MOST_PIXELS = 1_500_000

Parts = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """One way to part the ground; `parts` (row, column) of a site are TRAIN, VALIDATE, NEITHER."""

    split: Split
    parts: tuple[Parts, ...]

    @property
    def holds_out(self) -> bool:
        """Whether anything validates."""
        return any(bool((one == VALIDATE).any()) for one in self.parts)

    def training(self, number: int) -> Mask:
        """The pixels of a site that train (row, column)."""
        return np.asarray(self.parts[number] == TRAIN)

    def validating(self, number: int) -> Mask:
        """The pixels of a site that validate (row, column)."""
        return np.asarray(self.parts[number] == VALIDATE)


def divide(sites: Sites, settings: Mapping[str, Value], gap: int) -> tuple[Division, ...]:
    """One division, or one for each fold of a cross-validation.

    Whole scenes are held out where at least four show the class; otherwise blocks, and training
    keeps `gap` pixels away from them.

    Raises:
        InputError: too little is labelled to divide.
    """
    lattice = _Lattice.of(sites.sites)
    several = sum(bool((one.target == 1).any()) for one in sites.sites) >= _SCENES
    folds, block = int(settings["cross_validation"]), int(settings["block"]) or None
    common = {
        "classes": both_classes(sites.mapclass),
        "gap": gap,
        "seed": int(settings["seed"]),
        "scenes": lattice.site,
        "block": block,
        "whole_scenes": several and block is None,
    }
    place = (lattice.row, lattice.column, np.where(lattice.inside, 1, 2))
    if folds:
        splits = spatial_folds(*place, folds=folds, **common)  # type: ignore[arg-type]
    else:
        share = float(settings["validation_share"])
        splits = (blocked_split(*place, share=share, **common),)  # type: ignore[arg-type]
    divisions = tuple(
        Division(_told(one, lattice.step), lattice.parts(one, sites.sites)) for one in splits
    )
    return divisions if folds else tuple(_of_one_scene(one, sites.sites) for one in divisions)


def _of_one_scene(division: Division, sites: Sequence[Site]) -> Division:
    """The division, with a warning where a single scene is held out as a whole."""
    held = [
        site.title
        for number, site in enumerate(sites)
        if division.split.by_scene and division.validating(number).any()
    ]
    if len(held) != 1:
        return division
    told = (
        f"A single scene, {held[0]}, is held out: the scores tell how well the model does there, "
        "not on other scenes. Set the cross-validation (CROSS_VALIDATION) to "
        f"{min(len(sites), _FOLDS)}, so that every scene is held out once."
    )
    split = replace(division.split, warnings=(*division.split.warnings, told))
    return replace(division, split=split)


def _told(split: Split, step: int) -> Split:
    """The split, with a word about what its counts are where not every pixel was counted."""
    if step == 1:
        return split
    told = (
        f"There are very many labelled pixels: to divide them, every {step}-th one in rows and "
        f"columns was counted. All of them train or validate, about {step**2} times as many as "
        "these counts say."
    )
    return replace(split, warnings=(*split.warnings, told))


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """Labelled pixels, every `step`-th in rows and columns where there are very many."""

    step: int
    site: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, sites: Sequence[Site]) -> "_Lattice":
        whole = sum(int((one.target != IGNORED).sum()) for one in sites)
        step = max(1, int(np.ceil(np.sqrt(whole / _MOST_PIXELS))))
        found = []
        for number, one in enumerate(sites):
            thinned = one.target[::step, ::step]
            row, column = np.nonzero(thinned != IGNORED)
            inside = thinned[row, column] == 1
            found.append((np.full(len(row), number), row * step, column * step, inside))
        joined = [np.concatenate([part[i] for part in found]) for i in range(4)]
        site, row, column = (one.astype(np.int64) for one in joined[:3])
        return cls(step, site, row, column, joined[3] > 0)

    def parts(self, split: Split, sites: Sequence[Site]) -> tuple[Parts, ...]:
        """Where every labelled pixel went."""
        codes = np.where(split.train, TRAIN, np.where(split.validation, VALIDATE, NEITHER))
        found = []
        for number, site in enumerate(sites):
            here = self.site == number
            rows, columns = site.target.shape
            small = np.full((-(-rows // self.step), -(-columns // self.step)), NEITHER, np.uint8)
            small[self.row[here] // self.step, self.column[here] // self.step] = codes[here]
            wide = small.repeat(self.step, 0).repeat(self.step, 1)[:rows, :columns]
            found.append(np.where(site.target == IGNORED, NEITHER, wide).astype(np.uint8))
        return tuple(found)


def division_maps(sites: Sites, division: Division, reference: str) -> tuple[SplitMap, ...]:
    """Where the ground of each scene went, over a picture of the scene; `reference` is the role."""
    site, row, column, empty = [], [], [], []
    for number, part in enumerate(division.parts):
        step = max(1, max(part.shape) // 512)
        target = sites.sites[number].target[::step, ::step]
        rows, columns = np.nonzero(target != IGNORED)
        empty.append(target[rows, columns] == 0)
        site.append(np.full(len(rows), number))
        row.append(rows * step)
        column.append(columns * step)
    codes = np.concatenate(
        [division.parts[n][r, c] for n, (r, c) in enumerate(zip(row, column, strict=True))]
    )
    return split_maps(
        _shown(division.split, codes),
        np.concatenate(row),
        np.concatenate(column),
        np.concatenate(site),
        titles=[one.title for one in sites.sites],
        shapes=[one.target.shape for one in sites.sites],
        pictures=[
            quicklook(images[reference], facts[reference])
            for images, facts in zip(sites.images, sites.facts, strict=True)
        ],
        faint=np.concatenate(empty),
    )


def _shown(split: Split, codes: NDArray[np.uint8]) -> Split:
    return replace(
        split, train=codes == TRAIN, validation=codes == VALIDATE, dropped=codes == NEITHER
    )
