"""From the two windows to tokens of 64 numbers, one for each MS pixel."""

from torch import Tensor, nn
from torch.nn import functional

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
        tokens: Tensor = self.norm(self.patch(image).permute(0, 2, 3, 1))
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
        return self.embed_ms(finer), self.embed_pan(self.pan(pan))
