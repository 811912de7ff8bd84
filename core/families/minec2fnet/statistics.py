"""Mean and deviation of the bands: of the coarse training part, and kept from then on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...card import CardInput


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
