"""From the two windows to tokens of 64 numbers, one for each MS pixel."""

from torch import Tensor, nn
from torch.nn import functional

from ...nn.dense import linear

WIDTH = 64
PAN_CHANNELS = 4


class Embedding(nn.Module):
    """Tokens (b, row, column, 64) of an image (b, channel, row · ratio, column · ratio)."""

    def __init__(self, channels: int, ratio: int) -> None:
        """`ratio` is the edge of the square of pixels that one token covers."""
        super().__init__()
        self.patch = nn.Conv2d(channels, WIDTH, ratio, stride=ratio)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, image: Tensor) -> Tensor:
        """The tokens; no position is added to them."""
        return self.of_cells(image, self.patch.weight.flatten(1), self.patch.bias)

    def of_cells(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The tokens by a map (64, channel · ratio²) of the pixels that each covers.

        A convolution whose stride is its size is such a map.
        """
        cells = functional.pixel_unshuffle(image, self.patch.stride[0]).permute(0, 2, 3, 1)
        tokens: Tensor = self.norm(linear(cells.contiguous(), weight, bias))
        return tokens


class Lift(nn.Module):
    """Brings both windows to the PAN grid and embeds each in tokens."""

    def __init__(self, ms_bands: int, ratio: int) -> None:
        """`ratio` counts PAN pixels along the edge of an MS pixel."""
        super().__init__()
        self.ratio = ratio
        self.pan = nn.Conv2d(1, PAN_CHANNELS, 1)
        self.embed_ms = Embedding(ms_bands, ratio)
        self.embed_pan = Embedding(PAN_CHANNELS, ratio)

    def forward(self, ms: Tensor, pan: Tensor) -> tuple[Tensor, Tensor]:
        """MS and PAN tokens, each (b, row, column, 64)."""
        finer = functional.interpolate(
            ms, scale_factor=self.ratio, mode="bilinear", align_corners=False
        )
        return self.embed_ms(finer), self._of_pan(pan)

    def _of_pan(self, pan: Tensor) -> Tensor:
        """PAN's tokens: its maps to channels and to tokens, with nothing in between, are one."""
        patch = self.embed_pan.patch
        wide = patch.weight.flatten(2)
        bias = patch.bias
        if bias is not None and self.pan.bias is not None:
            bias = bias + wide.sum(2) @ self.pan.bias
        weight = (wide * self.pan.weight.view(1, -1, 1)).sum(1)
        return self.embed_pan.of_cells(pan, weight, bias)
