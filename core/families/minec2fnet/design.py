"""What MineC2FNet brings to the shared training: stage 1 on coarse labels, stage 2 on fine ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from ...card import Band, Card, CardInput
from ...device import Device
from ...family import Family
from ...scene.source import Mask, RasterFacts
from ...segmentation.design import Effort
from ...segmentation.earlier import Earlier, read_earlier
from ...segmentation.sampler import Ground, Sampler, channel_statistics
from ...segmentation.segmenter import TrainedSegmenter
from ...segmentation.sites import IGNORED, Site, Sites
from ...settings import Value
from ...training.loop import Evaluation, Plan, State
from . import MINEC2FNET
from .architecture import Architecture
from .augmentation import Augmentation
from .distillation import Distillation
from .labels import coarse_target
from .network import FootprintNet
from .statistics import Statistics
from .trainee import CoarseTrainee, FineTrainee, Lesson
from .view import ROLE, ImageView

STEPS_PER_EPOCH = 20
# Bands of longer waves (µm) may be missing in other products, so training may drop them.
_RED_ENDS = 0.7


def earlier_model(path: str, card: Card) -> Earlier:
    """The model file at `path`, to start or learn from; see `read_earlier` for what it raises."""
    return read_earlier(path, card, MINEC2FNET, _built)


def network_of(earlier: Earlier) -> FootprintNet:
    """The network as it was."""
    network = _built(earlier.card)
    network.load_state_dict(earlier.state)
    return network


def statistics_of(earlier: Earlier) -> Statistics:
    """Mean and deviation of the first training part; whoever goes on keeps them."""
    return Statistics.of_card(earlier.card.input(ROLE))


def _built(card: Card) -> FootprintNet:
    return FootprintNet(Architecture.from_json(card.architecture))


class FootprintDesign:
    """One stage of a training; see `segmentation.design.Design`.

    The network starts from the `earlier` model where there is one, and keeps its bands, statistics,
    window and pixel size. In stage 2 that model is the teacher, too.
    """

    def __init__(
        self, settings: Mapping[str, Value], earlier: Earlier | None = None, *, fine: bool = False
    ) -> None:
        """`settings` are those of the family. With `fine`, outlines count as drawn: stage 2."""
        self.family: Family = MINEC2FNET
        self.settings = settings
        self._earlier = earlier
        self._fine = fine
        window = earlier.card.window if earlier else int(settings["window"])
        self.effort = Effort(self._plan(), int(settings["batch"]), window, gap=window // 2)
        self.working_gsd = earlier.working_gsd if earlier else float(settings["working_gsd"])
        self.augmentation = Augmentation()
        self.distillation = distillation_of(settings)

    def _plan(self) -> Plan:
        rate = float(self.settings["learning_rate"])
        if self._earlier is None or not self._fine:
            return Plan(int(self.settings["epochs"]), STEPS_PER_EPOCH, rate)
        rate *= float(self.settings["rate_factor"])
        return Plan(int(self.settings["fine_epochs"]), STEPS_PER_EPOCH, rate)

    def view(self, facts: Mapping[str, RasterFacts]) -> ImageView:
        """The bands of the image as reflectance."""
        bands = facts[ROLE].bands
        self.augmentation = replace(self.augmentation, droppable=droppable_bands(bands))
        if self._earlier is not None and float(self.settings["reflectance_scale"]) <= 0:
            return ImageView.of_card(self._earlier.card, self.settings)
        scale, offset = (self.settings[f"reflectance_{one}"] for one in ("scale", "offset"))
        return ImageView(len(bands), float(scale), float(offset))

    def ground(self, site: Site, counts: Mask) -> Ground:
        """A site with its outlines as soft as they are uncertain; fine ones count as drawn."""
        footprint, labelled = site.target == 1, site.target != IGNORED
        metres = 0.0 if self._fine else float(self.settings["boundary_uncertainty"])
        kind = "hard" if self._fine else str(self.settings["boundary"])
        target = coarse_target(footprint, labelled, kind, metres / site.grid.gsd)
        return Ground(site.values, site.valid, target.values, target.labelled & counts)

    def statistics(self, grounds: Sequence[Ground]) -> Statistics:
        """Those of the training ground, or the earlier model's."""
        if self._earlier is not None:
            return statistics_of(self._earlier)
        mean, deviation = channel_statistics(grounds)
        return Statistics(*(torch.tensor(one, dtype=torch.float32) for one in (mean, deviation)))

    def architecture(self, sites: Sites) -> Mapping[str, object]:
        """The network's numbers, the working pixel size, and what makes reflectance."""
        view = sites.view
        if not isinstance(view, ImageView):
            raise TypeError(f"{type(view).__name__} is no view of this family")
        own = Architecture(view.channels, str(self.settings["profile"]))
        if self._earlier is not None:
            own = Architecture.from_json(self._earlier.card.architecture)
        kept = {"reflectance_scale": view.scale, "reflectance_offset": view.offset}
        return {**own.to_json(), "working_gsd": sites.gsd, **kept}

    def inputs(self, sites: Sites, statistics: Statistics) -> tuple[CardInput, ...]:
        """The image; mean and deviation are those of its reflectance."""
        facts = sites.facts[0][ROLE]
        known = self._earlier.card.input(ROLE) if self._earlier else None
        return (
            CardInput(
                role=ROLE,
                bands=known.bands if known else facts.bands,
                mean=tuple(statistics.mean.tolist()),
                std=tuple(statistics.std.tolist()),
                gsd=facts.gsd,
                data_type=facts.data_type,
                nodata=facts.nodata,
            ),
        )

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        """A network with random weights, or with the earlier model's."""
        if self._earlier is not None:
            return network_of(self._earlier)
        return FootprintNet(Architecture.from_json(architecture))

    def trainee(
        self,
        network: nn.Module,
        sampler: Sampler,
        statistics: Statistics,
        effort: Effort,
        device: Device,
    ) -> CoarseTrainee | FineTrainee:
        """Labels alone, or in stage 2 labels and teacher."""
        if not isinstance(network, FootprintNet):
            raise TypeError(f"{type(network).__name__} is no network of this family")
        seed = int(self.settings["seed"])
        lesson = Lesson(sampler, statistics, self.augmentation, seed, device.torch)
        if self._earlier is None or not self._fine:
            return CoarseTrainee(network, lesson, _unasked)
        teacher = network_of(self._earlier).to(device.torch)
        return FineTrainee(network, teacher, lesson, self.distillation, _unasked)

    def segmenter(
        self, network: nn.Module, statistics: Statistics, device: Device
    ) -> TrainedSegmenter:
        """The network as it is applied, to bands that are reflectance already."""
        return TrainedSegmenter(ImageView(len(statistics.mean)), network, statistics)

    def exported(self, state: State) -> State:
        """All of the weights."""
        return state


