"""Applies a trained DAS²F model to a whole scene, strip by strip."""

import json
from contextlib import AbstractContextManager, ExitStack

import numpy as np
import torch
from numpy.typing import NDArray

from ...card import Card, read_card
from ...device import choose_device
from ...errors import InputError
from ...job import Job
from ...model_file import load_into
from ...progress import Progress
from ...provenance import inputs_of, software
from ...scene.aside import Together
from ...scene.bands import check_gsd, match_bands, read_facts
from ...scene.grid import Window
from ...scene.polygons import write_polygons
from ...scene.scene import Scene, open_scene
from ...scene.sink import ClassSink, ValueSink
from ...settings import Value, resolve
from . import DAS2F
from .classifier import Classifier, Network
from .modes import Exact, Mode, ScenePixels, Stride, Strip
from .network import Architecture, Das2f
from .patches import Statistics

# MS pixels in a strip: enough for long batches, a few megabytes of the finer image.
_STRIP_PIXELS = 2**17


def predict(job: Job, progress: Progress) -> dict[str, object]:
    """Write the class raster of the job, and confidence and polygons where asked for.

    Returns the values to report: pixels classified, windows computed, device.
    """
    settings = resolve(DAS2F.predict_settings, job.settings)
    card = read_card(job.model)
    network = load_network(job.model, card)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    if not job.output("CLASSES"):
        raise InputError("No output was named for CLASSES; name the class raster to write.")
    ratio = card.input("PAN").scale
    with _open(job, card, progress) as scene:
        region = scene.grid.window_of(job.extent) if job.extent else scene.grid.window
        classifier = Classifier(
            lambda target: _on(network, target),
            statistics_of(card),
            window=card.window,
            ratio=ratio,
            device=device.torch,
            progress=progress,
            orientations=int(settings["orientations"]),
        )
        mode = _mode(settings, ScenePixels(scene, classifier, ratio, len(card.classes)), region)
        tags = _tags(card, job, settings, device.torch)
        classified = _write_rasters(scene, region, mode, card, job, tags, progress)
    values: dict[str, object] = {
        "PIXELS": classified,
        "WINDOWS": classifier.windows_done,
        "DEVICE": device.torch.type,
    }
    if job.output("POLYGONS"):
        with progress.stage("Drawing polygons", 1.0):
            values["POLYGON_COUNT"] = write_polygons(
                job.output("CLASSES"),
                job.output("CONFIDENCE") or None,
                job.output("POLYGONS"),
                card.classes,
                minimum_area=float(settings["minimum_area"]),
                progress=progress,
            )
    return values


def _open(job: Job, card: Card, progress: Progress) -> AbstractContextManager[Scene]:
    """The job's scene with the bands and the scale that the model was trained on."""
    for role in (role.key for role in DAS2F.roles):
        if len(job.inputs.get(role, ())) != 1:
            raise InputError(
                f"Choose one {role} raster; a model is applied to one scene at a time."
            )
    inputs = {role: sources[0] for role, sources in job.inputs.items()}
    facts = {role: read_facts(source) for role, source in inputs.items()}
    check_gsd(card.input("MS"), facts["MS"], progress)
    return open_scene(
        inputs,
        DAS2F.roles,
        scales={"PAN": card.input("PAN").scale},
        bands={role: match_bands(card.input(role), facts[role], progress) for role in facts},
        progress=progress,
    )


def load_network(path: str, card: Card) -> Das2f:
    """The network of the model file at `path`, ready to classify.

    Raises:
        ModelFileError: the weights do not fit the card.
    """
    network = Das2f(Architecture.from_json(card.architecture))
    load_into(network, path)
    return network.eval()


def statistics_of(card: Card) -> Statistics:
    """Mean and deviation of both images as the card has them."""
    ms, pan = card.input("MS"), card.input("PAN")
    parts = (ms.mean, ms.std, pan.mean, pan.std)
    return Statistics(*(torch.tensor(part, dtype=torch.float32) for part in parts))


def _on(network: Das2f, device: torch.device) -> Network:
    return network.to(device)


def _mode(settings: dict[str, Value], pixels: ScenePixels, region: Window) -> Mode:
    if settings["mode"] == "stride":
        return Stride(pixels, region, int(settings["stride"]))
    return Exact(pixels)


def _write_rasters(
    scene: Scene,
    region: Window,
    mode: Mode,
    card: Card,
    job: Job,
    tags: dict[str, str],
    progress: Progress,
) -> int:
    """Classify strip after strip into the outputs; the number of classified pixels."""
    grid = scene.grid.cropped(region)
    values = np.array([one.value for one in card.classes])
    share = 0.9 if job.output("POLYGONS") else 1.0
    classified = 0
    with ExitStack() as stack:
        together = stack.enter_context(Together())
        classes = stack.enter_context(
            ClassSink(job.output("CLASSES"), grid, card.classes, tags=tags, together=together)
        )
        confidence = (
            stack.enter_context(
                ValueSink(job.output("CONFIDENCE"), grid, tags=tags, together=together)
            )
            if job.output("CONFIDENCE")
            else None
        )
        stack.enter_context(progress.stage("Classifying", share))
        for window in region.strips(max(1, _STRIP_PIXELS // region.columns)):
            progress.update((window.row - region.row) / region.rows)
            strip = mode(window)
            place = window.shifted(-region.row, -region.column)
            classes.write(place, _class_values(strip, values))
            if confidence:
                confidence.write(place, _confidence(strip))
            classified += int(strip.valid.sum())
    return classified


def _class_values(strip: Strip, values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(strip.valid, values[strip.probabilities.argmax(axis=2)], 0)


def _confidence(strip: Strip) -> NDArray[np.float32]:
    return np.where(strip.valid, strip.probabilities.max(axis=2), np.nan).astype(np.float32)


def _tags(card: Card, job: Job, settings: dict[str, Value], device: torch.device) -> dict[str, str]:
    """What the result says about its making, for the raster's metadata."""
    about = {
        "family": card.family,
        "model": card.name,
        "device": device.type,
        "settings": settings,
        "inputs": inputs_of(job),
        "software": software(),
    }
    mode = str(settings["mode"])
    words = f"stride {settings['stride']}" if mode == "stride" else mode
    return {"TERRAWEAVE": json.dumps(about, ensure_ascii=False), "TERRAWEAVE_MODE": words}
