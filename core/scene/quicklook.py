"""A small picture of an image, as a person expects it: stretched, red to red where known."""

from collections.abc import Sequence

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..job import Source
from .source import RasterFacts, raster_environment

_ORDER = ("red", "green", "blue")


def quicklook(source: Source, facts: RasterFacts, most: int = 512) -> NDArray[np.uint8]:
    """The image in colour, (row, column, 3), at most `most` pixels wide or high.

    Overviews are used where the file has them. Each band is stretched from its 2nd to its 98th
    percentile; missing pixels are white.
    """
    indexes = [facts.indexes[number] for number in _shown(facts)]
    with raster_environment(), rasterio.open(source.path) as data:
        factor = max(1, -(-max(data.width, data.height) // most))
        shape = (max(1, data.height // factor), max(1, data.width // factor))
        values = data.read(indexes, out_shape=(3, *shape), masked=True).astype(np.float32)
    missing = np.ma.getmaskarray(values).any(axis=0) | ~np.isfinite(values.data).all(axis=0)
    picture = np.stack([_stretched(band, missing) for band in values.data], axis=-1)
    picture[missing] = 255
    return picture


def _shown(facts: RasterFacts) -> Sequence[int]:
    """Which bands to show as red, green and blue: by name, else the first three."""
    names = [band.name.strip().lower() for band in facts.bands]
    if all(name in names for name in _ORDER):
        return [names.index(name) for name in _ORDER]
    return [0, 1, 2] if len(names) >= 3 else [0, 0, 0]


def _stretched(band: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.uint8]:
    known = band[~missing]
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    scaled = (band - low) / max(float(high - low), 1e-12)
    result: NDArray[np.uint8] = (np.nan_to_num(np.clip(scaled, 0.0, 1.0), nan=1.0) * 255).astype(
        np.uint8
    )
    return result
