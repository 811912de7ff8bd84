"""Dividing labelled pixels into training and validation by blocks of ground, never by pixel.

Neighbouring pixels resemble each other and their windows overlap, so a random choice of pixels
tests a model on what it has all but seen. Here whole square blocks go to one side, and training
pixels too close to a validation pixel go to neither.
Source: Roberts et al. (2017), "Cross-validation strategies for data with temporal, spatial,
hierarchical, or phylogenetic structure", Ecography 40, 913–929, doi 10.1111/ecog.02881.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy.confusion import class_index
from ..classes import MapClass
from ..errors import InputError
from .autocorrelation import autocorrelation_range
from .blocks import Cells, Ints, Tiling, gather_cells, tile
from .search import assign_blocks, block_sizes, search_split

MINIMUM_PIXELS = 5


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of pixels in one scene, and whether it trains or validates."""

    scene: int
    row: int
    column: int
    rows: int
    columns: int
    validation: bool


@dataclass(frozen=True, slots=True)
class ClassShare:
    """Where the labelled pixels of one class went."""

    mapclass: MapClass
    train: int
    validation: int
    dropped: int


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which labelled pixels train and which validate.

    `train`, `validation` and `dropped` are masks over the pixels given, in their order; each
    pixel is in one of them. `block` is the edge of a block and `gap` the smallest Chebyshev
    distance between a training and a validation pixel of one scene, in pixels. `resemblance` is
    the distance in pixels up to which labels resemble each other beyond chance, None where it
    could not be told. `by_scene` means that each block is a whole scene. `warnings` are sentences
    for the user.
    """

    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    block: int
    gap: int
    blocks: tuple[Block, ...]
    classes: tuple[ClassShare, ...]
    warnings: tuple[str, ...] = ()
    resemblance: float | None = None
    by_scene: bool = False

    @property
    def summary(self) -> str:
        """The split in one sentence."""
        if not self.validation.any():
            return f"All {self.train.sum()} labelled pixels train; none validate."
        held = sum(block.validation for block in self.blocks)
        if self.by_scene:
            return (
                f"{self.train.sum()} labelled pixels train and {self.validation.sum()} validate: "
                f"{held} of {len(self.blocks)} scenes are held out as a whole."
            )
        return (
            f"{self.train.sum()} labelled pixels train and {self.validation.sum()} validate, in "
            f"{len(self.blocks)} blocks of {self.block} pixels of which {held} validate; "
            f"{self.dropped.sum()} training pixels closer than {self.gap} pixels to a validation "
            f"pixel are left out.{self._resemblance_sentence}"
        )

    @property
    def _resemblance_sentence(self) -> str:
        """Said where it is good news; where it is not, a warning says it."""
        far = self.resemblance
        if far is None or not 1 <= far <= self.block:
            return ""
        return (
            f" Labels resemble each other up to a distance of {far:.0f} pixels, which the blocks "
            "span."
        )

    def to_json(self) -> dict[str, object]:
        """The numbers of the split, without the pixels."""
        return {
            "block": self.block,
            "gap": self.gap,
            "resemblance": self.resemblance,
            "train": int(self.train.sum()),
            "validation": int(self.validation.sum()),
            "dropped": int(self.dropped.sum()),
            "classes": [
                {
                    "value": one.mapclass.value,
                    "name": one.mapclass.name,
                    "train": one.train,
                    "validation": one.validation,
                    "dropped": one.dropped,
                }
                for one in self.classes
            ],
        }


def blocked_split(
    rows: ArrayLike,
    columns: ArrayLike,
    values: ArrayLike,
    *,
    classes: Sequence[MapClass],
    share: float,
    gap: int,
    seed: int,
    scenes: ArrayLike | None = None,
    block: int | None = None,
    whole_scenes: bool = False,
    smallest: int = MINIMUM_PIXELS,
) -> Split:
    """Labelled pixels divided into training and about `share` of validation, class by class.

    `rows`, `columns` and `values` (class values) describe each labelled pixel, and `scenes` the
    number of its scene where there are several. Training pixels closer than `gap` pixels
    (Chebyshev distance; one window, so that windows share no ground) to a validation pixel are
    dropped. Blocks of `block` pixels, or of a size, position and assignment searched for so that
    each class is in both parts, near `share`, and little is lost; with `whole_scenes` each scene
    is one block, and so it is where a block is at least as large as each of several scenes. Equal
    arguments give an equal split.

    Raises:
        InputError: a value is no class, a class has fewer than `smallest` pixels, the share
            or the block is out of bounds, or the block leaves nothing to hold out.
    """
    if not 0 <= share <= 0.9:
        raise InputError(f"The validation share is {share:g}; give one from 0 to 0.9.")
    pixels = _Pixels.checked(rows, columns, values, scenes, classes, smallest)
    if share == 0:
        nothing = np.zeros(len(pixels.row), np.bool_)
        return _described(pixels, ~nothing, nothing, 0, gap, (), [_NO_SHARE])
    ground = _Ground.of(pixels, gap, block, whole_scenes)
    rng = np.random.default_rng(seed)
    tiling, labels = ground.search(share, (1,), rng)
    if block is not None:
        ground.check_count(tiling, 2)
    return _split(ground, tiling, labels == 1)


def spatial_folds(
    rows: ArrayLike,
    columns: ArrayLike,
    values: ArrayLike,
    *,
    classes: Sequence[MapClass],
    folds: int,
    gap: int,
    seed: int,
    scenes: ArrayLike | None = None,
    block: int | None = None,
    whole_scenes: bool = False,
    smallest: int = MINIMUM_PIXELS,
) -> tuple[Split, ...]:
    """`folds` splits for cross-validation, in which each labelled pixel validates exactly once.

    The other arguments are those of `blocked_split`.

    Raises:
        InputError: as `blocked_split`, or fewer than two folds are asked for, or more than the
            ground has blocks.
    """
    if not 2 <= folds <= 20:
        raise InputError(f"Cross-validation with {folds} folds is not possible; give 2 to 20.")
    pixels = _Pixels.checked(rows, columns, values, scenes, classes, smallest)
    ground = _Ground.of(pixels, gap, block, whole_scenes)
    rng = np.random.default_rng(seed)
    numbers = tuple(range(folds))
    tiling, labels = ground.search(1 / folds, numbers, rng)
    ground.check_count(tiling, folds)
    return tuple(_split(ground, tiling, labels == number) for number in numbers)


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    scene: Ints
    row: Ints
    column: Ints
    kind: Ints
    classes: tuple[MapClass, ...]

    @classmethod
    def checked(
        cls,
        rows: ArrayLike,
        columns: ArrayLike,
        values: ArrayLike,
        scenes: ArrayLike | None,
        classes: Sequence[MapClass],
        smallest: int,
    ) -> "_Pixels":
        row, column = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        if not len(row):
            raise InputError(
                "There is no labelled pixel; check that the labels lie on the scene and inside "
                "the surveyed area."
            )
        kind = class_index(values, classes)
        if (kind < 0).any():
            value = np.asarray(values)[kind < 0][0]
            raise InputError(f"The labels hold the value {value}, which is no class.")
        _check_counts(np.bincount(kind, minlength=len(classes)), classes, smallest)
        scene = np.zeros_like(row) if scenes is None else np.asarray(scenes, np.int64)
        return cls(scene, row, column, kind, tuple(classes))


def _each_fits(block: int, pixels: _Pixels) -> bool:
    """Whether there are several scenes, and each is at most a block of `block` pixels."""
    scenes = np.unique(pixels.scene)
    spans = (
        int(np.ptp(line[pixels.scene == one])) + 1
        for one in scenes
        for line in (pixels.row, pixels.column)
    )
    return len(scenes) > 1 and max(spans) <= block


def _check_counts(counts: Ints, classes: Sequence[MapClass], smallest: int) -> None:
    few = [
        f"“{one.name}” has {count}"
        for one, count in zip(classes, counts.tolist(), strict=True)
        if count < smallest
    ]
    if few:
        raise InputError(
            f"Too few labelled pixels: {', '.join(few)}. A class needs at least {smallest}; "
            "label more of it, or leave the class out."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """The labelled pixels, what is asked of the split, and how far labels resemble each other."""

    pixels: _Pixels
    cells: Cells
    gap: int
    block: int | None
    resemblance: float | None
    by_scene: bool

    @classmethod
    def of(cls, pixels: _Pixels, gap: int, block: int | None, by_scene: bool) -> "_Ground":
        place = pixels.scene, pixels.row, pixels.column
        by_scene = by_scene or (block is not None and _each_fits(block, pixels))
        cells = gather_cells(*place, pixels.kind, 0 if by_scene else gap)
        far = None if by_scene else autocorrelation_range(*place[1:], pixels.kind, pixels.scene)
        return cls(pixels, cells, gap, block, far, by_scene)

    def search(
        self, share: float, folds: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tiling, Ints]:
        """The tiling, and the fold of each of its blocks, that cost least."""
        if self.by_scene:
            size = int(max(self.cells.row.max(), self.cells.column.max())) + 1
            tiling = tile(self.cells, size, (0, 0), len(self.pixels.classes))
            return assign_blocks(tiling, share, folds, rng)
        sizes = block_sizes(self.cells, self.gap, self.block, self.resemblance, len(folds))
        return search_split(self.cells, len(self.pixels.classes), sizes, share, folds, rng)

    def check_count(self, tiling: Tiling, least: int) -> None:
        """Refuse to divide fewer blocks than `least`.

        Raises:
            InputError: there are fewer, with what to ask for instead.
        """
        count = tiling.blocks.shape[1]
        if count >= least:
            return
        wanted = "nothing can be held out" if least == 2 else f"{least} folds are too many"
        if self.by_scene:
            raise InputError(
                f"Scenes are held out as a whole, and there are {count}, so {wanted}; give at most "
                f"{count} folds (CROSS_VALIDATION), or more scenes."
            )
        if self.block is None:
            raise InputError(
                f"The labelled pixels lie so close together that they make {count} block"
                f"{'' if count == 1 else 's'} of ground, so {wanted}; label places that lie apart, "
                "or give fewer folds (CROSS_VALIDATION), 0 for a single split."
            )
        extent = (max(np.ptp(self.cells.row), np.ptp(self.cells.column)) + 1) * self.cells.factor
        raise InputError(
            f"The labelled ground, {extent} pixels wide, has {count} block"
            f"{'' if count == 1 else 's'} of {tiling.size * self.cells.factor} pixels, so "
            f"{wanted}; ask for smaller blocks (BLOCK), or for 0 to have their size chosen."
        )

    @property
    def cannot_divide(self) -> str:
        """Why the pixels of a class all went to one side, and what to do."""
        if self.by_scene:
            return "lie in too few scenes, which are held out as a whole. Label it in more scenes."
        if self.block is not None:
            return (
                "lie in too few blocks to divide. Ask for smaller blocks (BLOCK), or label it in a "
                "second place."
            )
        return "lie too close together to divide. Label it in a second place."

    def warnings(self, size: int) -> list[str]:
        """What the size of the blocks, in pixels, leaves to be desired."""
        told: list[str] = []
        if self.by_scene:
            return told
        if self.block is not None and size > self.block:
            told.append(
                f"The blocks are {size} pixels wide rather than {self.block}: they must span the "
                "gap."
            )
        if self.resemblance is not None and size < 0.9 * self.resemblance:
            told.append(
                f"Labels resemble each other up to a distance of {self.resemblance:.0f} pixels, "
                f"and the blocks are only {size} pixels wide, so the scores may flatter the model. "
                "Label more places that lie apart, or ask for larger blocks."
            )
        return told


def _split(ground: _Ground, tiling: Tiling, held: NDArray[np.bool_]) -> Split:
    cells = ground.cells
    validation = held[tiling.of_entry][cells.entry]
    dropped = tiling.lost(held)[cells.entry]
    blocks = tuple(_drawn(cells, tiling, held))
    size = tiling.size * cells.factor
    split = _described(
        ground.pixels, ~validation & ~dropped, validation, size, ground.gap, blocks,
        ground.warnings(size) if validation.any() else [], ground.cannot_divide,
    )  # fmt: skip
    return replace(split, resemblance=ground.resemblance, by_scene=ground.by_scene)


def _drawn(cells: Cells, tiling: Tiling, held: NDArray[np.bool_]) -> Iterator[Block]:
    """The blocks in pixels, without what lies beyond the first row and column."""
    numbers = tiling.blocks.T.tolist()
    for (scene, down, right), validation in zip(numbers, held.tolist(), strict=True):
        top, left = (
            (number * tiling.size + offset) * cells.factor
            for number, offset in zip((down, right), tiling.offset, strict=True)
        )
        size = tiling.size * cells.factor
        row, column = max(top, 0), max(left, 0)
        yield Block(scene, row, column, top + size - row, left + size - column, validation)


def _described(
    pixels: _Pixels,
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    size: int,
    gap: int,
    blocks: tuple[Block, ...],
    warnings: list[str],
    cannot_divide: str = "",
) -> Split:
    dropped = ~train & ~validation
    parts = [
        np.bincount(pixels.kind[part], minlength=len(pixels.classes)).tolist()
        for part in (train, validation, dropped)
    ]
    shares = tuple(
        ClassShare(one, *counts) for one, *counts in zip(pixels.classes, *parts, strict=True)
    )
    told = [*warnings, *_class_warnings(shares, cannot_divide)] if blocks else warnings
    return Split(train, validation, dropped, size, gap, blocks, shares, tuple(told))


_NO_SHARE = "Nothing is held out for validation, so the model has no score; set a share above 0."


def _class_warnings(shares: tuple[ClassShare, ...], cannot_divide: str) -> Iterator[str]:
    for one in shares:
        name, whole = one.mapclass.name, one.train + one.validation + one.dropped
        if not one.validation:
            yield (
                f"“{name}” has no validation pixel and therefore no score: its {whole} labelled "
                f"pixels {cannot_divide}"
            )
        elif not one.train:
            yield (f"“{name}” has no training pixel: its {whole} labelled pixels {cannot_divide}")
        elif one.dropped > whole / 2:
            yield (
                f"The gap between training and validation costs “{name}” {one.dropped} of its "
                f"{whole} labelled pixels. Label it in more places."
            )
