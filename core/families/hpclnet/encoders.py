"""The encoders of both profiles: what they give at each stride, and a context at the end."""

from typing import Protocol

from torch import Tensor, nn

from .blocks import Bottleneck, Context, Conv, Residual


class Encoder(Protocol):
    """Features of an input at several strides."""

    levels: dict[int, int]
    """Stride → channels, fine to coarse; the last one is the semantic space."""

    def __call__(self, picture: Tensor) -> list[Tensor]:
        """The features (b, channel, row, column) of all levels."""


class SmallEncoder(nn.Module):
    """Residual blocks of w, 2w, 4w channels at strides 2, 4, 8; a few channels at full size."""

    def __init__(self, bands: int, width: int) -> None:
        """`width` is w, a multiple of 8."""
        super().__init__()
        self.levels = {1: width // 2, 2: width, 4: 2 * width, 8: 4 * width}
        self.stem = Conv(bands, width // 2)
        self.second = Residual(width // 2, width, 2)
        self.fourth = nn.Sequential(Residual(width, 2 * width, 2), Residual(2 * width, 2 * width))
        self.eighth = nn.Sequential(
            Residual(2 * width, 4 * width, 2), Residual(4 * width, 4 * width)
        )
        self.context = Context(4 * width, 4 * width, (1, 2, 4), 2 * width)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Features at strides 1, 2, 4 and 8."""
        full = self.stem(picture)
        half = self.second(full)
        quarter = self.fourth(half)
        return [full, half, quarter, self.context(self.eighth(quarter))]


_RESNETS: dict[int, tuple[type[Residual | Bottleneck], tuple[int, int, int, int]]] = {
    34: (Residual, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNetEncoder(nn.Module):
    """A ResNet (arXiv 1512.03385) at output stride 16 with ASPP; GroupNorm for BatchNorm."""

    def __init__(self, bands: int, depth: int) -> None:
        """`depth` is 34 or 50."""
        super().__init__()
        block, counts = _RESNETS[depth]
        self.levels = {2: 64, 4: 64 * block.expansion, 16: 256}
        self.stem = Conv(bands, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels, stages = 64, []
        for index, count in enumerate(counts):
            out = 64 * 2**index * block.expansion
            # The last stage keeps the size, and sees twice as far instead.
            stride, dilation = (1, 1, 1, 2)[index], (1, 1, 1, 2)[index]
            stride = 2 if index in (1, 2) else 1
            blocks = [block(channels, out, stride, dilation)]
            blocks += [block(out, out, 1, dilation) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            channels = out
        self.stages = nn.ModuleList(stages)
        self.context = Context(channels, 256, (1, 6, 12, 18), 256)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Features at strides 2, 4 and 16."""
        half = self.stem(picture)
        quarter = features = self.stages[0](self.pool(half))
        for stage in list(self.stages)[1:]:
            features = stage(features)
        return [half, quarter, self.context(features)]
