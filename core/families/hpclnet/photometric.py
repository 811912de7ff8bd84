"""What training changes in its windows besides their orientation: light, and a missing input."""

import torch
from torch import Tensor

_CONTRAST, _BRIGHTNESS = 0.2, 0.3
"""Deviations at strength 1; all bands share most of it, and each has half as much of its own."""


def jittered(
    values: Tensor, valid: Tensor, bands: int, strength: float, random: torch.Generator
) -> Tensor:
    """Standardised channels (b, channel, row, column) under another light.

    Contrast and brightness of the `bands` of the image change window by window; the terrain stays,
    and so do pixels that are not `valid` (b, row, column). `strength` 0 changes nothing.
    """
    if strength == 0:
        return values
    count = len(values)

    def drawn(channels: int, deviation: float) -> Tensor:
        lots = torch.randn(count, channels, 1, 1, generator=random)
        return (strength * deviation * lots).to(values.device)

    contrast = 1.0 + drawn(1, _CONTRAST) + drawn(bands, _CONTRAST / 2)
    brightness = drawn(1, _BRIGHTNESS) + drawn(bands, _BRIGHTNESS / 2)
    image = values[:, :bands] * contrast + brightness
    lit = torch.where(valid[:, None], image, 0.0)
    return torch.cat([lit, values[:, bands:]], 1)


def with_missing(values: Tensor, bands: int, share: float, random: torch.Generator) -> Tensor:
    """Standardised channels where a `share` of the windows lacks its image or its terrain.

    What is missing is 0: the mean. So the network degrades gently where one input says nothing.
    """
    if share == 0:
        return values
    lots = torch.rand(len(values), generator=random).to(values.device)[:, None, None, None]
    image = values[:, :bands] * (lots >= share / 2)
    terrain = values[:, bands:] * ((lots < share / 2) | (lots >= share))
    return torch.cat([image, terrain], 1)
