"""What inputs are scaled by: taken from the training ground, kept in the card."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...card import Card
from .view import DEM, IMAGE, RELATIVE

_CLIP = 3.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """`mean` and `std` (band,) of the image; `relief`, the deviation of relative elevation, metres.

    In the card: mean and deviation of IMAGE, and 0 and `relief` for DEM.
    """

    mean: Tensor
    std: Tensor
    relief: float

    @classmethod
    def of_channels(cls, mean: Tensor, std: Tensor, bands: int) -> "Statistics":
        """From mean and deviation (channel,) of all channels of a `TerrainView`."""
        relief = float(std[bands + RELATIVE])
        return cls(mean[:bands].float(), std[:bands].float(), relief)

    @classmethod
    def of_card(cls, card: Card) -> "Statistics":
        """What a model's card keeps."""
        image = card.input(IMAGE)
        return cls(torch.tensor(image.mean), torch.tensor(image.std), card.input(DEM).std[0])

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
