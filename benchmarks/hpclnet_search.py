"""What might make HPCL-Net better, tried on held-out ground of a training scene alone.

    python benchmarks/hpclnet_search.py SCENE_FOLDER [--epochs 8] [--seeds 0,1] [--only WORDS]

Two questions: why the contrastive part helps or not (its weight, temperature, queues, anchors, and
where its map is taken), and what else does (inputs, height relative to what, light, steps). Each
trial differs from “fusion” or from “full” in what its name says. Of the folders that the ablation
takes; `--thermal` names a raster beside the image whose bands join the image's.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hpclnet_ablation import scene_job
from segmentation import Notebook, Scores, measure, paired, sites_of, wanted
from terraweave.core.device import Device
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.architecture import Architecture
from terraweave.core.families.hpclnet.design import HpclDesign
from terraweave.core.families.hpclnet.encoders import SmallEncoder
from terraweave.core.families.hpclnet.network import Answer, HpclNet
from terraweave.core.families.hpclnet.queues import SIZES
from terraweave.core.families.hpclnet.statistics import Statistics
from terraweave.core.families.hpclnet.trainee import HpclTrainee
from terraweave.core.job import Job, Source
from terraweave.core.segmentation.design import Effort
from terraweave.core.segmentation.sampler import Sampler
from terraweave.core.settings import Value, resolve

QUARTER = 2
"""The place of stride 4 among the small profile's levels."""


class EarlyMap(HpclNet):
    """Compares cells of 4×4 pixels, as the two encoders see them before they are fused."""

    def __init__(self, architecture: Architecture) -> None:
        """The same weights; another map for the hyper-pixels."""
        super().__init__(architecture)
        self.fused_stride = 4
        self.fused_channels = sum(one.levels[4] for one in self.encoders)  # type: ignore[index, misc]
        self._seen: list[list[Tensor]] = []

    def answer(self, values: Tensor) -> Answer:
        """Logits, and the map."""
        logits = super().answer(values).logits
        return Answer(logits, torch.cat([one[QUARTER] for one in self._seen], 1))

    def fused(self, values: Tensor) -> Tensor:
        """The map alone."""
        return torch.cat([one[QUARTER] for one in self._features(values)], 1)

    def _features(self, values: Tensor) -> list[list[Tensor]]:
        self._seen = super()._features(values)
        return self._seen


class Shared(HpclNet):
    """The image's encoder sees the terrain, too."""

    def __init__(self, architecture: Architecture) -> None:
        """The same network, but for the first layer of the first encoder."""
        super().__init__(architecture)
        channels = architecture.image_bands + architecture.terrain_bands
        self.encoders[0] = SmallEncoder(channels, architecture.width)

    def _inputs(self, values: Tensor) -> list[Tensor]:
        return [values, values[:, self.architecture.image_bands :]]


class Grouped(HpclNet):
    """Normalised over groups of each window's channels, as small batches are."""

    def __init__(self, architecture: Architecture) -> None:
        """The same weights."""
        super().__init__(replace(architecture, normalisation="group"))


class Trial(HpclDesign):
    """A training that differs in what settings do not offer."""

    def __init__(self, settings: Mapping[str, Value], contrast: Mapping[str, Any]) -> None:
        """`contrast` replaces parts of the contrastive learning, and `network` the network."""
        super().__init__(settings)
        parts = dict(contrast)
        self._kind: type[HpclNet] = parts.pop("network", HpclNet)
        self.contrast = replace(self.contrast, **parts)

    def trainee(
        self,
        network: nn.Module,
        sampler: Sampler,
        statistics: Statistics,
        effort: Effort,
        device: Device,
    ) -> HpclTrainee:
        """What is trained, kept to look into afterwards."""
        self.trained = super().trainee(network, sampler, statistics, effort, device)
        return self.trained

    @property
    def likeness(self) -> Scores:
        """Mean cosine between the last keys of landslide, of background, and across.

        Where all three are near 1, everything was drawn to one point and nothing is compared.
        """
        learning = self.trained.learning
        if learning is None or not len(learning.queues.positives):
            return {}
        slide, background = (
            one.mean(0) for one in (learning.queues.positives, learning.queues.negatives)
        )
        return {
            "cosine_landslide": float(slide @ slide),
            "cosine_background": float(background @ background),
            "cosine_across": float(slide @ background),
        }

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        """A network with random weights."""
        return self._kind(Architecture.from_json(architecture))


@dataclass(frozen=True)
class Change:
    """What a trial changes: settings, the contrastive learning, the bands of the image."""

    settings: Mapping[str, Value] = field(default_factory=dict)
    contrast: Mapping[str, Any] = field(default_factory=dict)
    thermal: bool = False


SILENT: dict[str, Value] = {"lambda_hpcl": 0.0}


def _of_sizes(share: float) -> dict[str, Any]:
    return {"sizes": {name: int(size * share) for name, size in SIZES.items()}}


