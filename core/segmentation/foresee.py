"""What a training or a map of a segmenting family will take: the real scene and network, tried."""

import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..capacity import peak_memory
from ..card import Card, read_card
from ..device import Device, choose_device
from ..estimate import Estimate, Range, seconds_each
from ..family import Family
from ..job import Job
from ..nn.decay import ParameterGroup
from ..progress import Progress
from ..scene.grid import Shape, Window
from ..scene.scene import Scene
from ..settings import resolve
from ..training.checkpoint import Checkpoint
from ..training.loop import Evaluation, Plan, Trainee, train
from .blending import batch_of, laid_over, lanes, orientations_for
from .design import Design
from .division import Division, divide
from .learn import Revise, as_they_are
from .predict import Doubts, Make, behind, no_doubts, overlap_of, scene_of
from .sampler import Sampler
from .sites import Sites, read_sites
from .validation import HeldOut
from .view import Segmenter

S = TypeVar("S")

# Windows are counted one by one in scenes of up to so many pixels, and beyond that in a part.
_COUNTED = 1_000_000
_UNSURE = 0.1
# Bringing probabilities to the image, deciding, cleaning, writing: seconds for a million pixels.
_DELIVERING: Range = (1.0, 4.0)
# Strips of two million pixels on their way to the files, and GDAL's cache.
_AROUND = 512 * 2**20
# A page with curves and maps, and the numbers beside it.
_REPORT = 2 * 2**20
_OVERVIEWS = 4 / 3
# Areas of a speckled map with all their attributes, bytes for each pixel; and an empty GeoPackage.
_OUTLINES, _EMPTY_LAYER = 24.0, 2**17
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class _Looked:
    """What looking at a scene told: windows with data, pixels to read and seconds a pixel."""

    windows: tuple[int, int]
    pixels: int
    seconds: float


def foresee_prediction(
    job: Job, progress: Progress, family: Family, make: Make, *, doubts: Doubts = no_doubts
) -> Estimate:
    """What a map by the job's model will take; see `predict.predict` for `make` and `doubts`.

    Raises:
        InputError: the job would be refused, with the same sentence.
    """
    settings = resolve(family.predict_settings, job.settings)
    card = read_card(job.model)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    segmenter = make(card, device.torch)
    with scene_of(job, card, family, progress) as scene:
        region = scene.delivery.window_of(job.extent) if job.extent else scene.delivery.window
        doubts(scene, behind(region, scene))
        overlap = overlap_of(settings, card)
        orientations, _ = orientations_for(
            str(settings["orientations"]), scene.grid.shape, card.window, overlap
        )
        with progress.stage("Looking at the scene", 0.5):
            inside = behind(region, scene)
            seen = _looked(scene, segmenter, inside, card.window, overlap, progress)
        with progress.stage("Trying the network", 1.0):
            each = orientations * _seconds_a_window(segmenter, card.window, device)
        millions = region.shape.pixels / 1e6
        reading = seen.seconds * seen.pixels
        low, high = (
            each * windows + reading + millions * one
            for windows, one in zip(seen.windows, _DELIVERING, strict=True)
        )
        return Estimate(
            windows=seen.windows,
            work=(low, high),
            memory=peak_memory() + _AROUND,
            disk=_map_disk(job, region, inside, family),
            device=device.torch.type,
            reason=device.reason,
            threads=torch.get_num_threads(),
        )


