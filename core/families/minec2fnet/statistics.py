"""Mean and deviation of the bands: of the coarse training part, and kept from then on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...card import CardInput
from ...progress import Progress
from ...scene.scene import Block
from ...segmentation.sites import Site

# Bare ground in the sun is some ten times as bright as water; other units differ by far more.
_OTHER_UNITS = 50.0
# Logarithms of how bright bands are beside each other: landscapes differ by less than their orders.
_OTHER_ORDER, _AS_WELL = 0.25, 0.25
_MOST_BANDS = 6


@dataclass(frozen=True, slots=True)
class Statistics:
    """`mean` and `std` (band,) in the numbers of `ImageView`."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of_card(cls, one: CardInput) -> "Statistics":
        """The statistics that a model card keeps for its image."""
        return cls(
            torch.tensor(one.mean, dtype=torch.float32), torch.tensor(one.std, dtype=torch.float32)
        )

    def standardised(self, values: Tensor, valid: Tensor) -> Tensor:
        """`values` (b, band, row, column) less the mean, by the deviation; 0 where not `valid`.

        `valid` is (b, row, column). Whatever stands in pixels that are not valid, NaN included,
        has no influence.
        """
        mean, std = (one.to(values)[:, None, None] for one in (self.mean, self.std))
        return torch.where(valid[:, None], (values - mean) / std, 0.0)


@dataclass(slots=True)
class Brightness:
    """What the bands of an image are on the mean, gathered block by block."""

    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    count: int = 0

    @classmethod
    def of_site(cls, site: Site) -> "Brightness":
        """That of a scene in memory."""
        found = cls()
        found.add(Block(site.values, site.valid))
        return found

    def add(self, block: Block) -> None:
        """Count a block, of which invalid pixels are 0."""
        self.total = self.total + block.values.sum(axis=(-2, -1), dtype=np.float64)
        self.count += int(block.valid.sum())

    @property
    def means(self) -> NDArray[np.float64]:
        """That of each band."""
        return np.asarray(self.total / max(self.count, 1), dtype=np.float64)

    @property
    def mean(self) -> float:
        """The middle one of the bands' means."""
        return float(np.median(self.total)) / max(self.count, 1)


def doubt(title: str, found: float, known: float, whose: str) -> str:
    """The sentence for an image whose numbers look like other units than the known, or ""."""
    if found <= 0 or known <= 0 or 1 / _OTHER_UNITS < found / known < _OTHER_UNITS:
        return ""
    times, how = (found / known, "larger") if found > known else (known / found, "smaller")
    return (
        f"The values of {title} are about {float(f'{times:.1g}'):,.0f} times {how} than those of "
        f"{whose} (mean {found:.3g} against {known:.3g}), so they seem to be written in other "
        "units, which to the network is another landscape. Bring all to the same units, or say "
        "how the images are written (REFLECTANCE_SCALE and REFLECTANCE_OFFSET, for all alike)."
    )


def order_doubt(
    title: str, found: NDArray[np.float64], known: NDArray[np.float64], names: Sequence[str]
) -> str:
    """The sentence for bands whose means fit `known` far better in another order, or ""."""
    if not 3 <= len(found) == len(known) <= _MOST_BANDS or min(found.min(), known.min()) <= 0:
        return ""
    one, other = (np.log(means / np.median(means)) for means in (found, known))
    off = {
        order: float(np.abs(one[list(order)] - other).mean())
        for order in permutations(range(len(found)))
    }
    best = min(off, key=lambda order: off[order])
    given = off[tuple(range(len(found)))]
    if given < _OTHER_ORDER or off[best] > _AS_WELL * given:
        return ""
    wanted = ", ".join(names)
    return (
        f"By their brightness the bands of {title} seem to be in another order than {wanted}, "
        f"which the model takes them for: the order {', '.join(str(i + 1) for i in best)} would "
        "fit far better. Put them in the model's order, or give them their names."
    )


def warn_of_other_order(
    sites: Sequence[Site], named: Sequence[bool], known: CardInput, progress: Progress
) -> None:
    """Say in which scenes bands without names (`named` tells) look like another order."""
    names, means = [one.name for one in known.bands], np.array(known.mean)
    for site, has_names in zip(sites, named, strict=True):
        if not has_names:
            told = order_doubt(site.title, Brightness.of_site(site).means, means, names)
            if told:
                progress.warn(told)


def warn_of_other_units(
    sites: Sequence[Site], statistics: Statistics | None, progress: Progress
) -> None:
    """Say which scenes are written unlike the model's, or unlike the first of a new training."""
    means = [Brightness.of_site(site).mean for site in sites]
    known = float(statistics.mean.median()) if statistics else means[0]
    whose = "the model's images" if statistics else sites[0].title
    for site, mean in zip(sites, means, strict=True):
        if told := doubt(site.title, mean, known, whose):
            progress.warn(told)
