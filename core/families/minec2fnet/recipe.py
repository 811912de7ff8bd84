"""What MineC2FNet can do; importing this brings torch in."""

import numpy as np
import torch

from ...card import Card, read_card
from ...errors import InputError
from ...estimate import Estimate
from ...job import Job
from ...progress import Progress
from ...scene.bands import read_facts
from ...scene.grid import Window
from ...scene.scene import Block, Scene
from ...segmentation.foresee import foresee_prediction
from ...segmentation.predict import Make, predict
from ...segmentation.segmenter import TrainedSegmenter
from ...settings import resolve
from . import MINEC2FNET
from .design import earlier_model, network_of, statistics_of
from .foresee import foresee, foresee_refinement
from .learn import learn, refine
from .statistics import Brightness, doubt, order_doubt
from .view import ROLE, ImageView


class MineC2FNetRecipe:
    """Train in one stage or two, refine, predict."""

    def train(self, job: Job, progress: Progress) -> dict[str, object]:
        """Train as the job says; see `learn`."""
        return learn(job, progress)

    def refine(self, job: Job, progress: Progress) -> dict[str, object]:
        """Go on from the job's model with precise labels; see `learn.refine`."""
        return refine(job, progress)

    def estimate(self, job: Job, progress: Progress) -> Estimate:
        """What the job will take; see `foresee`."""
        if job.labels is None:
            return foresee_prediction(job, progress, MINEC2FNET, _make_of(job))
        return (foresee_refinement if job.about == "refine" else foresee)(job, progress)

    def predict(self, job: Job, progress: Progress) -> dict[str, object]:
        """Apply the job's model; see `segmentation.predict`."""
        seen = Brightness()
        found = predict(job, progress, MINEC2FNET, _make_of(job, seen))
        card = read_card(job.model).input(ROLE)
        known, names = np.array(card.mean), [one.name for one in card.bands]
        told = [doubt("the image", seen.mean, float(np.median(known)), "the model's images")]
        if not read_facts(job.inputs[ROLE][0]).named:
            told.append(order_doubt("the image", seen.means, known, names))
        for line in filter(None, told):
            progress.warn(line)
        return found

    def import_checkpoint(self, job: Job, progress: Progress) -> dict[str, object]:
        """There is nothing to take over.

        Raises:
            InputError: always; the paper's weights are not public.
        """
        raise InputError(
            "MineC2FNet has no published checkpoints to import; train a model instead."
        )


class _Watching(TrainedSegmenter):
    """A segmenter that remembers how bright what it read was."""

    seen: Brightness

    def read(self, scene: Scene, window: Window) -> Block:
        """The channels in `window`, as the view reads them."""
        block = super().read(scene, window)
        self.seen.add(block)
        return block


def _make_of(job: Job, seen: Brightness | None = None) -> Make:
    settings = resolve(MINEC2FNET.predict_settings, job.settings)

    def make(card: Card, device: torch.device) -> TrainedSegmenter:
        model = earlier_model(job.model, card)
        view = ImageView.of_card(card, settings)
        made = _Watching(view, network_of(model).to(device), statistics_of(model))
        made.seen = seen or Brightness()
        return made

    return make
