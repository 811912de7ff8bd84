"""The steps between matrix products, compiled; chosen where numba works and agrees with torch."""

import logging
from functools import cache

import torch
from torch import Tensor

from .tokens import FusionWeights, LocalWeights, Tokens, TorchTokens

logger = logging.getLogger(__name__)
_TOLERANCE = 1e-5


class NumbaTokens:
    """`TorchTokens` for float32 on the processor; tensors must be contiguous."""

    def __init__(self) -> None:
        """Imports numba; compilation waits for first use."""
        from . import token_loops

        self._loops = token_loops

    def normalised(self, x: Tensor) -> Tensor:
        """As `TorchTokens.normalised`."""
        out = torch.empty_like(x)
        self._loops.normalised(x.view(-1, x.shape[-1]).numpy(), out.view(-1, x.shape[-1]).numpy())
        return out

    def gated(self, y: Tensor, gates: Tensor, first: int, gain: Tensor, offset: Tensor) -> Tensor:
        """As `TorchTokens.gated`."""
        out = torch.empty_like(y)
        y_, gates_, gain_, offset_, out_ = (x.numpy() for x in (y, gates, gain, offset, out))
        self._loops.gated(y_, gates_, first, gain_, offset_, out_)
        return out

    def local(self, x: Tensor, weights: LocalWeights) -> Tensor:
        """As `TorchTokens.local`."""
        out = torch.empty_like(x)
        self._loops.local(*(part.numpy() for part in (x, *weights, out)))
        return out

    def fused(self, features: tuple[Tensor, ...], common: Tensor, weights: FusionWeights) -> Tensor:
        """As `TorchTokens.fused`."""
        out = torch.empty_like(common)
        fusion = self._loops.FUSIONS[weights.kind]
        fusion(*(part.numpy() for part in (*features, common, *weights[1:], out)))
        return out


def choose_tokens(device: torch.device, dtype: torch.dtype) -> tuple[Tokens, str]:
    """The steps for this device and precision, and the reason as a sentence."""
    if device.type != "cpu" or dtype != torch.float32:
        return (
            TorchTokens(),
            f"Steps between matrix products: plain torch ({device.type}, {dtype}).",
        )
    return _checked()


@cache
def _checked() -> tuple[Tokens, str]:
    try:
        compiled = NumbaTokens()
        difference = self_check(compiled)
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    else:
        # The negated form also refuses NaN.
        if difference < _TOLERANCE:
            return compiled, "Steps between matrix products: compiled by numba."
        reason = f"the self-check differs by {difference:.1e}"
    sentence = f"Steps between matrix products: plain torch, not compiled ({reason})."
    logger.info(sentence)
    return TorchTokens(), sentence


def self_check(tokens: Tokens) -> float:
    """The largest difference from plain torch on random numbers, relative to the largest value."""
    exact = _every_step(TorchTokens(), torch.float64)
    differences = [
        ((ours - other).abs().max() / other.abs().max()).item()
        for ours, other in zip(_every_step(tokens, torch.float32), exact, strict=True)
    ]
    return max(differences, key=lambda value: (value != value, value))


def _every_step(tokens: Tokens, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(24)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    windows, rows, columns = 2, 3, 5
    count = windows * rows * columns
    features = tuple(normal(count, 64) for _ in range(4))
    gates, common = normal(count, 128), normal(count, 64)
    gain, offset = normal(64), normal(64)
    local = LocalWeights(gain, offset, normal(4, 9), normal(4))
    fusion = (normal(16), normal(16), normal(2, 32, 16), normal(2, 16))
    return [
        tokens.normalised(features[0]),
        tokens.gated(features[0], gates, 64, gain, offset),
        tokens.local(normal(windows, rows, columns, 64), local),
        *(
            tokens.fused(features, common, FusionWeights(k, *fusion))
            for k in ("convex", "published")
        ),
    ]
