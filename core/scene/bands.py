"""Whether an image suits a model: its bands, by name where names are known, and its GSD."""

import re

from ..card import CardInput
from ..errors import InputError
from ..job import Source
from ..progress import Progress
from ..words import counted
from .source import Image, RasterFacts, placeholder, raster_environment

_WARN_GSD = 1.25
_REFUSE_GSD = 2.0


def read_facts(source: Source) -> RasterFacts:
    """What is known about an image without reading its pixels.

    Raises:
        InputError: the file is missing, no raster, or of a type that cannot be used.
    """
    with raster_environment(), Image(source) as image:
        return image.facts


def match_bands(
    wanted: CardInput, facts: RasterFacts, progress: Progress | None = None
) -> tuple[int, ...]:
    """The file's band numbers (1-based) in the order in which the model wants them.

    Where both sides name their bands, by name: order and further bands do not matter. Otherwise,
    or where the user picked bands by hand, by position, and the count has to agree.

    Raises:
        InputError: a band is missing, or the count does not agree.
    """
    names = [band.name for band in wanted.bands]
    by_name = facts.named and not facts.picked and not any(placeholder(name) for name in names)
    if by_name and not len(names) == len(facts.bands) == 1:
        return _by_name(names, facts, progress)
    if len(names) != len(facts.bands):
        raise InputError(
            f"{facts.title} has {counted(len(facts.bands), 'band')}; the model was trained on "
            f"{counted(len(names), 'band')} ({', '.join(names)}). Choose those bands, in this "
            "order."
        )
    if progress is not None and len(names) > 1 and not facts.named:
        progress.log(
            f"The bands of {facts.title} have no names; they are taken in order as "
            f"{', '.join(names)}."
        )
    return facts.indexes


def _by_name(names: list[str], facts: RasterFacts, progress: Progress | None) -> tuple[int, ...]:
    there = {
        _plain(band.name): index for band, index in zip(facts.bands, facts.indexes, strict=True)
    }
    missing = [name for name in names if _plain(name) not in there]
    if missing:
        raise InputError(
            f"{facts.title} has no band “{missing[0]}”, which the model was trained on; it has "
            f"{', '.join(band.name for band in facts.bands)}. Choose an image with the bands "
            f"{', '.join(names)}, or rename its bands."
        )
    found = tuple(there[_plain(name)] for name in names)
    spare = [
        band.name
        for band, index in zip(facts.bands, facts.indexes, strict=True)
        if index not in found
    ]
    if spare and progress is not None:
        progress.log(f"Bands of {facts.title} that the model does not use: {', '.join(spare)}.")
    if found != tuple(sorted(found)) and progress is not None:
        progress.log(f"The bands of {facts.title} are put in the model's order by their names.")
    return found


def _plain(name: str) -> str:
    """A band name without what people write differently: case, blanks, underscores."""
    return re.sub(r"[\W_]+", "", name.casefold())


def check_gsd(wanted: CardInput, facts: RasterFacts, progress: Progress) -> None:
    """Warn where the pixel size is over 1.25 times off the model's.

    Raises:
        InputError: it is over twice off.
    """
    if not facts.grid.crs:
        progress.warn(
            f"{facts.title} has no coordinate system, so its pixel size cannot be compared with "
            f"the {wanted.gsd:.3g} m that the model was trained on."
        )
        return
    ratio = max(facts.gsd / wanted.gsd, wanted.gsd / facts.gsd)
    if ratio > _REFUSE_GSD:
        raise InputError(
            f"{facts.title} has pixels of {facts.gsd:.3g} m; the model was trained on "
            f"{wanted.gsd:.3g} m. Resample the image to about {wanted.gsd:.3g} m, or train a "
            "model on images like this one."
        )
    if ratio > _WARN_GSD:
        progress.warn(
            f"{facts.title} has pixels of {facts.gsd:.3g} m; the model was trained on "
            f"{wanted.gsd:.3g} m. Objects look {ratio:.1f} times "
            f"{'smaller' if facts.gsd > wanted.gsd else 'larger'}, which may cost accuracy."
        )
