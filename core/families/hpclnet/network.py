"""HPCL-Net: image and terrain, fused where they mean something, and a map of relic landslides.

Source: arXiv 2308.01251 for the idea (late fusion, contrastive learning between hyper-pixels); the
network's body is not public to us. Encoders, gate, attention and decoder are our decision, after
the same group's sister papers (FFS-Net, TGRS 2023; ICSSN, arXiv 2302.12420).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn.blocks import normalised
from .architecture import Architecture
from .blocks import Conv, norm
from .encoders import ResNetEncoder, SmallEncoder

_DROPOUT = 0.1


class Answer(NamedTuple):
    """Logits (b, row, column), and the fused features (b, channel, row/s, column/s)."""

    logits: Tensor
    fused: Tensor


class Fusion(nn.Module):
    """f = 3×3([g·f_I, (1-g)·f_D]) with the gate g = σ(1×1[f_I, f_D]) for every channel and cell."""

    def __init__(self, channels: int) -> None:
        """Both inputs and the answer have `channels`."""
        super().__init__()
        self.gate = nn.Conv2d(2 * channels, channels, 1)
        self.join = Conv(2 * channels, channels)

    def forward(self, image: Tensor, terrain: Tensor) -> Tensor:
        """The fused features (b, channel, row, column)."""
        gate = torch.sigmoid(self.gate(torch.cat([image, terrain], 1)))
        fused: Tensor = self.join(torch.cat([gate * image, (1 - gate) * terrain], 1))
        return fused


class Attention(nn.Module):
    """Weighs the channels of a skip by what the fused features say, here and in the whole window.

    Two scales, after arXiv 2009.14082: a 1×1 convolution of each cell, and one of the mean.
    """

    def __init__(self, fused: int, channels: int) -> None:
        """`fused` channels decide about `channels`."""
        super().__init__()
        self.here = nn.Conv2d(fused, channels, 1)
        self.whole = nn.Conv2d(fused, channels, 1)

    def forward(self, skip: Tensor, fused: Tensor) -> Tensor:
        """`skip` weighed, in its own size."""
        here = F.interpolate(self.here(fused), skip.shape[2:], mode="bilinear")
        whole = self.whole(fused.mean((2, 3), keepdim=True))
        return skip * torch.sigmoid(here + whole)


class Rise(nn.Module):
    """One step of the decoder: twice as fine by a transposed convolution, with the skip."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        """`skip` 0 has none."""
        super().__init__()
        self.up = nn.Sequential(
            nn.ConvTranspose2d(channels, out, 2, 2, bias=False), norm(out), nn.ReLU(inplace=True)
        )
        self.mix = Conv(out + skip, out)

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """(b, out, 2·row, 2·column)."""
        finer = self.up(features)
        result: Tensor = self.mix(finer if skip is None else torch.cat([finer, skip], 1))
        return result


class Decoder(nn.Module):
    """From the fused features back to pixels, with every finer level as a weighed skip."""

    def __init__(self, levels: dict[int, int], deepest: int, stride: int) -> None:
        """`levels` are the skips' stride → channels, `deepest` the fused channels at `stride`."""
        super().__init__()
        self.strides = []
        self.attention = nn.ModuleDict()
        self.rises = nn.ModuleList()
        channels, at = deepest, stride
        while at > 1:
            at //= 2
            skip, out = levels.get(at, 0), max(16, channels // 2)
            # At full size there is no meaning to weigh by, and the weights would cost the most.
            if skip and at > 1:
                self.attention[str(at)] = Attention(deepest, skip)
            self.rises.append(Rise(channels, skip, out))
            self.strides.append(at)
            channels = out
        self.dropout = nn.Dropout2d(_DROPOUT)
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, fused: Tensor, skips: dict[int, Tensor]) -> Tensor:
        """Logits (b, row, column)."""
        features = self.dropout(fused)
        for at, rise in zip(self.strides, self.rises, strict=True):
            skip = skips.get(at)
            if skip is not None and str(at) in self.attention:
                skip = self.attention[str(at)](skip, fused)
            features = rise(features, skip)
        logits: Tensor = self.head(features)
        return logits[:, 0]


