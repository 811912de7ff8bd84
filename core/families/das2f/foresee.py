"""What a DAS²F training or prediction will take: the real network, tried on random windows."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from ...capacity import peak_memory
from ...card import Card, read_card
from ...device import choose_device
from ...estimate import Estimate, Range, seconds_each
from ...job import Job
from ...progress import Progress
from ...scene.grid import Window
from ...settings import Value, resolve
from ...training.checkpoint import Checkpoint
from ...training.loop import Plan, train
from . import DAS2F
from .adaptive import FIRST_STEP, Adaptive
from .agreement import sampled_share
from .apply import PREVIEW_STRIDE, chosen_mode, folded, load_network, opened, statistics_of
from .architecture import Architecture
from .classifier import Block, Classifier
from .configuration import architecture
from .fit import QUICK_LOOK, STEPS_PER_EPOCH, Fit, PixelTrainee
from .modes import ScenePixels
from .network import Das2f
from .patches import Patches, patch_limit
from .training_data import LabelledScenes, labelled_scenes

# Valid pixels are counted up to so many, and beyond that drawn from tiles.
_COUNTED = 1_000_000
_TILES, _TILE = 16, 128
# What `adaptive` saves is seen from a few small tiles, for about so long.
_LOOK_SECONDS = 1.5
_LOOK_EDGE = 32
# How far the share of a few tiles may be from that of the scene.
_UNSURE = 0.3
# Reading both images and writing the results, beside the network: seconds for a million pixels.
_READING = 1.5
_BLOCK_PIXELS = 128 * 1024
_CACHE = 128 * 2**20
# A page with curves and maps, and the numbers beside it.
_REPORT = 2 * 2**20
# A pyramid of overviews on top of a raster.
_OVERVIEWS = 4 / 3
# Polygons of a speckled map, bytes for each pixel; and a GeoPackage with nothing in it.
_OUTLINES, _EMPTY_LAYER = 12.0, 2**17
_FLOAT = 4


def foresee(job: Job, progress: Progress) -> Estimate:
    """What `job` will take: a training where it has labels, else a prediction.

    Raises:
        InputError: the job would be refused, with the same sentence.
    """
    return _training(job, progress) if job.labels is not None else _prediction(job, progress)


def _prediction(job: Job, progress: Progress) -> Estimate:
    settings = resolve(DAS2F.predict_settings, job.settings)
    card = read_card(job.model)
    network = load_network(job.model, card)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    orientations = int(settings["orientations"])
    with opened(job, card, progress) as scene:
        region = scene.grid.window_of(job.extent) if job.extent else scene.grid.window
        classifier = Classifier(
            lambda target: folded(network, target, progress),
            statistics_of(card),
            window=card.window,
            ratio=card.input("PAN").scale,
            device=device.torch,
            progress=progress,
        )
        with progress.stage("Trying the network", 0.4):
            each = seconds_each(_classifying(card, classifier)) * orientations
        pixels = ScenePixels(scene, classifier, card.input("PAN").scale, len(card.classes))
        mode = chosen_mode(settings, region, progress)
        with progress.stage("Looking at the scene", 0.9):
            valid = _valid_share(pixels, region, progress)
            known = round(region.shape.pixels * valid)
            if mode == "adaptive":
                windows = _adaptive_windows(region, known, pixels, each)
            else:
                windows = _windows(mode, int(settings["stride"]), region, known)
    beside = _READING * region.shape.pixels / 1e6
    return Estimate(
        windows=windows,
        work=(each * windows[0] + beside, each * windows[1] + beside),
        memory=peak_memory() + _CACHE + _block_memory(card),
        disk=_map_disk(job, card, region),
        device=device.torch.type,
        reason=device.reason,
        threads=torch.get_num_threads(),
    )


def _classifying(card: Card, classifier: Classifier) -> Callable[[int], None]:
    """Classifies as many windows of a random scene as it is called with."""
    ratio, inside = card.input("PAN").scale, 32
    edge = 2 * classifier.half + inside
    generator = torch.Generator().manual_seed(0)
    block = Block(
        torch.randn(len(card.input("MS").bands), edge, edge, generator=generator),
        torch.randn(1, edge * ratio, edge * ratio, generator=generator),
    )

    def classify(count: int) -> None:
        places = torch.arange(count) % inside**2
        classifier.probabilities(block, places // inside, places % inside)

    return classify


def _valid_share(pixels: ScenePixels, region: Window, progress: Progress) -> float:
    """The share of the region's pixels that have data; exact for all but large scenes."""
    if region.shape.pixels <= _COUNTED:
        tiles = list(region.blocks(_TILE, 8 * _TILE))
    else:
        tiles = _scattered(region, _TILES, _TILE)
    known = 0
    for number, tile in enumerate(tiles):
        progress.update(0.5 * number / len(tiles))
        known += int(pixels.valid(tile).sum())
    return known / sum(tile.shape.pixels for tile in tiles)


