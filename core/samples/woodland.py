"""Forest, hedges and single trees: crowns of several kinds, taller than what is around them."""

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, Mask, fractal_noise, grow_crowns
from .farmland import Texture
from .painting import Cover, Painting, spectrum, varied
from .parcels import Parcels

_BROADLEAF = spectrum(0.026, 0.056, 0.032, 0.385)
_PALE_LEAF = spectrum(0.034, 0.072, 0.044, 0.410)
_CONIFER = spectrum(0.020, 0.036, 0.024, 0.250)
_FOREST_FLOOR = spectrum(0.030, 0.046, 0.036, 0.190)


def forest_blobs(
    rng: np.random.Generator, canvas: Canvas, wavelength: float, share: float, avoid: Floats
) -> Mask:
    """The rounded patches that make up `share` of the canvas, away from where `avoid` is high."""
    field = fractal_noise(rng, canvas, wavelength, 5, 0.48) - avoid
    return np.asarray(field > np.quantile(field[::4, ::4], 1 - share), bool)


def grow_forest(rng: np.random.Generator, painting: Painting, blob: Mask, texture: Texture) -> None:
    """Fill the blobs with a closed canopy of broadleaved and coniferous stands."""
    painting.fill(blob, Cover.TREES, varied(_FOREST_FLOOR, 0.1 * texture.tuft[blob]))
    stand = texture.sweep + 0.5 * texture.patch
    _plant(rng, painting, blob, stand, (5.6, 5.6), (2.6, 4.6), (11.0, 19.0), texture, conifers=0.35)


def grow_hedges(
    rng: np.random.Generator, painting: Painting, parcels: Parcels, texture: Texture, share: float
) -> None:
    """Rows of bushes and trees along some of the boundaries between parcels."""
    hedged = rng.random(parcels.count)[parcels.index] < share
    stems = hedged & (parcels.edge < 2.2) & (texture.patch > -0.7)
    _plant(rng, painting, stems, texture.sweep, (3.6, 3.6), (1.8, 3.0), (3.0, 7.5), texture)


def scatter_trees(
    rng: np.random.Generator, painting: Painting, where: Mask, texture: Texture,
    spacing: float, height: tuple[float, float],
) -> None:  # fmt: skip
    """Single trees with their stems in `where`, some `spacing` metres apart."""
    radius = (1.5, 0.12 * spacing + 1.9)
    _plant(rng, painting, where, texture.sweep, (spacing, spacing), radius, height, texture)


def _plant(
    rng: np.random.Generator, painting: Painting, stems: Mask, stand: Floats,
    spacing: tuple[float, float], radius: tuple[float, float], height: tuple[float, float],
    texture: Texture, conifers: float = 0.08,
) -> None:  # fmt: skip
    canvas = painting.canvas
    near = _grown(stems, canvas.gsd, radius[1])
    y, x = (part.astype(np.float32) * np.float32(canvas.gsd) for part in np.nonzero(near))

    def keep(u: Floats, v: Floats) -> Mask:
        row, column = _pixel(v, canvas.gsd, canvas.rows), _pixel(u, canvas.gsd, canvas.columns)
        return np.asarray(stems[row, column], bool)

    crowns = grow_crowns(rng, x, y, spacing, radius, height, 0.85, keep)
    crown = crowns.height > painting.height[near]
    where = near.copy()
    where[near] = crown
    tree, top = crowns.tree[crown], crowns.height[crown]
    conifer = (tree < conifers) if conifers < 0.1 else (tree + 0.22 * stand[where] < conifers)
    leaf = _BROADLEAF + (_PALE_LEAF - _BROADLEAF) * ((tree * 7.3) % 1)
    base = np.where(conifer, _CONIFER, leaf)
    depth = 0.12 * (top / np.float32(height[1]) - 0.8)
    painting.fill(where, Cover.TREES, varied(base, 0.09 * texture.grain[where], depth), top)


def _pixel(position: Floats, gsd: float, length: int) -> NDArray[np.int64]:
    return np.clip((position / gsd).astype(np.int64), 0, length - 1)


def _grown(mask: Mask, gsd: float, reach: float) -> Mask:
    """The mask with everything within `reach` metres along the axes of it."""
    n = int(np.ceil(reach / gsd))
    for axis in (0, 1):
        total = np.cumsum(mask, axis=axis, dtype=np.int32)
        length = mask.shape[axis]
        high = np.take(total, np.clip(np.arange(length) + n, 0, length - 1), axis=axis)
        low = np.take(total, np.clip(np.arange(length) - n - 1, 0, length - 1), axis=axis)
        inner = np.arange(length) - n - 1 >= 0
        low *= inner[:, None] if axis == 0 else inner[None, :]
        mask = high > low
    return np.asarray(mask, bool)