def expected_card(design: FootprintDesign, sites: Sites) -> Card:
    """What a training on `sites` will say of its bands, class and pixel size; never kept."""
    count = sites.view.channels
    blank = Statistics(torch.zeros(count), torch.ones(count))
    return Card(
        family=MINEC2FNET.key,
        name="",
        inputs=design.inputs(sites, blank),
        classes=(sites.mapclass,),
        window=design.effort.window,
        overlap=design.effort.window // 2,
        architecture=design.architecture(sites),
    )


def distillation_of(settings: Mapping[str, Value]) -> Distillation:
    """How the student listens, as the settings say."""
    return Distillation(
        trust=str(settings["trust"]),
        gamma=float(settings["gamma"]),
        prediction_weight=float(settings["lambda_prediction"]),
        feature_weight=float(settings["lambda_feature"]),
        feature=str(settings["feature"]),
        temperature=float(settings["temperature"]),
        share=float(settings["teacher_share"]),
    )


def droppable_bands(bands: Sequence[Band]) -> tuple[int, ...]:
    """The indexes of bands that are not blue, green or red, where wavelengths tell."""
    return tuple(
        index
        for index, band in enumerate(bands)
        if band.wavelength is not None and band.wavelength > _RED_ENDS
    )


def _unasked(network: nn.Module) -> Evaluation | None:
    """The shared training judges epochs itself."""
    return None
