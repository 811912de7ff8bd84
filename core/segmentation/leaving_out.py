"""Labels that lie on ground by which a later stage is judged, taken out of an earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from ..errors import InputError
from ..progress import Progress
from ..scene.grid import Grid
from ..scene.source import Mask
from .cleaning import spread
from .division import Division
from .sites import IGNORED, Site, Sites

# Grids without a coordinate system share one; which does not matter.
_ANY = CRS.from_epsg(3857)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Ground that is kept for judging: `mask` (row, column) on `grid`."""

    grid: Grid
    mask: Mask


def kept_ground(sites: Sites, divisions: Sequence[Division]) -> tuple[Kept, ...]:
    """What any of the divisions holds out, site by site."""
    found = []
    for number, site in enumerate(sites.sites):
        mask = np.logical_or.reduce([one.validating(number) for one in divisions])
        if mask.any():
            found.append(Kept(site.grid, mask))
    return tuple(found)


def left_out(sites: Sites, kept: Sequence[Kept], gap: int, progress: Progress) -> Sites:
    """The sites without labels on `kept` ground and within `gap` pixels of it.

    Where no outline would be left that far away, labels count up to the kept ground itself.

    Raises:
        InputError: all outlines lie on the kept ground.
    """
    for margin in (gap, 0) if gap else (0,):
        found, lost = _without(sites, kept, margin)
        if _teaches(found):
            break
    else:
        raise InputError(
            "All coarse outlines lie on the ground that judges the precise ones, so nothing is "
            "left to learn from first. Give more scenes, or hold less back (VALIDATION_SHARE)."
        )
    if lost:
        hectares = lost * sites.gsd**2 / 1e4
        progress.log(
            f"Coarse labels on {hectares:.4g} ha are left out: that ground"
            f"{', and what lies near it,' if margin else ''} judges the precise stage."
        )
    return found


def _without(sites: Sites, kept: Sequence[Kept], margin: int) -> tuple[Sites, int]:
    """Sites without the labels, and how many pixels lost theirs."""
    found, lost = [], 0
    for site in sites.sites:
        taken = np.zeros(site.target.shape, np.bool_)
        for one in kept:
            taken |= _seen_on(site.grid, one, margin)
        taken &= site.target != IGNORED
        lost += int(taken.sum())
        target = np.where(taken, np.uint8(IGNORED), site.target)
        found.append(replace(site, target=target) if taken.any() else site)
    return replace(sites, sites=tuple(found)), lost


def _teaches(sites: Sites) -> bool:
    def shown(value: int) -> bool:
        return any(_has(site, value) for site in sites.sites)

    return shown(1) and shown(0)


def _has(site: Site, value: int) -> bool:
    return bool((site.target == value).any())


def _seen_on(grid: Grid, kept: Kept, margin: int) -> Mask:
    """Which pixels of `grid` lie on the kept ground or within `margin` of its pixels."""
    if bool(grid.crs) != bool(kept.grid.crs):
        return np.zeros((grid.shape.rows, grid.shape.columns), np.bool_)
    mask = np.pad(kept.mask, margin) if margin else kept.mask
    transform = kept.grid.transform @ kept.grid.transform.translation(-margin, -margin)
    there = np.zeros((grid.shape.rows, grid.shape.columns), np.uint8)
    reproject(
        spread(mask, margin).astype(np.uint8),
        there,
        src_transform=transform,
        src_crs=kept.grid.projection or _ANY,
        dst_transform=grid.transform,
        dst_crs=grid.projection or _ANY,
        resampling=Resampling.nearest,
    )
    return there > 0
