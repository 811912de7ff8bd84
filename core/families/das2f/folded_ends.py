"""Both ends of folded DAS²F: from windows to tokens, and from fused features to logits."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn.dense import Dense
from .architecture import Architecture
from .fusion import PART, QUARTERS
from .heads import CentreHead, LinearHead, PooledHead, PublishedHead, SummaryHead, centre_index
from .lift import WIDTH, Embedding, Lift


class FoldedLift:
    """Tokens (window · token, 64) of MS and PAN, each one map of the pixels around a token."""

    def __init__(self, ratio: int, ms: Dense, pan: Dense, norms: tuple[nn.LayerNorm, ...]) -> None:
        """`ms` maps 3×3 pixels of all bands, `pan` the pixels of a token."""
        self._ratio = ratio
        self._ms, self._pan = ms, pan
        self._norms = [(norm.weight.detach(), norm.bias.detach()) for norm in norms]

    def __call__(self, ms: Tensor, pan: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of windows (b, band, row, column) and (b, 1, row · ratio, column · ratio)."""
        n, bands, rows, columns = ms.shape
        padded = functional.pad(ms, (1, 1, 1, 1), mode="replicate")
        around = padded.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5)
        of_ms = self._ms(around.reshape(-1, bands * 9))
        cells = pan.reshape(n, rows, self._ratio, columns, self._ratio).transpose(2, 3)
        of_pan = self._pan(cells.reshape(-1, self._ratio**2))
        first, second = (
            # Autocast may have halved the precision of the maps; norms are taken in full.
            functional.layer_norm(x.to(norm[0].dtype), (WIDTH,), *norm)
            for x, norm in zip((of_ms, of_pan), self._norms, strict=True)
        )
        return first, second


def fold_lift(lift: Lift) -> FoldedLift:
    """The lift as two maps."""
    return FoldedLift(
        lift.ratio,
        _fold_ms(lift.embed_ms, lift.ratio),
        _fold_pan(lift.pan, lift.embed_pan),
        (lift.embed_ms.norm, lift.embed_pan.norm),
    )


def _fold_ms(embedding: Embedding, ratio: int) -> Dense:
    """Enlarging and embedding as one map of 3×3 pixels.

    Fine pixel k of a coarse one lies (k + ½) / ratio − ½ from its middle, and bilinear weights
    fall off linearly to the neighbour's middle.
    """
    patch = embedding.patch
    position = (torch.arange(ratio, dtype=torch.float64) + 0.5) / ratio - 0.5
    neighbours = torch.arange(-1, 2, dtype=torch.float64)
    spread = (1 - (position[:, None] - neighbours).abs()).clamp(min=0).to(patch.weight.device)
    weight = torch.einsum("ocij,ia,jb->ocab", patch.weight.double(), spread, spread)
    return Dense(weight.flatten(1).to(patch.weight.dtype), patch.bias)


def _fold_pan(lift: nn.Conv2d, embedding: Embedding) -> Dense:
    """The maps 1 → 4 channels and 4 channels → tokens as one map of a token's pixels."""
    if lift.bias is None or embedding.patch.bias is None:
        raise ValueError("these convolutions have no bias")
    wide = embedding.patch.weight.double()
    weight = torch.einsum("ocij,c->oij", wide, lift.weight.double().flatten())
    bias = torch.einsum("ocij,c->o", wide, lift.bias.double()) + embedding.patch.bias.double()
    dtype = lift.weight.dtype
    return Dense(weight.flatten(1).to(dtype), bias.to(dtype))


class FlatHead:
    """One map of all features."""

    def __init__(self, map_: Dense) -> None:
        """`map_` takes 64 · tokens numbers in token order."""
        self._map = map_

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of features (b, token, 64)."""
        return self._map(x.flatten(1))


class FoldedSummary:
    """Summaries of the window, their norm and one map."""

    def __init__(self, head: SummaryHead, window: int, *, centre: bool) -> None:
        """With `centre`, the middle and what is around it come before the window's mean."""
        self._window = window
        # The network's summaries are in quarters, (4, 16); features here are (16, 4).
        weight, gain, offset = (
            _in_token_order(x.detach()) for x in (head.map.weight, head.norm.weight, head.norm.bias)
        )
        self._norm = (gain.contiguous(), offset.contiguous())
        self._map = Dense(weight, head.map.bias)
        self._centre = centre_index(window) if centre else None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of features (b, token, 64)."""
        parts = [x.mean(dim=1)]
        if self._centre is not None:
            square = x.view(-1, self._window, self._window, WIDTH)
            at, around = self._centre, slice(self._centre - 1, self._centre + 2)
            parts = [square[:, at, at], square[:, around, around].mean(dim=(1, 2)), *parts]
        summary = torch.cat(parts, dim=1)
        return self._map(functional.layer_norm(summary, summary.shape[1:], *self._norm))


def _in_token_order(x: Tensor) -> Tensor:
    """The last dimension, summaries in quarters (4, 16), as summaries in (16, 4)."""
    return x.view(*x.shape[:-1], -1, QUARTERS, PART).transpose(-1, -2).flatten(-3)


def fold_head(head: nn.Module, architecture: Architecture) -> FlatHead | FoldedSummary:
    """The head as few operations on fused features (b, token, 64) in the tokens' own order."""
    if isinstance(head, PublishedHead):
        weight = head.second.weight.double() @ head.first.weight.double()
        bias = head.second.weight.double() @ head.first.bias.double() + head.second.bias.double()
        return _flat(weight, bias, head.first.weight.dtype, architecture.window)
    if isinstance(head, LinearHead):
        return _flat(head.map.weight, head.map.bias, head.map.weight.dtype, architecture.window)
    if isinstance(head, CentreHead | PooledHead):
        return FoldedSummary(head, architecture.window, centre=isinstance(head, CentreHead))
    raise TypeError(f"there is no fold for a {type(head).__name__}")


def _flat(weight: Tensor, bias: Tensor, dtype: torch.dtype, window: int) -> FlatHead:
    """From the order of finer rows and columns to that of tokens: the inverse of `flattened`."""
    classes = len(weight)
    fine = weight.view(classes, window, 2, window, 2, 16)
    # (class, row, i, column, j, number) to (class, row, column, number, i, j).
    by_token = fine.permute(0, 1, 3, 5, 2, 4).reshape(classes, -1)
    return FlatHead(Dense(by_token.to(dtype), bias.to(dtype)))
