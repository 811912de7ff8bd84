"""What inputs are scaled by: taken from the training ground, kept in the card."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...card import Card
from .view import DEM, IMAGE, RELATIVE, SLOPE

MEAN_SLOPE = "mean_slope"
"""Among the facts that a card keeps about DEM: degrees."""

_CLIP = 3.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """`mean` and `std` (band,) of the image; `relief`, the deviation of relative elevation, metres.

    `slope`, the mean in degrees, scales nothing: it tells which ground was learnt from. In the
    card: mean and deviation of IMAGE, and for DEM 0, `relief`, and the slope among its facts,
    where earlier versions kept none.
    """

    mean: Tensor
    std: Tensor
    relief: float
    slope: float | None = None

    @classmethod
    def of_channels(cls, mean: Tensor, std: Tensor, bands: int) -> "Statistics":
        """From mean and deviation (channel,) of all channels of a `TerrainView`."""
        relief = float(std[bands + RELATIVE])
        slope = 90 * float(mean[bands + SLOPE])
        return cls(mean[:bands].float(), std[:bands].float(), relief, slope)

    @classmethod
    def of_card(cls, card: Card) -> "Statistics":
        """What a model's card keeps."""
        image, dem = card.input(IMAGE), card.input(DEM)
        mean, std = torch.tensor(image.mean), torch.tensor(image.std)
        return cls(mean, std, dem.std[0], dem.facts.get(MEAN_SLOPE))

    def standardised(self, values: Tensor, valid: Tensor) -> Tensor:
        """What the network sees of `values` (b, channel, row, column); 0 where not `valid`.

        The image less its mean, by its deviation; relative elevation in thirds of three deviations,
        clipped to ±1; the other terrain channels as they are. Whatever stands in pixels that are
        not valid, NaN included, has no influence.
        """
        bands = len(self.mean)
        mean, std = (one.to(values)[:, None, None] for one in (self.mean, self.std))
        image = (values[:, :bands] - mean) / std
        place = bands + RELATIVE
        relative = (values[:, place : place + 1] / self.relief).clamp(-_CLIP, _CLIP) / _CLIP
        scaled = torch.cat([image, values[:, bands:place], relative, values[:, place + 1 :]], 1)
        return torch.where(valid[:, None], scaled, 0.0)
