"""Fields, meadows and orchards, with the rows and tracks that machines leave."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, Mask, fractal_noise, grow_crowns, smooth_noise
from .painting import Cover, Painting, spectrum, varied
from .parcels import Parcels, share_out

_GRASS = spectrum(0.043, 0.078, 0.056, 0.350)
_HAY = spectrum(0.066, 0.104, 0.098, 0.295)
_CEREAL = spectrum(0.036, 0.074, 0.045, 0.405)
_RIPE = spectrum(0.080, 0.124, 0.148, 0.275)
_MAIZE = spectrum(0.036, 0.076, 0.042, 0.420)
_RAPE = spectrum(0.052, 0.158, 0.152, 0.430)
_SOIL = spectrum(0.086, 0.118, 0.148, 0.205)
_DARK_SOIL = spectrum(0.058, 0.078, 0.098, 0.140)
_PALE_SOIL = spectrum(0.128, 0.172, 0.212, 0.268)
_LEAF = spectrum(0.030, 0.058, 0.036, 0.380)
_VERGE = spectrum(0.050, 0.086, 0.070, 0.315)


@dataclass(frozen=True, slots=True)
class Texture:
    """Noises that all fields share, so that each is computed once."""

    grain: Floats
    tuft: Floats
    patch: Floats
    sweep: Floats

    @classmethod
    def on(cls, rng: np.random.Generator, canvas: Canvas) -> "Texture":
        """Fresh noise: grain 1 m, tufts 4 m, patches 22 m, sweeps 90 m."""
        return cls(
            smooth_noise(rng, canvas, 1.0), fractal_noise(rng, canvas, 4.0, 2),
            fractal_noise(rng, canvas, 22.0, 3), fractal_noise(rng, canvas, 90.0, 2),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """The pixels of all parcels of one use, each value in the order of the mask's pixels.

    `u`, `v` run along and across the rows; `vigour` and `chance` are numbers 0–1 per parcel.
    """

    where: Mask
    u: Floats
    v: Floats
    edge: Floats
    vigour: Floats
    chance: Floats
    grain: Floats
    tuft: Floats
    patch: Floats
    sweep: Floats

    def wave(self, period: float) -> Floats:
        """Rows `period` metres apart, from −1 to 1."""
        return np.asarray(np.sin(2 * np.pi * self.v / period), np.float32)

    def tracks(self, spacing: float) -> Floats:
        """Pairs of wheel tracks every `spacing` metres: 1 in the track, 0 beside it."""
        aside = np.abs(self.v % spacing - spacing / 2)
        return np.asarray(np.clip(1.6 - np.abs(aside - 0.9) / 0.35, 0, 1), np.float32)


def farm(
    rng: np.random.Generator, painting: Painting, parcels: Parcels, texture: Texture
) -> NDArray[np.int32]:
    """Paint every parcel with a use, and grassy verges between; returns the use by parcel."""
    sizes = np.bincount(parcels.index.ravel(), minlength=parcels.count)
    use = share_out(rng, sizes, [share for share, _ in _USES])
    vigour, chance = rng.random((2, parcels.count)).astype(np.float32)
    for k, (_, paint) in enumerate(_USES):
        where = (use == k)[parcels.index]
        if where.any():
            paint(rng, painting, _field(where, parcels, texture, vigour, chance))
    verge = parcels.edge < 0.7 + 0.5 * texture.sweep
    painting.fill(
        verge, Cover.GRASS, varied(_VERGE, 0.10 * texture.grain[verge], 0.10 * texture.patch[verge])
    )
    return use


def _field(
    where: Mask, parcels: Parcels, texture: Texture, vigour: Floats, chance: Floats
) -> Field:
    u, v, number = parcels.u[where], parcels.v[where], parcels.index[where]
    # Near the ends of the strips the machine turns: rows lie crosswise on the headland.
    headland = (parcels.end[where] < 9.0) & (parcels.edge[where] >= 1.0)
    return Field(
        where, np.where(headland, v, u), np.where(headland, u, v), parcels.edge[where],
        vigour[number], chance[number], texture.grain[where], texture.tuft[where],
        texture.patch[where], texture.sweep[where],
    )  # fmt: skip


def _meadow(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
    dry = np.clip(0.5 * field.vigour + 0.10 * field.sweep, 0, 1)
    base = _GRASS + (_HAY - _GRASS) * dry
    tufts = 0.085 * field.tuft + 0.05 * field.grain + 0.07 * field.patch
    # Some meadows were mown lately: broad swaths that alternate with the way of the machine.
    swath = 0.05 * np.tanh(3 * field.wave(9.0)) * (field.chance > 0.72)
    painting.fill(field.where, Cover.GRASS, varied(base, tufts, swath))


def _dry_meadow(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
    base = _GRASS + (_HAY - _GRASS) * np.clip(0.75 + 0.4 * field.vigour + 0.2 * field.sweep, 0, 1.4)
    tufts = 0.10 * field.tuft + 0.05 * field.grain + 0.08 * field.patch
    painting.fill(field.where, Cover.GRASS, varied(base, tufts))


def _sown(base: Floats, period: float, depth: float) -> Callable[..., None]:
    def paint(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
        vigour = 0.14 * (field.vigour - 0.5) + 0.04 * field.patch + 0.04 * field.sweep
        rows = depth * field.wave(period) + 0.03 * field.grain
        colour = varied(base, vigour, rows)
        painting.fill(field.where, Cover.CROPS, colour)
        painting.blend(field.where, _SOIL, 0.55 * field.tracks(18.0))

    return paint


def _row_crop(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
    growth = 0.38 + 0.40 * field.vigour + 0.07 * field.patch + 0.05 * field.sweep
    plants = np.clip(growth + 0.55 * field.wave(3.0) + 0.06 * field.grain, 0, 1)
    colour = _SOIL * (0.92 + 0.06 * field.patch) + 0.0
    painting.fill(field.where, Cover.CROPS, colour)
    painting.blend(field.where, _MAIZE, plants)


def _ploughed(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
    base = _SOIL + (_DARK_SOIL - _SOIL) * np.clip(0.15 + 0.6 * field.chance, 0, 1)
    moist = -0.11 * np.clip(field.sweep + 0.4 * field.patch, -1.2, 2)
    furrows = 0.045 * field.wave(2.4) + 0.05 * field.grain
    painting.fill(field.where, Cover.SOIL, varied(base, moist, furrows))


def _harrowed(_rng: np.random.Generator, painting: Painting, field: Field) -> None:
    base = _SOIL + (_PALE_SOIL - _SOIL) * (0.35 + 0.65 * field.chance)
    lanes = 0.03 * np.tanh(4 * field.wave(12.0))
    weeds = np.clip(0.20 * field.vigour + 0.10 * field.patch, 0, 0.5)
    painting.fill(
        field.where, Cover.SOIL, varied(base, lanes, 0.04 * field.grain, 0.06 * field.sweep)
    )
    painting.blend(field.where, _VERGE, weeds)


def _orchard(rng: np.random.Generator, painting: Painting, field: Field) -> None:
    soil = np.clip(0.55 * field.chance + 0.12 * field.patch, 0, 1)
    floor = varied(_GRASS + (_SOIL - _GRASS) * soil, 0.07 * field.tuft, 0.04 * field.grain)
    painting.fill(field.where, Cover.ORCHARD, floor)
    crowns = grow_crowns(rng, field.u, field.v, (4.2, 5.4), (1.35, 1.95), (2.6, 3.9), 0.16)
    # One tree in fifty died, and no tree stands on the boundary.
    crown = (crowns.height > 0) & (crowns.tree > 0.02) & (field.edge > 1.2)
    where = field.where.copy()
    where[field.where] = crown
    colour = varied(_LEAF, (0.25 * (crowns.tree - 0.5) + 0.05 * field.grain)[crown])
    painting.fill(where, Cover.ORCHARD, colour, crowns.height[crown])


# Share of the farmland, and how it is painted.
_USES: tuple[tuple[float, Callable[..., None]], ...] = (
    (0.17, _meadow),
    (0.08, _dry_meadow),
    (0.16, _sown(_CEREAL, 2.6, 0.13)),
    (0.10, _sown(_RIPE, 2.6, 0.10)),
    (0.06, _sown(_RAPE, 3.4, 0.08)),
    (0.12, _row_crop),
    (0.12, _ploughed),
    (0.07, _harrowed),
    (0.12, _orchard),
)