CHANGES: dict[str, Change] = {
    "fusion": Change(SILENT),
    "full": Change(),
    "full, λ 0.5": Change({"lambda_hpcl": 0.5}),
    "full, λ 2": Change({"lambda_hpcl": 2.0}),
    "full, λ 0.5, temperature 0.07": Change({"lambda_hpcl": 0.5}, {"temperature": 0.07}),
    "full, λ 0.5, temperature 0.5": Change({"lambda_hpcl": 0.5}, {"temperature": 0.5}),
    "full, λ 0.5, queues a quarter as long": Change({"lambda_hpcl": 0.5}, _of_sizes(0.25)),
    "full, λ 0.5, all anchors at boundaries": Change({"lambda_hpcl": 0.5}, {"edge_share": 1.0}),
    "full, λ 0.5, uniform anchors": Change({"lambda_hpcl": 0.5, "anchors": "uniform"}),
    "full, λ 0.5, 1024 anchors": Change({"lambda_hpcl": 0.5}, {"anchors": 1024}),
    "full, both sides": Change({"anchors": "both"}),
    "full, both sides, λ 0.5": Change({"lambda_hpcl": 0.5, "anchors": "both"}),
    "full, both sides, λ 2": Change({"lambda_hpcl": 2.0, "anchors": "both"}),
    "full, λ 0.5, map of stride 4": Change({"lambda_hpcl": 0.5}, {"network": EarlyMap}),
    "stacked": Change({**SILENT, "variant": "stacked"}),
    "fusion, terrain in both encoders": Change(SILENT, {"network": Shared}),
    "fusion, normalised over groups": Change(SILENT, {"network": Grouped}),
    "fusion, thermal band": Change(SILENT, thermal=True),
    "fusion, relative to 100 m": Change({**SILENT, "wide": 100.0}),
    "fusion, relative to 1000 m": Change({**SILENT, "wide": 1000.0}),
    "fusion, no missing inputs": Change({**SILENT, "missing": 0.0}),
    "fusion, half the change of light": Change({**SILENT, "jitter": 0.5}),
    "fusion, twice the change of light": Change({**SILENT, "jitter": 2.0}),
    "fusion, batch of 16": Change({**SILENT, "batch": 16}),
    "fusion, half the learning rate": Change({**SILENT, "learning_rate": 0.001}),
    "fusion, twice the learning rate": Change({**SILENT, "learning_rate": 0.004}),
    "fusion, window of 256": Change({**SILENT, "window": 256, "batch": 2}),
}


def main() -> None:
    """Run the trials that are missing and print what each has over its base."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument(
        "--only", default="", help="words of the methods, with semicolons; =NAME for a whole name"
    )
    parser.add_argument("--thermal", default="train_thermal.tif")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name = options.folder.resolve().name
    title = f"HPCL-Net on {name}: a search, {options.epochs} epochs"
    stem = f"hpclnet_{name}_search" + ("" if options.epochs == 8 else f"_{options.epochs}")
    notebook = Notebook(stem, title)
    with tempfile.TemporaryDirectory() as folder:
        job = scene_job(options.folder)
        warm = _with_bands(job, options.folder / options.thermal, Path(folder))
        for seed in (int(one) for one in options.seeds.split(",")):
            for method, change in CHANGES.items():
                if wanted(method, options.only) and (warm or not change.thermal):
                    chosen = warm if change.thermal and warm else job
                    _run(notebook, chosen, method, change, seed, options.epochs)
    for method in CHANGES:
        base = method.split(",")[0]
        if method != "fusion":
            sys.stdout.write(paired(notebook, method, "fusion") + "\n")
        if base != method and base == "full":
            sys.stdout.write(paired(notebook, method, base) + "\n")


def _run(notebook: Notebook, job: Job, method: str, change: Change, seed: int, epochs: int) -> None:
    given: dict[str, Value] = {"epochs": epochs, "seed": seed, "device": "cpu", **change.settings}
    told = {**given, **{key: _named(value) for key, value in change.contrast.items()}}

    def trial() -> Scores:
        design = Trial(resolve(HPCLNET.train_settings, given), change.contrast)
        scores = measure(job, design, *sites_of(job, design)).scores
        return {**scores, **design.likeness}

    notebook.run(method, seed, told, trial)


def _named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


def _with_bands(job: Job, other: Path, folder: Path) -> Job | None:
    """The job with the bands of `other` behind those of its image; None where there is no such."""
    if not other.exists():
        return None
    path = folder / "image.tif"
    with rasterio.open(job.inputs["IMAGE"][0].path) as image, rasterio.open(other) as more:
        bands, known = image.read().astype(np.float32), image.dataset_mask() > 0
        extra = more.read().astype(np.float32)
        # A gap in the further band is not a gap in the scene: it shows the mean there.
        for band, seen in zip(extra, more.read_masks() > 0, strict=True):
            band[~seen] = band[seen & known].mean()
        stack = np.concatenate([bands, extra])
        stack[:, ~known] = -1.0
        profile = {"driver": "GTiff", "width": image.width, "height": image.height}
        profile |= {"count": len(stack), "dtype": "float32", "nodata": -1.0, "tiled": True}
        place = {"crs": image.crs, "transform": image.transform}
        with rasterio.open(path, "w", **profile, **place) as sink:
            sink.write(stack)
    return replace(job, inputs={**job.inputs, "IMAGE": (Source(str(path)),)})


if __name__ == "__main__":
    main()
