"""From a painted landscape to what two sensors on one satellite record of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, block_mean, blurred
from .light import Sun, slope_light, sunlit

SCALE = 10000
"""Digital numbers per unit of reflectance."""

_SUN = Sun()
# Skylight is blue: it reaches shadows more in blue than in the near infrared.
_SKYLIGHT = np.array([0.40, 0.33, 0.28, 0.22], np.float32)[:, None, None]
_HAZE = np.array([0.016, 0.010, 0.006, 0.002], np.float32)[:, None, None]
_PAN_WEIGHTS = np.array([0.16, 0.30, 0.34, 0.20], np.float32)


@dataclass(frozen=True, slots=True)
class Recording:
    """`ms` (band, row, column) and the finer `pan` (1, row, column), uint16 reflectance × 10000."""

    ms: NDArray[np.uint16]
    pan: NDArray[np.uint16]


def illuminate(
    canvas: Canvas, colour: Floats, ground: Floats, height: Floats, sun: Sun = _SUN
) -> Floats:
    """The radiance of surfaces (4, row, column) that stand `height` above the `ground`, in m."""
    slope = slope_light(canvas, ground + height, sun)
    direct = slope * sunlit(canvas, height, sun)
    light = _SKYLIGHT + (1 - _SKYLIGHT) * np.clip(direct, 0, 1.45)
    return colour * light


def record(rng: np.random.Generator, radiance: Floats, ratio: int) -> Recording:
    """Both images of a radiance (4, row, column), each with its own blur and noise."""
    seen = radiance + _HAZE
    pan = np.tensordot(_PAN_WEIGHTS, blurred(seen, 0.5), 1)[None]
    ms = block_mean(blurred(seen, 0.38 * ratio), ratio)
    return Recording(_digital(rng, ms, 0.0012), _digital(rng, pan, 0.0016))


def _digital(rng: np.random.Generator, radiance: Floats, read_noise: float) -> NDArray[np.uint16]:
    noise = rng.standard_normal(radiance.shape, np.float32)
    noisy = radiance + noise * (read_noise + 0.006 * np.sqrt(np.clip(radiance, 0, None) * 0.1))
    # 0 is nodata, so the darkest valid pixel is 1.
    return np.asarray(np.clip(np.rint(noisy * SCALE), 1, 65535).astype(np.uint16))
