"""A family of one convolution that finds bright spots, and scenes to learn from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.transform import from_origin
from terraweave.core.card import Band, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.device import Device
from terraweave.core.family import Family, Reference, Role
from terraweave.core.nn.decay import ParameterGroup, parameter_groups
from terraweave.core.scene.grid import Window
from terraweave.core.scene.scene import Block, Scene
from terraweave.core.segmentation.design import Effort
from terraweave.core.segmentation.losses import segmentation_loss
from terraweave.core.segmentation.orientations import turned
from terraweave.core.segmentation.sampler import Ground, Sampler, channel_statistics
from terraweave.core.segmentation.sites import Site, Sites
from terraweave.core.training.loop import Plain, Plan, State
from torch import Tensor, nn

SIZE = 96
Moments = tuple[float, float]
SETTINGS: dict[str, Any] = {
    "device": "cpu", "seed": 0, "validation_share": 0.25, "cross_validation": 0, "block": 0,
    "refit": False,
}  # fmt: skip
TOY = Family(
    key="toy",
    title="Bright spots",
    purpose="Bright spots",
    help="",
    roles=(Role("IMAGE", "Image", "", reference=True),),
    labels="",
    train_settings=(),
    predict_settings=(),
    reference=Reference("", ""),
    recipe=lambda: None,  # type: ignore[arg-type, return-value]
    binary=True,
    target=MapClass(1, "Spot", "#c0392b"),
)


class OneBand:
    """The first band, as a view."""

    channels = 1

    def read(self, scene: Scene, window: Window) -> Block:
        return scene.read("IMAGE", window)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        return turned(values, orientation)


class Applied(OneBand):
    """A convolution as a segmenter."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        self._network, self._mean, self._std = network, mean, std

    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        return torch.sigmoid(self._network((values - self._mean) / self._std)[:, 0])


class Trained(Plain):
    """The loss of a batch, nothing more."""

    def __init__(self, network: nn.Module, sampler: Sampler, statistics: Moments) -> None:
        self.network = network
        self._sampler, (self._mean, self._std) = sampler, statistics

    def groups(self) -> list[ParameterGroup]:
        return parameter_groups(self.network, 0.01)

    def loss(self, epoch: int, step: int) -> Tensor:
        batch = self._sampler.draw(epoch, step)
        logits = self.network((batch.values - self._mean) / self._std)[:, 0]
        return segmentation_loss(logits, batch.target, batch.labelled)

    def evaluate(self, network: nn.Module) -> None:
        raise AssertionError("the spine judges")


class ToyDesign:
    """One 3×3 convolution."""

    family = TOY
    working_gsd = 0.0

    def __init__(self, settings: Mapping[str, Any], epochs: int = 6) -> None:
        self.settings = {**SETTINGS, **settings}
        plan = Plan(epochs=epochs, steps=12, learning_rate=0.2, average=0.8)
        self.effort = Effort(plan, batch=4, window=16, gap=4)

    def view(self, facts: Mapping[str, Any]) -> OneBand:
        return OneBand()

    def ground(self, site: Site, counts: NDArray[np.bool_]) -> Ground:
        return Ground(site.values, site.valid, (site.target == 1).astype(np.float32), counts)

    def statistics(self, grounds: Sequence[Ground]) -> Moments:
        mean, std = channel_statistics(grounds)
        return float(mean[0]), float(std[0])

    def architecture(self, sites: Sites) -> Mapping[str, object]:
        return {"working_gsd": sites.gsd}

    def inputs(self, sites: Sites, statistics: Moments) -> tuple[CardInput, ...]:
        mean, std = statistics
        return (CardInput("IMAGE", (Band("band 1"),), (mean,), (std,), sites.gsd),)

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        return nn.Conv2d(1, 1, 3, padding=1)

    def trainee(
        self,
        network: nn.Module,
        sampler: Sampler,
        statistics: Moments,
        effort: Effort,
        device: Device,
    ) -> Trained:
        return Trained(network, sampler, statistics)

    def segmenter(self, network: nn.Module, statistics: Moments, device: Device) -> Applied:
        return Applied(network, *statistics)

    def exported(self, state: State) -> State:
        return state


def write(path: Path, values: NDArray[np.generic], west: float = 500_000.0) -> str:
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1],
        dtype=values.dtype.name, crs="EPSG:32632", nodata=255,
        transform=from_origin(west, 5_400_000, 2, 2),
    ) as file:  # fmt: skip
        file.write(values, 1)
    return str(path)


def scene(folder: Path, number: int = 0) -> tuple[str, str]:
    """An image with bright spots, and a raster of them with 0 for background."""
    random = np.random.default_rng(number)
    truth = np.kron(random.random((SIZE // 8, SIZE // 8)) > 0.7, np.ones((8, 8))).astype(np.uint8)
    image = (60 + 100 * truth + random.normal(0, 20, truth.shape)).clip(0, 250).astype(np.uint8)
    image[:10, :10] = 255
    west = 500_000.0 + 1000 * number
    return (
        write(folder / f"image{number}.tif", image, west),
        write(folder / f"truth{number}.tif", truth, west),
    )
