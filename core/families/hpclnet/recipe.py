"""What HPCL-Net can do; importing this brings torch in."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ...card import Card, read_card
from ...errors import InputError
from ...estimate import Estimate
from ...job import Job
from ...model_file import load_into
from ...progress import Progress
from ...scene.grid import Window
from ...scene.scene import Scene
from ...segmentation.attributes import OwnAttributes, Part
from ...segmentation.foresee import foresee_prediction, foresee_training
from ...segmentation.learn import learn
from ...segmentation.predict import Doubts, Make, no_doubts, predict
from ...segmentation.segmenter import TrainedSegmenter
from ...settings import resolve
from . import HPCLNET
from .architecture import Architecture
from .attributes import FIELDS, described
from .backdrop import shaded_relief
from .design import HpclDesign, earlier_model
from .doubts import warn_of_rasters, warn_of_terrain
from .network import HpclNet
from .statistics import Statistics
from .view import DEM, METRES, TerrainView


class HpclNetRecipe:
    """Train and predict."""

    def train(self, job: Job, progress: Progress) -> dict[str, object]:
        """Train as the job says; see `segmentation.learn`."""
        design, start = _design_of(job, progress)
        return learn(job, design, progress, start=start).values

    def estimate(self, job: Job, progress: Progress) -> Estimate:
        """What the job will take; see `segmentation.foresee`."""
        if job.labels is None:
            make = _make_of(job, _metres_of(job))
            doubts = _doubts_of(job, progress)
            return foresee_prediction(job, progress, HPCLNET, make, doubts=doubts)
        design, start = _design_of(job, progress)
        return foresee_training(job, progress, design, start=start)

    def predict(self, job: Job, progress: Progress) -> dict[str, object]:
        """Apply the job's model; see `segmentation.predict`."""
        doubts = _doubts_of(job, progress)
        metres = _metres_of(job)

        def describe(scene: Scene, part: Part) -> Mapping[str, float]:
            window, inside = part.on(scene.grid)
            block = scene.read(DEM, window)
            return described(block, inside, scene.grid, metres)

        def relief(scene: Scene, window: Window) -> NDArray[np.uint8]:
            return shaded_relief(scene, window, metres)

        return predict(
            job,
            progress,
            HPCLNET,
            _make_of(job, metres),
            doubts=doubts,
            own=OwnAttributes(FIELDS, describe),
            painters={"HILLSHADE": relief},
        )

    def import_checkpoint(self, job: Job, progress: Progress) -> dict[str, object]:
        """There is nothing to take over.

        Raises:
            InputError: always; the paper's weights are not public.
        """
        raise InputError("HPCL-Net has no published checkpoints to import; train a model instead.")


def _design_of(job: Job, progress: Progress) -> tuple[HpclDesign, Card | None]:
    """What a training brings, and the card of the model that it starts from."""
    settings = resolve(HPCLNET.train_settings, job.settings)
    if not job.model:  # whose window is kept
        HPCLNET.check(settings)
    start = read_card(job.model) if job.model else None
    earlier = earlier_model(job.model, start) if start else None
    variant = str(start.architecture["variant"] if start else settings["variant"])
    warn_of_rasters(job, progress, unit=str(settings["vertical_unit"]), variant=variant)
    return HpclDesign(settings, earlier, progress.warn), start


def _unit_of(job: Job) -> str:
    """The unit of the elevation of a scene to map."""
    return str(resolve(HPCLNET.predict_settings, job.settings)["vertical_unit"])


def _metres_of(job: Job) -> float:
    """What one unit of the elevation of a scene to map is worth."""
    return METRES[_unit_of(job)]


def _doubts_of(job: Job, progress: Progress) -> Doubts:
    """Warns of the rasters of a scene to map, and gives what looks at its ground."""
    unit, card = _unit_of(job), read_card(job.model)
    architecture = Architecture.from_json(card.architecture)
    if warn_of_rasters(job, progress, unit=unit, variant=architecture.variant):
        return no_doubts  # one is enough
    view = _view_of(architecture, METRES[unit])
    return lambda scene, inside: warn_of_terrain(scene, inside, card, view, unit, progress)


def _view_of(architecture: Architecture, metres: float) -> TerrainView:
    return TerrainView(architecture.image_bands, architecture.wide, metres)


def _make_of(job: Job, metres: float) -> Make:
    return lambda card, device: segmenter_of(job.model, card, device, metres)


def segmenter_of(path: str, card: Card, device: torch.device, metres: float) -> TrainedSegmenter:
    """The trained network of the model file at `path`, on `device`.

    Raises:
        ModelFileError: the weights do not fit the card.
    """
    architecture = Architecture.from_json(card.architecture)
    network = HpclNet(architecture)
    load_into(network, path)
    view = _view_of(architecture, metres)
    return TrainedSegmenter(view, network.to(device), Statistics.of_card(card))
