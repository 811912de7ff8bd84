"""What looks wrong with an image, an elevation model or its unit; told before work begins.

All of it is a look at a few small windows and ends in a sentence, never in a refusal: there are
landscapes and rasters that look wrong and are right.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...card import Card
from ...job import Job, Source
from ...progress import Progress
from ...scene.grid import Shape, Window
from ...scene.placement import Placed
from ...scene.scene import Scene, pair_scenes
from ...scene.source import Floats, Image, Mask, raster_environment
from . import HPCLNET
from .settings import VERTICAL_UNIT
from .statistics import Statistics
from .terrain import Doubles
from .view import DEM, IMAGE, METRES, RELATIVE, SLOPE, TerrainView

_EDGE, _ACROSS = 48, 5
# Heights two pixels apart differ by well under a fifth of their deviation over a scene, those of
# a shaded picture by over a third (squares are compared here; tried at 0.5 to 100 m a pixel).
_ROUGH = 0.08
_LAG = 2
_LARGEST_PICTURE, _LEAST_SPREAD = 255.0, 30.0
# Of the deviation of the heights; what resampling changes is less.
_SAME = 0.05
_LEAST_PIXELS = 100

# A foot taken for a metre is 3.3 times. Scenes of one region of a dozen square kilometres or more
# are hardly ever 2 times as steep as others of it, and with 2.5 feet are found in 98 of 100.
_OTHER_GROUND = 2.5
_FITTING = 1.6
LEAST_RELIEF = 0.01
"""Metres; what rounding makes of one height is less."""
_LIE_EDGE, _LIE_ACROSS, _LIE_WINDOWS = 64, 6, 16
_SPOKEN = {
    choice.key: choice.help[0].lower() + choice.help[1:]
    if choice.help[1].islower()
    else choice.help
    for choice in VERTICAL_UNIT.choices
}
_UNITS = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), "metre"),
    **dict.fromkeys(("dm", "decimetre", "decimeter"), "decimetre"),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), "centimetre"),
    **dict.fromkeys(("ft", "foot", "feet", "international foot", "international feet"), "foot"),
    **dict.fromkeys(("us-ft", "ftus", "us survey foot", "us survey feet", "foot_us"), "us-foot"),
}


def warn_of_rasters(job: Job, progress: Progress, *, unit: str, variant: str = "fusion") -> bool:
    """Warn of elevation models that hold no heights, or not in `unit`, and of heights as image.

    A network of the `variant` “dem” sees no image, so any will do. Returns whether an elevation
    model is doubted.

    Raises:
        InputError: a raster is missing, or cannot be opened.
    """
    with raster_environment():
        heights: list[str] = []
        for source in job.inputs.get(DEM, ()):
            with Image(source) as image:
                heights += [_no_heights(image), _other_unit(image, unit)]
        images = [] if variant == "dem" else list(_heights_as_image(job))
    for told in filter(None, dict.fromkeys([*heights, *images])):
        progress.warn(told)
    return any(heights)


def _no_heights(dem: Image) -> str:
    """The sentence about an elevation model that looks like a picture, or ""."""
    name = f"{dem.title}, chosen as elevation model,"
    if dem.facts.data_type in ("uint8", "int8"):
        return f"{name} holds 8-bit numbers, as a hillshade does; choose a raster of heights."
    every = np.stack([np.where(valid, found[0], np.nan) for found, valid in _samples(dem)])
    known = every[np.isfinite(every)]
    if len(known) < _LEAST_PIXELS:
        return ""
    low, high = float(known.min()), float(known.max())
    if low < 0 or high > _LARGEST_PICTURE or high - low < _LEAST_SPREAD:
        return ""
    steps = (every[:, _LAG:] - every[:, :-_LAG], every[..., _LAG:] - every[..., :-_LAG])
    squares = np.concatenate([np.square(one).ravel() for one in steps])
    squares = squares[np.isfinite(squares)]
    if len(squares) < _LEAST_PIXELS or squares.mean() < _ROUGH * 2 * known.var():
        return ""
    return (
        f"{name} holds values from {low:.0f} to {high:.0f} that change from pixel to pixel like "
        "those of a hillshade or a slope map, not like heights; choose a raster of heights."
    )


def _other_unit(dem: Image, unit: str) -> str:
    """The sentence about an elevation model whose file names another unit than `unit`, or ""."""
    own = _UNITS.get(dem.unit.strip().casefold(), "")
    if not own or abs(METRES[own] / METRES[unit] - 1) < 0.01:
        return ""
    return (
        f"The file of {dem.title} says that its heights are in {_SPOKEN[own]} ({dem.unit}), and "
        f"the vertical unit is set to {_SPOKEN[unit]}; set VERTICAL_UNIT to “{own}”, unless the "
        "file is wrong."
    )


def _heights_as_image(job: Job) -> Iterator[str]:
    """The sentences about images of one band that show the elevation model itself."""
    if not any(_single(source) for source in job.inputs.get(IMAGE, ())):
        return
    for pair in pair_scenes(job.inputs, HPCLNET.roles):
        image, dem = pair[IMAGE], pair[DEM]
        if _single(image) and _same_values(image, dem):
            name = image.title if image.title == dem.title else f"{image.title} and {dem.title}"
            yield (
                f"Image (IMAGE) and elevation model (DEM) are the same heights ({name}), so the "
                "network sees no picture of the ground; choose a satellite, aerial or drone image "
                "as IMAGE."
            )


def _single(source: Source) -> bool:
    with Image(source) as image:
        return len(image.indexes) == 1


def _same_values(first: Source, second: Source) -> bool:
    with Image(first) as image, Image(second) as dem:
        if bool(image.grid.crs) != bool(dem.grid.crs):
            return False  # which is refused later
        seen = Placed(dem, image.grid)
        ours, theirs = [], []
        for window in _spread(image.grid.shape, _EDGE, _ACROSS):
            (values, valid), (heights, known) = image.read(window), seen.read(window)
            both = valid & known
            ours.append(values[0][both])
            theirs.append(heights[0][both])
    one, other = np.concatenate(ours), np.concatenate(theirs)
    if len(one) < _LEAST_PIXELS or not other.std():
        return False
    return bool(np.median(np.abs(one - other)) <= _SAME * other.std())


def _samples(image: Image) -> Iterator[tuple[Floats, Mask]]:
    for window in _spread(image.grid.shape, _EDGE, _ACROSS):
        yield image.read(window)


def _spread(shape: Shape, edge: int, across: int, inside: Window | None = None) -> list[Window]:
    """Windows of `edge` pixels, `across` by `across` of them over a grid or what is `inside`."""
    within = inside or Window(0, 0, shape.rows, shape.columns)
    rows, columns = min(edge, within.rows), min(edge, within.columns)
    tops = np.unique(np.linspace(0, within.rows - rows, across).astype(int))
    lefts = np.unique(np.linspace(0, within.columns - columns, across).astype(int))
    return [
        Window(within.row + int(top), within.column + int(left), rows, columns)
        for top in tops
        for left in lefts
    ]


@dataclass(frozen=True, slots=True)
class Lie:
    """How ground lies: the mean `slope` in degrees, and the deviation of relative elevation (m).

    The slope is None where an earlier version kept none.
    """

    slope: float | None
    relief: float

    @classmethod
    def of_statistics(cls, statistics: Statistics) -> "Lie":
        """That of the ground that a model was trained on."""
        return cls(statistics.slope, statistics.relief)

    @classmethod
    def of_channels(cls, channels: Doubles, bands: int) -> "Lie":
        """That of known pixels (channel, pixel) as a `TerrainView` gives them."""
        slope = 90 * float(channels[bands + SLOPE].mean())
        return cls(slope, float(channels[bands + RELATIVE].std()))

    def times(self, other: "Lie") -> float:
        """How many times as steep and as rugged this ground is; 1 where nothing can be told."""
        if not self.relief > 0 or not other.relief > 0:
            return 1.0
        relief = self.relief / other.relief
        if not self.slope or not other.slope:
            return relief
        rise = math.tan(math.radians(self.slope)) / math.tan(math.radians(other.slope))
        # A wrong unit makes both wrong alike; chance seldom does.
        return math.sqrt(relief * rise)


def warn_of_terrain(
    scene: Scene, inside: Window, card: Card, view: TerrainView, unit: str, progress: Progress
) -> None:
    """Warn where the scene's ground, in windows of its grid, is unlike what the model knows."""
    found = lie_of(scene, inside, view)
    known = Lie.of_statistics(Statistics.of_card(card))
    if found and (told := other_ground(found, known, scene.facts(DEM).title, unit)):
        progress.warn(told)


