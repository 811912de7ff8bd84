"""Applies a model of a segmenting family to a whole scene."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from ..card import Card, read_card
from ..device import choose_device
from ..errors import InputError
from ..family import Family
from ..job import Job, Source
from ..progress import Progress
from ..provenance import recorded_inputs, software, training_images, training_labels
from ..record import TAG, Record
from ..results import Backdrop, Strip, Written, write_results
from ..scene.aside import Together, check_space, check_writable, explained, scratch_beside
from ..scene.bands import match_bands, read_facts
from ..scene.grid import Grid, Shape, Window
from ..scene.layers import driver_of, layer_path, pixel_areas
from ..scene.placement import Placed
from ..scene.scene import Scene, open_scene
from ..scene.source import Image, Mask, raster_environment
from ..settings import Value, resolve
from ..words import counted
from .attributes import OwnAttributes
from .blending import Blender, orientations_for
from .cleaning import NODATA, Cleaned, Rule, clean, sheets
from .emptiness import nothing_there
from .judging import model_threshold
from .outlines import Drawing, write_outlines
from .view import Segmenter
from .working import check_working_gsd, working_grid

Make = Callable[[Card, torch.device], Segmenter]
Floats = NDArray[np.float32]
Painter = Callable[[Scene, Window], NDArray[np.uint8]]
"""Paints an extra output in a window of the scene's `delivery` grid; see `results.Backdrop`."""
Doubts = Callable[[Scene, Window], None]
"""Looks at a scene in a window of its grid before work begins, and warns of what looks wrong."""

NOTHING: Mapping[str, Painter] = MappingProxyType({})


def no_doubts(scene: Scene, inside: Window) -> None:
    """Finds nothing wrong with any scene."""


SCORE_NOTE = (
    "The probability is the score of a trained model for what its training areas showed. It is no "
    "hazard, and no likelihood that anything will happen."
)
_OUTPUTS = ("CLASSES", "CONFIDENCE", "POLYGONS")
_TILE = 256
_STRIP_PIXELS = 2**21
# A megabyte a block; a row of them is as wide as 65,000 pixels.
_BLOCK_ROWS, _BLOCK_COLUMNS, _BLOCKS_KEPT = 256, 1024, 64
# Working pixels that bilinear delivery looks at beyond a region, and one for rounding.
_MARGIN = 3
_BLENDING_SHARE, _CLEANING_SHARE = 0.8, 0.06


def predict(
    job: Job,
    progress: Progress,
    family: Family,
    make: Make,
    *,
    doubts: Doubts = no_doubts,
    own: OwnAttributes | None = None,
    painters: Mapping[str, Painter] = NOTHING,
) -> dict[str, object]:
    """Write class raster, confidence, polygons and backdrops of the job, as far as asked for.

    `make` gives the trained segmenter of a card on a device; it is asked again when the device's
    memory does not suffice. `doubts` looks at the scene first. `painters` give the family's extra
    outputs by key. Probabilities are found on the model's working grid and brought to the image's;
    decisions are made there. Returns the values to report.

    Raises:
        InputError: the model, an image, the extent or an output do not fit.
        Cancelled: at the user's wish; old files stay as they were.
    """
    settings = resolve(family.predict_settings, job.settings)
    _check_outputs(job, family)
    card = read_card(job.model)
    device = choose_device(str(settings["device"]))
    progress.log(device.reason)
    with scene_of(job, card, family, progress) as scene, ExitStack() as stack:
        grid = scene.delivery
        region = grid.window_of(job.extent) if job.extent else grid.window
        doubts(scene, behind(region, scene))
        overlap = overlap_of(settings, card)
        orientations, why = orientations_for(
            str(settings["orientations"]), scene.grid.shape, card.window, overlap
        )
        if why:
            progress.log(why)
        blender = Blender(
            lambda target: make(card, target),
            device.torch,
            progress,
            window=card.window,
            overlap=overlap,
            orientations=orientations,
        )
        with progress.stage("Looking for the class", _BLENDING_SHARE):
            scratch = stack.enter_context(scratch_beside(job.output("CLASSES")))
            _blend(blender, scene, region, scratch, progress)
        if not blender.windows_done:
            # Of many tiles, some may well be empty: no reason to stop whoever maps them all.
            progress.warn(f"{nothing_there(scene, behind(region, scene))} The map is empty.")
        found = stack.enter_context(_delivered(scratch, scene))
        rule = _rule(card, settings, scene)
        areas = pixel_areas(grid.cropped(region))
        sheet = stack.enter_context(sheets(region.shape, beside=job.output("CLASSES")))
        with progress.stage("Cleaning", _CLEANING_SHARE):
            cleaned = clean(
                lambda window: found(window.shifted(region.row, region.column)),
                areas, rule, sheet, progress,
            )  # fmt: skip
        result = _Result(scene, region, card, rule, found, cleaned)
        with progress.stage("Writing", 1.0):
            tags = _tags(card, job, settings, device.torch, rule)
            backdrops = [Backdrop(key, partial(one, scene)) for key, one in painters.items()]
            written = result.write(job, progress, tags, float(settings["simplify"]), own, backdrops)
    return _values(written, cleaned, blender, device.torch, card, rule, progress, grid)