def _looked(
    scene: Scene,
    segmenter: Segmenter,
    region: Window,
    edge: int,
    overlap: int,
    progress: Progress,
) -> _Looked:
    """Reads what the run will read, or a part of a large scene, and counts windows with data."""
    shape, step = scene.grid.shape, edge - overlap
    rows = list(_rows(shape, region, edge, step))
    pixels = sum(edge * _width(lefts, edge) for _, lefts in rows)
    part = rows
    if pixels > _COUNTED * edge / step:
        share = _COUNTED * edge / step / pixels
        drawn = np.random.default_rng(0)
        count = max(4, round(share * len(rows)))
        part = [rows[place] for place in sorted(drawn.choice(len(rows), count, replace=False))]
    began, read, known = time.perf_counter(), 0, 0
    for number, (top, lefts) in enumerate(part):
        progress.update(number / len(part))
        width = _width(lefts, edge)
        valid = segmenter.read(scene, Window(top, lefts[0], edge, width)).valid
        known += sum(bool(valid[:, x - lefts[0] : x - lefts[0] + edge].any()) for x in lefts)
        read += edge * width
    seconds = (time.perf_counter() - began) / read
    # Windows overlap, but every row of pixels is read once.
    needed = sum((step if number else edge) * _width(lefts, edge)
                 for number, (_, lefts) in enumerate(rows))  # fmt: skip
    whole, some = (sum(len(lefts) for _, lefts in one) for one in (rows, part))
    if len(part) == len(rows):
        return _Looked((known, known), needed, seconds)
    low, high = ((1 - _UNSURE) * known / some, min(1.0, (1 + _UNSURE) * known / some))
    return _Looked((math.floor(whole * low), math.ceil(whole * high)), needed, seconds)


def _rows(shape: Shape, region: Window, edge: int, step: int) -> Iterator[tuple[int, range]]:
    """The rows of windows that a blender goes through: the top, and where they begin in it."""
    for lane in lanes(region):
        tops, lefts = laid_over(shape, lane, edge, step)
        for top in tops:
            yield top, lefts


def _width(lefts: range, edge: int) -> int:
    return lefts[-1] + edge - lefts[0]


def _seconds_a_window(segmenter: Segmenter, edge: int, device: Device) -> float:
    """Seconds that the network needs for a window, as many at once as a run gives it."""
    random = torch.Generator().manual_seed(0)
    most = batch_of(edge, device.torch)

    def look(count: int) -> None:
        values = torch.randn(count, segmenter.channels, edge, edge, generator=random)
        valid = torch.ones(count, edge, edge, dtype=torch.bool)
        found = segmenter.probabilities(values.to(device.torch), valid.to(device.torch))
        # On a card nothing is done before somebody asks for the answer.
        found.cpu()

    return seconds_each(look, first=min(4, most), most=most)


def _map_disk(job: Job, region: Window, inside: Window, family: Family) -> int:
    """Bytes of the wanted files without the gain of compression, and of what lies beside them."""
    sizes = {"CLASSES": _OVERVIEWS, "CONFIDENCE": _FLOAT * _OVERVIEWS, "POLYGONS": _OUTLINES}
    sizes |= {one.key: _OVERVIEWS for one in family.extra_outputs}
    each = sum(size for key, size in sizes.items() if job.output(key))
    # Two sheets of the map while it is cleaned, and the probabilities on the working grid.
    layer = _EMPTY_LAYER if job.output("POLYGONS") else 0
    return round(layer + (each + 2.0) * region.shape.pixels + _FLOAT * inside.shape.pixels)


def foresee_training(
    job: Job,
    progress: Progress,
    design: Design[S],
    *,
    start: Card | None = None,
    revise: Revise = as_they_are,
    others: int = 0,
    stage: str = "",
) -> Estimate:
    """What a training will take, with the `design`, `start`, `revise`, `stage` of `learn.learn`.

    Images and labels are read as the run will read them, so the time for that is known. `others`
    is how many further models are judged on the ground that is held out.

    Raises:
        InputError: the job would be refused, with the same sentence.
    """
    device = choose_device(str(design.settings["device"]))
    progress.log(device.reason)
    began = time.perf_counter()
    with progress.stage("Reading images and labels", 0.6):
        sites = read_sites(
            job, design.family, design.view, design.working_gsd, progress, start=start, stage=stage
        )
        sites = revise(sites)
    divisions = divide(sites, design.settings, design.effort.gap)
    reading = time.perf_counter() - began
    phases, measured = _phases(design, divisions)
    with progress.stage("Trying the network", 1.0):
        step, each, weights = _tried(design, sites, divisions[0], device)
    plan = design.effort.plan
    looks = 0
    if measured:
        looks = sum(_looks(sites, one, design, plan.epochs, 1 + others) for one in divisions)
    work = reading + phases * plan.total * step + looks * each
    windows = phases * plan.total * design.effort.batch
    held = sum(site.values.nbytes + site.valid.nbytes + site.target.nbytes for site in sites.sites)
    return Estimate(
        windows=(windows, windows),
        work=(work, work),
        # Statistics are taken in double precision, of a scene at a time, beside all scenes.
        memory=peak_memory() + 2 * held + 6 * weights,
        # The model, and what is kept to go on: weights, their means, two moments, the best.
        disk=6 * weights + (_REPORT if job.output("REPORT") else 0),
        device=device.torch.type,
        reason=device.reason,
        threads=torch.get_num_threads(),
    )