def _scattered(region: Window, count: int, edge: int) -> list[Window]:
    """Tiles at places drawn from the region, on the lattice of the first step of `adaptive`."""
    random = np.random.default_rng(0)
    rows, columns = min(edge, region.rows), min(edge, region.columns)

    def start(length: int, size: int) -> int:
        return int(random.integers(0, (length - size) // FIRST_STEP + 1)) * FIRST_STEP

    return [
        Window(
            region.row + start(region.rows, rows),
            region.column + start(region.columns, columns),
            rows,
            columns,
        )
        for _ in range(count)
    ]


def _windows(mode: str, stride: int, region: Window, known: int) -> tuple[int, int]:
    """The windows that `exact` and the strides look at among the region's `known` pixels."""
    if mode == "exact":
        return known, known
    n = PREVIEW_STRIDE if mode == "preview" else stride
    lattice = -(-region.rows // n) * -(-region.columns // n)
    about = round(known * (lattice / region.shape.pixels + sampled_share(region.shape.pixels)))
    return about, about


def _adaptive_windows(
    region: Window, known: int, pixels: ScenePixels, each: float
) -> tuple[int, int]:
    """The fewest and the most windows of `adaptive`, seen from some tiles."""
    edge = _LOOK_EDGE if each * _LOOK_EDGE**2 < _LOOK_SECONDS else _LOOK_EDGE // 2
    count = int(min(max(_LOOK_SECONDS / (each * edge**2), 2), 8))
    seen = []
    for tile in _scattered(region, count, edge):
        mode = Adaptive(pixels, region)
        valid = int(mode(tile).valid.sum())
        # Its margin is looked at too, which in a run serves the blocks around.
        if valid:
            seen.append(int(mode.own.sum()) / valid)
    share = float(np.mean(seen)) if seen else 1.0
    compared = sampled_share(region.shape.pixels)
    low = max(1 / FIRST_STEP**2, share * (1 - _UNSURE))
    high = min(1.0, share * (1 + _UNSURE))
    return round(known * (low + compared)), round(known * (high + compared))


def _block_memory(card: Card) -> int:
    """Bytes of a block of both images, standardised and not, and of its probabilities."""
    numbers = len(card.input("MS").bands) + card.input("PAN").scale ** 2
    return int(_FLOAT * _BLOCK_PIXELS * (3 * numbers + 2 * len(card.classes)))


def _map_disk(job: Job, card: Card, region: Window) -> int:
    """Bytes of the wanted rasters without the gain of compression, and some for outlines."""
    wide = 2 if max(one.value for one in card.classes) > 255 else 1
    sizes = {
        "CLASSES": wide * _OVERVIEWS,
        "CONFIDENCE": _FLOAT * _OVERVIEWS,
        "POLYGONS": _OUTLINES,
    }
    each = sum(size for key, size in sizes.items() if job.output(key))
    return round(each * region.shape.pixels) + (_EMPTY_LAYER if job.output("POLYGONS") else 0)


def _training(job: Job, progress: Progress) -> Estimate:
    settings = resolve(DAS2F.train_settings, job.settings)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    start = read_card(job.model) if job.model else None
    known = {one.role: one for one in start.inputs} if start else None
    with progress.stage("Reading labels", 0.4), labelled_scenes(job, progress, known) as data:
        shape = _shape(settings, data, start)
        limit = patch_limit(shape.ms_bands, shape.window, shape.ratio)
        labelled = min(len(data.pixels), limit)
        classes = data.classes
    plan = Plan(int(settings["epochs"]), STEPS_PER_EPOCH, float(settings["learning_rate"]))
    fit = Fit(classes, plan, int(settings["batch"]), int(settings["seed"]), device.torch)
    with progress.stage("Trying the network", 1.0):
        network = Das2f(shape)
        step, look = _tried(network, shape, fit)
    phases, measured = _phases(settings)
    looks = measured * plan.epochs * min(QUICK_LOOK, round(_held_out(settings) * labelled))
    reading = _READING * labelled * (shape.window + 1) ** 2 / 1e6
    work = phases * plan.total * step + looks * look + reading
    weights = sum(one.numel() * one.element_size() for one in network.parameters())
    # All patches, those of a part, standardised: three times, and once more while they are made.
    patches = _FLOAT * labelled * (shape.window + 1) ** 2 * (shape.ms_bands + shape.ratio**2)
    windows = phases * plan.total * fit.batch
    return Estimate(
        windows=(windows, windows),
        work=(work, work),
        memory=peak_memory() + 4 * patches + 6 * weights,
        # The model, and what is kept to go on: weights, their means, two moments, the best.
        disk=6 * weights + (_REPORT if job.output("REPORT") else 0),
        device=device.torch.type,
        reason=device.reason,
        threads=torch.get_num_threads(),
    )


def _shape(settings: Mapping[str, Value], data: LabelledScenes, start: Card | None) -> Architecture:
    if start is not None:
        return Architecture.from_json({**start.architecture, "classes": len(data.classes)})
    bands = len(data.facts["MS"].bands)
    return architecture(settings, ms_bands=bands, ratio=data.ratio, classes=len(data.classes))


def _phases(settings: Mapping[str, Value]) -> tuple[int, int]:
    """How many trainings there are, and how many of them are measured after each epoch."""
    folds = int(settings["cross_validation"])
    if folds:
        return folds + 1, folds
    held_out = float(settings["validation_share"]) > 0
    return 1 + int(held_out and bool(settings["refit"])), int(held_out)


def _held_out(settings: Mapping[str, Value]) -> float:
    """The share of the labels that measures, 0–1."""
    folds = int(settings["cross_validation"])
    return 1 / folds if folds else float(settings["validation_share"])


def _tried(network: Das2f, shape: Architecture, fit: Fit) -> Range:
    """Seconds of a training step, and of looking at one held-out window."""
    network.to(fit.device)
    averaged = Das2f(shape).to(fit.device)
    patches = _random_patches(shape, max(fit.batch, shape.classes))
    trainee = PixelTrainee(network, patches, None, fit)

    def steps(count: int) -> None:
        plan = Plan(1, count, fit.plan.learning_rate)
        train(trainee, plan, Progress(), seed=0, checkpoint=Checkpoint(None, ""), averaged=averaged)

    step = seconds_each(steps, first=4, most=64, seconds=2.0)

    def looks(count: int) -> None:
        PixelTrainee(network, patches, _random_patches(shape, count), fit).evaluate(averaged)

    return step, seconds_each(looks, first=64, most=256, seconds=0.2)


def _random_patches(shape: Architecture, count: int) -> Patches:
    generator = torch.Generator().manual_seed(0)
    edge = shape.window + 1
    return Patches(
        torch.randn(count, shape.ms_bands, edge, edge, generator=generator),
        torch.randn(count, 1, edge * shape.ratio, edge * shape.ratio, generator=generator),
        torch.arange(count) % shape.classes,
    )
