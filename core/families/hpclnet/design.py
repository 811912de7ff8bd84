"""What HPCL-Net brings to the shared training of segmenting families."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from ...card import Band, Card, CardInput
from ...device import Device
from ...errors import InputError
from ...family import Family
from ...nn.blocks import normalisation_for
from ...scene.source import Mask, RasterFacts
from ...segmentation.design import Effort
from ...segmentation.earlier import Earlier, read_earlier
from ...segmentation.sampler import Ground, Sampler, channel_statistics
from ...segmentation.segmenter import TrainedSegmenter
from ...segmentation.sites import Site, Sites
from ...settings import Value
from ...training.loop import Plan, State
from . import HPCLNET
from .architecture import Architecture
from .doubts import LEAST_RELIEF, Lie, other_ground
from .hyperpixel_learning import Contrast
from .network import HpclNet
from .statistics import MEAN_SLOPE, Statistics
from .trainee import HpclTrainee, Lesson
from .view import DEM, IMAGE, METRES, RELATIVE, SLOPE, TERRAIN, TerrainView

STEPS_PER_EPOCH = 30
# Ground that is steeper than this in the mean (slope/90) is rarer than a wrong vertical unit.
_TOO_STEEP = 60 / 90
_TOO_FLAT = 0.05 / 90


def earlier_model(path: str, card: Card) -> Earlier:
    """The model file at `path`, to start from; see `read_earlier` for what it raises."""
    return read_earlier(path, card, HPCLNET, lambda one: HpclNet(_architecture_of(one)))


def _architecture_of(card: Card) -> Architecture:
    return Architecture.from_json(card.architecture)


class HpclDesign:
    """One training; see `segmentation.design.Design`.

    Whoever starts from an earlier model keeps its network, bands, statistics, window, pixel size.
    """

    def __init__(
        self,
        settings: Mapping[str, Value],
        earlier: Earlier | None = None,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        """`settings` are those of the family; `warn` is told what looks wrong in the elevation."""
        self.family: Family = HPCLNET
        self.settings = settings
        self._earlier = earlier
        self._warn = warn
        self._doubted = False
        self.contrast = contrast_of(settings)
        window = earlier.card.window if earlier else int(settings["window"])
        plan = Plan(int(settings["epochs"]), STEPS_PER_EPOCH, float(settings["learning_rate"]))
        # Windows may look across the gap, but no label does.
        self.effort = Effort(plan, int(settings["batch"]), window, gap=window // 8)
        self.working_gsd = earlier.working_gsd if earlier else float(settings["working_gsd"])

    def view(self, facts: Mapping[str, RasterFacts]) -> TerrainView:
        """The bands of the image, and terrain in metres."""
        wide = (
            _architecture_of(self._earlier.card).wide
            if self._earlier
            else float(self.settings["wide"])
        )
        metres = METRES[str(self.settings["vertical_unit"])]
        return TerrainView(len(facts[IMAGE].bands), wide, metres)

    def ground(self, site: Site, counts: Mask) -> Ground:
        """A site with its outlines as drawn."""
        return Ground(site.values, site.valid, (site.target == 1).astype(np.float32), counts)

    def statistics(self, grounds: Sequence[Ground]) -> Statistics:
        """Those of the training ground, or the earlier model's.

        Raises:
            InputError: the elevation is the same everywhere.
        """
        mean, std = channel_statistics(grounds)
        bands = len(mean) - TERRAIN
        self._check(grounds, bands, float(mean[bands + SLOPE]))
        found = Statistics.of_channels(torch.from_numpy(mean), torch.from_numpy(std), bands)
        if self._earlier is None:
            return found
        known = Statistics.of_card(self._earlier.card)
        self._compare(found, known)
        return known

    def _compare(self, found: Statistics, known: Statistics) -> None:
        """Say where the training ground is unlike that of the model to go on from."""
        unit = str(self.settings["vertical_unit"])
        ours, theirs = Lie.of_statistics(found), Lie.of_statistics(known)
        told = other_ground(ours, theirs, "the elevation model", unit)
        if told and not self._doubted:
            self._doubted = True
            self._warn(told)

    def _check(self, grounds: Sequence[Ground], bands: int, steepness: float) -> None:
        place = bands + RELATIVE
        if all(float(np.abs(one.values[place]).max()) < LEAST_RELIEF for one in grounds):
            raise InputError(
                "The elevation model has the same height everywhere in the training ground; "
                "choose one that shows the terrain."
            )
        if self._doubted or _TOO_FLAT <= steepness <= _TOO_STEEP:
            return
        self._doubted = True
        self._warn(
            f"The ground has a mean slope of {90 * steepness:.2g}°, which is hard to believe; "
            "check that the elevation model holds heights (not a hillshade), and its vertical "
            "unit (VERTICAL_UNIT)."
        )

    def architecture(self, sites: Sites) -> Mapping[str, object]:
        """The network's numbers."""
        if self._earlier is not None:
            return _architecture_of(self._earlier.card).to_json()
        settings = self.settings
        return Architecture(
            image_bands=len(sites.facts[0][IMAGE].bands),
            profile=str(settings["profile"]),
            variant=str(settings["variant"]),
            window=self.effort.window,
            working_gsd=sites.gsd,
            wide=float(settings["wide"]),
            normalisation=normalisation_for(self.effort.batch),
        ).to_json()

    def inputs(self, sites: Sites, statistics: Statistics) -> tuple[CardInput, ...]:
        """The image with its statistics, the elevation with the deviation of relative elevation."""
        scales = {
            IMAGE: (tuple(statistics.mean.tolist()), tuple(statistics.std.tolist())),
            DEM: ((0.0,), (statistics.relief,)),
        }
        kept = {} if statistics.slope is None else {MEAN_SLOPE: statistics.slope}
        return tuple(
            CardInput(
                role=role,
                bands=self._bands(role, facts),
                mean=mean,
                std=std,
                gsd=facts.gsd,
                data_type=facts.data_type,
                nodata=facts.nodata,
                facts=kept if role == DEM else {},
            )
            for role, (mean, std) in scales.items()
            for facts in [sites.facts[0][role]]
        )

    def _bands(self, role: str, facts: RasterFacts) -> tuple[Band, ...]:
        return self._earlier.card.input(role).bands if self._earlier else facts.bands

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        """A network with random weights, or with the earlier model's."""
        network = HpclNet(Architecture.from_json(architecture))
        if self._earlier is not None:
            network.load_state_dict(self._earlier.state)
        return network

    def trainee(
        self,
        network: nn.Module,
        sampler: Sampler,
        statistics: Statistics,
        effort: Effort,
        device: Device,
    ) -> HpclTrainee:
        """Labels, and hyper-pixels beside them."""
        if not isinstance(network, HpclNet):
            raise TypeError(f"{type(network).__name__} is no network of this family")
        settings = self.settings
        lesson = Lesson(
            epochs=effort.plan.epochs,
            steps=effort.plan.steps,
            seed=int(settings["seed"]),
            contrast=self.contrast,
            jitter=float(settings["jitter"]),
            # A network with one input has nothing to lean on instead.
            missing=float(settings["missing"]) if len(network.encoders) == 2 else 0.0,
        )
        return HpclTrainee(network, sampler, statistics, lesson)

    def segmenter(
        self, network: nn.Module, statistics: Statistics, device: Device
    ) -> TrainedSegmenter:
        """The network as it is applied, to channels that have been read already."""
        return TrainedSegmenter(TerrainView(len(statistics.mean)), network, statistics)

    def exported(self, state: State) -> State:
        """All of the network; projector and momentum encoder never were in it."""
        return state


def contrast_of(settings: Mapping[str, Value]) -> Contrast:
    """How hyper-pixels are compared, as the settings say."""
    return Contrast(
        weight=float(settings["lambda_hpcl"]),
        mode=str(settings["contrast"]),
        edge_share=None if settings["anchors"] == "uniform" else 0.75,
        both=settings["anchors"] == "both",
    )