def _phases(design: Design[S], divisions: Sequence[Division]) -> tuple[int, int]:
    """How many trainings there are, and how many of them are measured after each epoch."""
    if len(divisions) > 1:
        return len(divisions) + 1, len(divisions)
    held_out = divisions[0].holds_out
    return 1 + int(held_out and bool(design.settings["refit"])), int(held_out)


def _looks(sites: Sites, division: Division, design: Design[S], epochs: int, models: int) -> int:
    """How many windows are looked at to judge each epoch quickly, and models in full."""
    masks = [division.validating(number) for number in range(len(sites.sites))]
    quick, whole = HeldOut(sites.sites, masks, design.effort.window).windows()
    return epochs * quick + models * whole


def seconds_to_judge(ground: HeldOut, segmenter: Segmenter, edge: int, device: Device) -> float:
    """Seconds of judging a model with windows of `edge` pixels on all of the `ground`."""
    return ground.windows()[1] * _seconds_a_window(segmenter, edge, device)


def _tried(
    design: Design[S], sites: Sites, division: Division, device: Device
) -> tuple[float, float, int]:
    """Seconds of a training step and of looking at a window, and the bytes of the weights."""
    effort = design.effort
    grounds = [
        design.ground(site, division.training(number)) for number, site in enumerate(sites.sites)
    ]
    statistics = design.statistics(grounds)
    network = design.network(design.architecture(sites)).to(device.torch)
    sampler = Sampler(
        grounds, sites.view, window=effort.window, batch=effort.batch,
        seed=int(design.settings["seed"]), holding=effort.holding,
    )  # fmt: skip
    trainee = _Late(
        design.trainee(network, sampler, statistics, effort, device), effort.plan.epochs - 1
    )
    averaged = copy.deepcopy(network)

    def steps(count: int) -> None:
        plan = Plan(1, count, effort.plan.learning_rate)
        train(trainee, plan, Progress(), seed=0, checkpoint=Checkpoint(None, ""), averaged=averaged)

    step = seconds_each(steps, first=1, most=16, seconds=1.0)
    segmenter = design.segmenter(averaged.eval(), statistics, device)
    weights = sum(one.numel() * one.element_size() for one in network.parameters())
    return step, _seconds_a_window(segmenter, effort.window, device), weights


class _Late:
    """A trainee as it is late in its training, when everything that it does has begun."""

    def __init__(self, trainee: Trainee, epoch: int) -> None:
        self.network: nn.Module = trainee.network
        self._trainee = trainee
        self._epoch = epoch

    def groups(self) -> list[ParameterGroup]:
        return self._trainee.groups()

    def loss(self, epoch: int, step: int) -> Tensor:
        return self._trainee.loss(self._epoch, step)

    def stepped(self) -> None:
        self._trainee.stepped()

    def extras(self) -> dict[str, Tensor]:
        return {}

    def restore_extras(self, extras: Mapping[str, Tensor]) -> None:
        """There is nothing to put back."""

    def kept(self, averaged: nn.Module) -> nn.Module:
        return self._trainee.kept(averaged)

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        return None
