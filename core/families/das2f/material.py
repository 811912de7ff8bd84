"""What a training works on: patches, how they are divided, and the card of the model to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from ...card import Card, CardInput, read_card
from ...errors import ModelFileError
from ...job import Job
from ...model_file import read_weights
from ...progress import Progress
from ...provenance import inputs_of, software
from ...report.training import SplitMap, split_maps
from ...scene.quicklook import quicklook
from ...settings import Value
from ...training.split import Split, blocked_split, spatial_folds
from . import DAS2F
from .apply import statistics_of
from .configuration import architecture
from .patches import Patches, Pixels, Statistics, cut_patches, patch_limit, thinned
from .training_data import LabelledScenes, card_input, labelled_scenes


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a training needs once the layers are read.

    `patches` are those of all labelled pixels, in the rasters' own numbers; `splits` divide them:
    one, or one for each fold. `statistics` are those of the card; `start` are the weights to go on
    from, where there are any.
    """

    card: Card
    patches: Patches
    splits: tuple[Split, ...]
    statistics: Statistics
    maps: tuple[SplitMap, ...]
    start: Mapping[str, torch.Tensor]

    @property
    def folds(self) -> bool:
        """Whether this is a cross-validation."""
        return len(self.splits) > 1

    def divided(self, split: Split) -> tuple[Patches, Patches]:
        """Training and validation patches of one split, standardised by the training's own."""
        train = self.patches.taken(split.train)
        known = self.start or not self.folds
        statistics = self.statistics if known else train.statistics()
        held_out = self.patches.taken(split.validation)
        return train.standardised(statistics), held_out.standardised(statistics)

    def whole(self) -> Patches:
        """All patches, standardised."""
        return self.patches.standardised(self.statistics)


def gather(job: Job, settings: Mapping[str, Value], progress: Progress) -> Material:
    """Read labels and images, divide the labels, and describe the model to be.

    Raises:
        InputError: labels, images or the model to start from do not fit.
    """
    start = read_card(job.model) if job.model else None
    if start is not None and start.family != DAS2F.key:
        raise ModelFileError(
            f"The model to start from is of the family {start.family}; choose a das2f model."
        )
    known = {one.role: one for one in start.inputs} if start else None
    with labelled_scenes(job, progress, known) as data:
        window = _window(settings, data, start)
        pixels, patches = _cut(data, window, int(settings["seed"]), progress)
        splits = _splits(settings, data, pixels, window)
        for line in dict.fromkeys(split.summary for split in splits):
            progress.log(line)
        for warning in dict.fromkeys(warning for split in splits for warning in split.warnings):
            progress.warn(warning)
        statistics = _statistics(patches, splits, start)
        return Material(
            card=_card(job, settings, data, window, statistics, start),
            patches=patches,
            splits=splits,
            statistics=statistics,
            maps=_maps(data, pixels, splits[0]) if job.output("REPORT") else (),
            start=read_weights(job.model) if start else {},
        )


def _splits(
    settings: Mapping[str, Value], data: LabelledScenes, pixels: Pixels, window: int
) -> tuple[Split, ...]:
    """One split, or as many as there are folds in the cross-validation."""
    values = np.array([one.value for one in data.classes])[pixels.target]
    place = (pixels.row, pixels.column, values)
    folds, block = int(settings["cross_validation"]), int(settings["block"]) or None
    seed, scenes = int(settings["seed"]), pixels.scene
    if folds:
        return spatial_folds(
            *place, classes=data.classes, folds=folds, gap=window, seed=seed, scenes=scenes,
            block=block,
        )  # fmt: skip
    share = float(settings["validation_share"])
    split = blocked_split(
        *place, classes=data.classes, share=share, gap=window, seed=seed, scenes=scenes, block=block
    )
    return (split,)


def _statistics(patches: Patches, splits: tuple[Split, ...], start: Card | None) -> Statistics:
    """What the model's inputs are scaled by: never a number from pixels that measure it."""
    if start is not None:
        return statistics_of(start)
    return (patches if len(splits) > 1 else patches.taken(splits[0].train)).statistics()


def _window(settings: Mapping[str, Value], data: LabelledScenes, start: Card | None) -> int:
    if start is not None:
        return start.window
    return architecture(settings, ms_bands=1, ratio=data.ratio, classes=2).window


def _cut(
    data: LabelledScenes, window: int, seed: int, progress: Progress
) -> tuple[Pixels, Patches]:
    """The labelled pixels that are known in both images, and the patches around them."""
    limit = patch_limit(len(data.facts["MS"].bands), window, data.ratio)
    kept = thinned(data.pixels, limit, seed)
    if len(kept) < len(data.pixels):
        progress.log(
            f"{len(kept)} of {len(data.pixels)} labelled pixels are used, to spare memory; rare "
            "classes keep all of theirs."
        )
    with progress.stage("Reading images", 0.7):
        patches = cut_patches(data.scenes, kept, window, data.ratio, progress)
    known = patches.known()
    if not known.all():
        progress.warn(
            f"{int((~known).sum())} labelled pixels lie on missing data and are left out."
        )
    return kept.taken(known), patches.taken(known)


def _maps(data: LabelledScenes, pixels: Pixels, split: Split) -> tuple[SplitMap, ...]:
    """Where the labelled pixels of each scene went, over a picture of the scene."""
    return split_maps(
        split,
        pixels.row,
        pixels.column,
        pixels.scene,
        titles=[scene.facts("MS").title for scene in data.scenes],
        shapes=[(scene.grid.shape.rows, scene.grid.shape.columns) for scene in data.scenes],
        pictures=[
            quicklook(inputs["MS"], scene.facts("MS"))
            for inputs, scene in zip(data.inputs, data.scenes, strict=True)
        ],
    )


def _card(
    job: Job,
    settings: Mapping[str, Value],
    data: LabelledScenes,
    window: int,
    statistics: Statistics,
    start: Card | None,
) -> Card:
    made = architecture(
        settings,
        ms_bands=len(data.facts["MS"].bands),
        ratio=data.ratio,
        classes=len(data.classes),
    ).to_json()
    if start is not None:
        made = {**start.architecture, "classes": len(data.classes)}
    return Card(
        family=DAS2F.key,
        name=Path(job.output("MODEL")).stem,
        inputs=(
            _input("MS", data, 1, statistics.ms_mean, statistics.ms_std),
            _input("PAN", data, data.ratio, statistics.pan_mean, statistics.pan_std),
        ),
        classes=data.classes,
        window=window,
        overlap=window - 1,
        architecture=made,
        provenance={
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "software": software(),
            "settings": dict(settings),
            "inputs": inputs_of(job),
        },
    )


def _input(
    role: str, data: LabelledScenes, scale: int, mean: torch.Tensor, std: torch.Tensor
) -> CardInput:
    return card_input(role, data.facts[role], scale, tuple(mean.tolist()), tuple(std.tolist()))