class HpclNet(nn.Module):
    """The network of an `Architecture`; `forward` gives logits, `answer` the fused features too."""

    def __init__(self, architecture: Architecture) -> None:
        """Fresh weights."""
        super().__init__()
        self.architecture = architecture
        bands, variant = architecture.image_bands, architecture.variant
        widths = {
            "fusion": (bands, architecture.terrain_bands),
            "image": (bands,),
            "dem": (architecture.terrain_bands,),
            "stacked": (bands + architecture.terrain_bands,),
        }[variant]
        self.encoders = nn.ModuleList(
            _encoder(architecture, count, index) for index, count in enumerate(widths)
        )
        per_encoder = [_levels(encoder) for encoder in self.encoders]
        deepest = per_encoder[0][architecture.stride]
        self.fusion = Fusion(deepest) if variant == "fusion" else Conv(deepest, deepest)
        skips = {
            stride: sum(levels[stride] for levels in per_encoder)
            for stride in per_encoder[0]
            if stride < architecture.stride
        }
        self.decoder = Decoder(skips, deepest, architecture.stride)
        self.fused_channels = deepest
        self.fused_stride = architecture.stride
        normalised(self, architecture.normalisation)

    def forward(self, values: Tensor) -> Tensor:
        """Logits (b, row, column) of standardised channels (b, image + terrain, row, column)."""
        return self.answer(values).logits

    def answer(self, values: Tensor) -> Answer:
        """Logits and fused features."""
        features = self._features(values)
        fused = self._fuse(features)
        strides = list(_levels(self.encoders[0]))[:-1]
        skips = {
            stride: torch.cat([one[index] for one in features], 1)
            for index, stride in enumerate(strides)
        }
        return Answer(self.decoder(fused, skips), fused)

    def fused(self, values: Tensor) -> Tensor:
        """The fused features (b, channel, row/s, column/s) alone, without the decoder."""
        return self._fuse(self._features(values))

    def _features(self, values: Tensor) -> list[list[Tensor]]:
        pairs = zip(self.encoders, self._inputs(values), strict=True)
        return [encoder(part) for encoder, part in pairs]

    def _fuse(self, features: list[list[Tensor]]) -> Tensor:
        fused: Tensor = self.fusion(*(one[-1] for one in features))
        return fused

    def _inputs(self, values: Tensor) -> list[Tensor]:
        bands, variant = self.architecture.image_bands, self.architecture.variant
        return {
            "fusion": [values[:, :bands], values[:, bands:]],
            "image": [values[:, :bands]],
            "dem": [values[:, bands:]],
            "stacked": [values],
        }[variant]


def _levels(encoder: nn.Module) -> dict[int, int]:
    if not isinstance(encoder, SmallEncoder | ResNetEncoder):
        raise TypeError(f"{type(encoder).__name__} is no encoder")
    return encoder.levels


def _encoder(architecture: Architecture, bands: int, index: int) -> nn.Module:
    """An encoder of the profile; the second one sees the terrain, which needs less."""
    if architecture.profile == "small":
        return SmallEncoder(bands, architecture.width)
    return ResNetEncoder(bands, 50 if index == 0 and architecture.variant != "dem" else 34)


class Projector(nn.Module):
    """From fused features to unit vectors (b, d, row, column); in training only."""

    def __init__(self, channels: int, dimensions: int) -> None:
        """`dimensions` is d."""
        super().__init__()
        self.body = nn.Sequential(Conv(channels, channels, 1), nn.Conv2d(channels, dimensions, 1))

    def forward(self, fused: Tensor) -> Tensor:
        """Vectors of length 1 along the second axis, float32."""
        return F.normalize(self.body(fused).float(), dim=1, eps=1e-6)
