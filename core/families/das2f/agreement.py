"""How far a filled map agrees with the one of every window, from a random sample of pixels."""

import math
from dataclasses import dataclass

import numpy as np

from ...results import Strip
from ...scene.grid import Window
from .adaptive import Adaptive
from .modes import Mode, ScenePixels

_SHARE = 0.02
_FEWEST, _MOST = 200, 4000
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Agreement:
    """`equal` of `sampled` pixels have the class that their own window gives them."""

    sampled: int
    equal: int

    @property
    def share(self) -> float | None:
        """The agreement, 0–1; None where nothing was sampled."""
        return self.equal / self.sampled if self.sampled else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the share (Wilson 1927, doi 10.1080/01621459.1927.10502953)."""
        if not self.sampled:
            return None
        n, p = self.sampled, self.equal / self.sampled
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """The agreement as a sentence for log and metadata."""
        if self.interval is None:
            return "No pixel could be sampled to compare the map with the exact one."
        low, high = self.interval
        return (
            f"{self.equal / self.sampled:.2%} of {self.sampled} randomly sampled pixels have the "
            f"class that the exact mode gives them (95 % interval {low:.2%} to {high:.2%})."
        )


class Checked:
    """A mode that fills, with a random sample of its pixels classified from their own windows.

    Sampled pixels keep what the mode said, so that the sample stands for the whole map.
    """

    def __init__(self, mode: Mode, pixels: ScenePixels, region: Window) -> None:
        """`mode` fills `region`."""
        self._mode = mode
        self._pixels = pixels
        self._share = sampled_share(region.shape.pixels)
        self.agreement = Agreement(0, 0)

    def __call__(self, window: Window) -> Strip:
        """What the mode says of `window`; the agreement grows by the pixels sampled there."""
        strip = self._mode(window)
        draw = np.random.default_rng([window.row, window.column])
        sampled = strip.valid & (draw.random(strip.valid.shape) < self._share)
        equal = 0
        rows, columns = np.nonzero(sampled)
        if isinstance(self._mode, Adaptive):
            # These have the class of their own window, which need not be computed again.
            equal = int((sampled & self._mode.own).sum())
            rows, columns = np.nonzero(sampled & ~self._mode.own)
        if len(rows):
            block, _ = self._pixels.block(window)
            own = self._pixels.probabilities(block, rows, columns).argmax(axis=1)
            equal += int((own == strip.probabilities[rows, columns].argmax(axis=1)).sum())
        before = self.agreement
        self.agreement = Agreement(before.sampled + int(sampled.sum()), before.equal + equal)
        return strip


def sampled_share(pixels: int) -> float:
    """The share, 0–1, of so many pixels that is looked at once more."""
    return min(1.0, min(max(_SHARE * pixels, _FEWEST), _MOST) / pixels)
