"""Applies a trained DAS²F model to a whole scene, strip by strip."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from ...card import Card, read_card
from ...device import choose_device
from ...errors import InputError
from ...job import Job
from ...model_file import load_into
from ...progress import Progress
from ...provenance import recorded_inputs, software, training_images, training_labels
from ...record import TAG, Record
from ...results import write_results
from ...scene.bands import check_gsd, match_bands, read_facts
from ...scene.grid import Window
from ...scene.scene import Scene, open_scene
from ...settings import Value, resolve
from . import DAS2F
from .adaptive import Adaptive
from .agreement import Checked
from .classifier import Classifier, Network
from .folded import FoldedDas2f
from .modes import Exact, Mode, ScenePixels, Stride
from .network import Architecture, Das2f
from .patches import Statistics

# MS pixels in a block: enough for long batches, a few megabytes of the finer image. Blocks rather
# than strips, so that memory does not grow with the width of the scene.
_BLOCK = (128, 1024)
# About a minute and a half of windows on two cores.
_EXACT_UP_TO = 250_000
PREVIEW_STRIDE = 16


def predict(job: Job, progress: Progress) -> dict[str, object]:
    """Write the class raster of the job, and confidence and polygons where asked for.

    Returns the values to report: pixels classified, windows computed, device.
    """
    settings = resolve(DAS2F.predict_settings, job.settings)
    card = read_card(job.model)
    network = load_network(job.model, card)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    ratio = card.input("PAN").scale
    with opened(job, card, progress) as scene:
        region = scene.grid.window_of(job.extent) if job.extent else scene.grid.window
        classifier = Classifier(
            lambda target: folded(network, target, progress),
            statistics_of(card),
            window=card.window,
            ratio=ratio,
            device=device.torch,
            progress=progress,
            orientations=int(settings["orientations"]),
        )
        settings = {**settings, "mode": chosen_mode(settings, region, progress)}
        pixels = ScenePixels(scene, classifier, ratio, len(card.classes))
        mode = _mode(settings, pixels, region)
        check = None if isinstance(mode, Exact) else Checked(mode, pixels, region)
        written = write_results(
            job,
            scene.grid,
            region,
            card.classes,
            check or mode,
            progress,
            block=_BLOCK,
            tags=_tags(card, job, settings, device.torch),
            last_words=lambda: {f"{TAG}_AGREEMENT": str(check.agreement)} if check else {},
            minimum_area=float(settings["minimum_area"]),
        )
    values: dict[str, object] = {
        "PIXELS": written.pixels,
        "WINDOWS": classifier.windows_done,
        "DEVICE": device.torch.type,
    }
    if check:
        progress.log(str(check.agreement))
        low, high = check.agreement.interval or (None, None)
        values |= {"AGREEMENT": check.agreement.share, "AGREEMENT_LOW": low}
        values["AGREEMENT_HIGH"] = high
    return values if written.polygons is None else {**values, "POLYGON_COUNT": written.polygons}


def opened(job: Job, card: Card, progress: Progress) -> AbstractContextManager[Scene]:
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


def folded(network: Das2f, device: torch.device, progress: Progress) -> Network:
    """The network in its fast form on `device`; the log says what it computes with."""
    with progress.stage("Preparing the network", 0.01, preparing=True):
        made = FoldedDas2f(network.to(device), say=progress.log)
    for reason in made.reasons:
        progress.log(reason)
    return made


def chosen_mode(settings: dict[str, Value], region: Window, progress: Progress) -> str:
    """The mode that is set; `auto` is exact for small scenes and adaptive for large ones."""
    mode = str(settings["mode"])
    if mode != "auto":
        return mode
    mode = "exact" if region.shape.pixels <= _EXACT_UP_TO else "adaptive"
    progress.log(
        f"The mode is {mode}, chosen for {region.rows} × {region.columns} pixels (exact up to "
        f"{_EXACT_UP_TO} pixels)."
    )
    return mode


def _mode(settings: dict[str, Value], pixels: ScenePixels, region: Window) -> Mode:
    modes: dict[str, Callable[[], Mode]] = {
        "exact": lambda: Exact(pixels),
        "adaptive": lambda: Adaptive(pixels, region),
        "stride": lambda: Stride(pixels, region, int(settings["stride"])),
        "preview": lambda: Stride(pixels, region, PREVIEW_STRIDE),
    }
    return modes[str(settings["mode"])]()


def _tags(card: Card, job: Job, settings: dict[str, Value], device: torch.device) -> dict[str, str]:
    """What the result says about its making, for the raster's metadata."""
    record = Record(
        task="predict",
        family=card.family,
        model=card.name,
        device=device.type,
        settings=settings,
        inputs=recorded_inputs(job),
        software=software(),
        trained_on=training_labels(card),
        trained_images=training_images(card),
    )
    mode = str(settings["mode"])
    words = f"stride {settings['stride']}" if mode == "stride" else mode
    return {TAG: record.to_text(), f"{TAG}_MODE": words}