def _check_outputs(job: Job, family: Family) -> None:
    """Refuse outputs that cannot be written, before any work."""
    if not job.output("CLASSES"):
        raise InputError("No output was named for CLASSES; name the class raster to write.")
    for key in (*_OUTPUTS, *(one.key for one in family.extra_outputs)):
        if job.output(key):
            check_writable(job.output(key))
    if job.output("POLYGONS"):
        driver_of(layer_path(job.output("POLYGONS")))


def overlap_of(settings: Mapping[str, Value], card: Card) -> int:
    """By how many working pixels windows overlap."""
    return min(round(float(settings["overlap"]) * card.window), card.window - 1)


def working_gsd(card: Card, role: str) -> float:
    """The pixel size (m) that the model of `card` works at; that of the image in `role` if 0."""
    value = card.architecture.get("working_gsd", 0)
    return float(value) if isinstance(value, int | float) and value > 0 else card.input(role).gsd


@contextmanager
def scene_of(job: Job, card: Card, family: Family, progress: Progress) -> Iterator[Scene]:
    """The job's scene on the model's working grid, with the bands that it was trained on."""
    inputs = {}
    for role in (role.key for role in family.roles):
        if len(job.inputs.get(role, ())) != 1:
            raise InputError(
                f"Choose one {role} raster; a model is applied to one scene at a time."
            )
        inputs[role] = job.inputs[role][0]
    facts = {role: read_facts(source) for role, source in inputs.items()}
    reference = family.reference_role.key
    gsd = working_gsd(card, reference)
    check_working_gsd(facts[reference], gsd, progress)
    with open_scene(
        inputs,
        family.roles,
        bands={role: match_bands(card.input(role), facts[role], progress) for role in facts},
        onto=lambda grid: working_grid(grid, gsd),
        progress=progress,
    ) as scene:
        yield scene


def _blend(blender: Blender, scene: Scene, region: Window, path: Path, progress: Progress) -> None:
    """Write the probabilities behind `region` to the raster `path`, on the working grid.

    The raster has the whole grid, so that every part of a scene is delivered alike; what is not
    asked for takes no room in it.
    """
    wanted = behind(region, scene)
    check_space(path, 4 * wanted.shape.pixels)
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": scene.grid.shape.columns, "height": scene.grid.shape.rows,
        "count": 1, "dtype": "float32", "nodata": float("nan"), "crs": scene.grid.projection,
        "transform": scene.grid.transform, "tiled": True, "blockxsize": _TILE,
        "blockysize": _TILE, "SPARSE_OK": True, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip

    def read(window: Window) -> Any:  # noqa: ANN401
        return blender.segmenter.read(scene, window)

    done = 0
    with explained(path), raster_environment(), rasterio.open(path, "w", **profile) as data:
        for part, probabilities in blender.strips(read, scene.grid.shape, wanted):
            place = RasterWindow(part.column, part.row, part.columns, part.rows)
            data.write(probabilities, 1, window=place)
            done += part.shape.pixels
            progress.update(done / wanted.shape.pixels)


def behind(region: Window, scene: Scene) -> Window:
    """The working pixels that decide about `region` of the delivery grid."""
    if scene.grid is scene.delivery:
        return region
    part = scene.delivery.cropped(region)
    box = part.bounds if part.same_crs(scene.grid) else part.bounds_in(scene.grid.crs)
    window = scene.grid.window_of_bounds(box)
    grown = window.grown(_MARGIN).clipped(scene.grid.shape) if window else None
    return grown or scene.grid.window


@contextmanager
def _delivered(path: Path, scene: Scene) -> Iterator[Callable[[Window], Floats]]:
    """The probabilities in `path` as seen on the image's own grid, NaN where there are none.

    Where they have to be resampled, pixels that the image itself lacks have none.
    """
    reference = scene.placed(scene.roles[0]).image
    with Image(Source(str(path), "the probabilities")) as image:
        placed = Placed(image, scene.delivery)

        def read(window: Window) -> Floats:
            values, valid = placed.read(window)
            if placed.resampled:
                valid = valid & reference.read(window)[1]
            return np.where(valid, values[0], np.float32(np.nan))

        yield read