def lie_of(scene: Scene, inside: Window, view: TerrainView) -> Lie | None:
    """How the ground of a scene lies `inside` a window, from some sixteen places with data."""
    places = _spread(scene.grid.shape, _LIE_EDGE, _LIE_ACROSS, inside)
    found = []
    for number in np.random.default_rng(0).permutation(len(places)):
        block = view.read(scene, places[number])
        if block.valid.mean() >= 0.5:
            found.append(block.values[:, block.valid].astype(np.float64))
        if len(found) == _LIE_WINDOWS:
            break
    return Lie.of_channels(np.concatenate(found, axis=1), view.bands) if found else None


def other_ground(found: Lie, known: Lie, title: str, unit: str) -> str:
    """The sentence about ground that is flat, far steeper or far flatter than the model's, or "".

    `title` is that of the elevation model, `unit` the one in which its heights were taken.
    """
    if found.relief < LEAST_RELIEF:
        return (
            f"{title} has the same height everywhere that was looked at, so the model sees no "
            "terrain; choose an elevation model that shows it."
        )
    times = found.times(known)
    if 1 / _OTHER_GROUND <= times <= _OTHER_GROUND:
        return ""
    how = (
        f"{times:.2g} times as steep as" if times > 1 else f"{1 / times:.2g} times less steep than"
    )
    slope = ""
    if found.slope is not None and known.slope is not None:
        slope = f"its mean slope is {found.slope:.2g}° against {known.slope:.2g}°, and "
    return (
        f"The ground of {title} is {how} that which the model was trained on: {slope}its heights "
        f"deviate by {found.relief:.2g} m against {known.relief:.2g} m from those around. If they "
        f"are not in {_SPOKEN[unit]}, set VERTICAL_UNIT{_better(times, unit)}; if they are, such "
        "ground is new to the model: check what it finds there."
    )


def _better(times: float, unit: str) -> str:
    """The unit in which the ground would be much like the model's, in brackets, or ""."""

    def off(other: str) -> float:
        # Two feet differ by nothing that could be seen; the first is the more likely one.
        return round(abs(math.log(times * METRES[other] / METRES[unit])), 3)

    best = min(METRES, key=off)
    return f" (“{best}” would fit)" if off(best) < math.log(_FITTING) else ""