def remembered(read: Callable[[Window], Floats], shape: Shape) -> Callable[[Window], Floats]:
    """The same numbers on a grid of `shape`, read in blocks of which the last ones are kept.

    Many small windows side by side cost little then, however dear a single reading is.
    """

    @lru_cache(maxsize=_BLOCKS_KEPT)
    def block(row: int, column: int) -> Floats:
        window = Window(row * _BLOCK_ROWS, column * _BLOCK_COLUMNS, _BLOCK_ROWS, _BLOCK_COLUMNS)
        inside = window.clipped(shape)
        if inside is None:
            raise ValueError(f"{window} lies outside of {shape}")
        return read(inside)

    def cut(window: Window) -> Floats:
        values = np.empty((window.rows, window.columns), dtype=np.float32)
        for row in range(window.row // _BLOCK_ROWS, (window.end_row - 1) // _BLOCK_ROWS + 1):
            last = (window.end_column - 1) // _BLOCK_COLUMNS
            for column in range(window.column // _BLOCK_COLUMNS, last + 1):
                top, left = row * _BLOCK_ROWS, column * _BLOCK_COLUMNS
                found = block(row, column)
                here = Window(top, left, *found.shape).intersection(window)
                if here is not None:
                    there = here.shifted(-window.row, -window.column).slices
                    values[there] = found[here.shifted(-top, -left).slices]
        return values

    return cut


def _rule(card: Card, settings: dict[str, Value], scene: Scene) -> Rule:
    """How to clean, with pixels of the delivery grid."""
    ratio = scene.grid.gsd / scene.delivery.gsd
    closing = int(settings["closing"])
    return Rule(
        threshold=float(settings["threshold"]) or model_threshold(card),
        delta=float(settings["hysteresis"]),
        closing=max(1, round(closing * ratio)) if closing else 0,
        holes=float(settings["fill_holes"]),
        minimum=float(settings["minimum_area"]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """All that is known when everything is decided."""

    scene: Scene
    region: Window
    card: Card
    rule: Rule
    found: Callable[[Window], Floats]
    cleaned: Cleaned

    def write(
        self,
        job: Job,
        progress: Progress,
        tags: dict[str, str],
        tolerance: float,
        own: OwnAttributes | None,
        backdrops: Sequence[Backdrop],
    ) -> Written:
        """Write the outputs of the job, all or none."""
        drawing = Drawing(
            self.scene,
            self.region,
            self.cleaned,
            remembered(self.found, self.scene.delivery.shape),
            self.card.classes[0],
            self.rule.threshold,
            tolerance,
            own,
        )

        def draw(classes: Path, confidence: Path | None, path: str, together: Together) -> int:
            return write_outlines(drawing, path, progress, together)

        rows = max(1, _STRIP_PIXELS // self.region.columns // _TILE) * _TILE
        return write_results(
            job,
            self.scene.delivery,
            self.region,
            self.card.classes,
            self._strip,
            progress,
            block=(rows, self.region.columns),
            tags=tags,
            background=True,
            draw=draw,
            backdrops=backdrops,
        )

    def _strip(self, window: Window) -> Strip:
        decided = self.cleaned.sheet.read(window.row - self.region.row, window.rows)
        valid: Mask = decided != NODATA
        values = decided * np.uint8(self.card.classes[0].value)
        return Strip(window, self.found(window)[..., None], valid, values)


def _tags(
    card: Card, job: Job, settings: dict[str, Value], device: torch.device, rule: Rule
) -> dict[str, str]:
    """What the result says about its making, for the metadata of the rasters."""
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
    return {
        TAG: record.to_text(),
        f"{TAG}_THRESHOLD": f"{rule.threshold:g}",
        f"{TAG}_NOTE": SCORE_NOTE,
    }


def _values(
    written: Written,
    cleaned: Cleaned,
    blender: Blender,
    device: torch.device,
    card: Card,
    rule: Rule,
    progress: Progress,
    grid: Grid,
) -> dict[str, object]:
    """What to report; the most important of it is also said."""
    name, count = card.classes[0].name, len(cleaned.parts)
    hectares = float(cleaned.parts.areas.sum()) / 1e4 if grid.crs else None
    if not written.pixels:
        if blender.windows_done:  # otherwise that was said already, and why
            progress.warn("No pixel that was asked for has data in all images; the map is empty.")
    elif not count:
        progress.warn(
            f"No ground is mapped as “{name}”: nothing reaches the threshold of "
            f"{rule.threshold:.3g} in an area that is large enough."
        )
    else:
        size = f", {hectares:.4g} ha" if hectares is not None else ""
        progress.log(f"“{name}”: {counted(count, 'area')}{size}, threshold {rule.threshold:.3g}.")
    values: dict[str, object] = {
        "PIXELS": written.pixels,
        "AREA_HA": hectares,
        "THRESHOLD": rule.threshold,
        "WINDOWS": blender.windows_done,
        "DEVICE": device.type,
    }
    return values if written.polygons is None else {**values, "POLYGON_COUNT": written.polygons}
