"""AALF, attention-aware linear fusion: dominant and common features become one.

Features are fused in four quarters of 16 numbers for each token: (b, row, column, 4, 16). That
is the published pixel shuffle by two, without moving anything: quarter 2i + j is what the
shuffle puts at row 2r + i and column 2c + j.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .lift import WIDTH

QUARTERS = 4
PART = WIDTH // QUARTERS


def quartered(x: Tensor) -> Tensor:
    """Tokens (b, row, column, 64) as (b, row, column, 4, 16)."""
    return x.view(*x.shape[:-1], PART, QUARTERS).transpose(-1, -2)


class Gate(nn.Module):
    """G = σ(W [a; b] + bias), one number in 0…1 for each number of a."""

    def __init__(self) -> None:
        """One map from both inputs."""
        super().__init__()
        self.map = nn.Linear(2 * PART, PART)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The gate of two tensors (…, 16); their concatenation is never made."""
        of_a, of_b = torch.split(self.map.weight, PART, dim=1)
        return torch.sigmoid(functional.linear(a, of_a, self.map.bias) + functional.linear(b, of_b))


class Fusion(nn.Module):
    """Fuses MS with PAN, and the result with what both have in common."""

    kind = ""

    def __init__(self) -> None:
        """Two gates and one norm over 16 numbers for all uses."""
        super().__init__()
        self.norm = nn.LayerNorm(PART)
        self.modalities = Gate()
        self.common = Gate()

    def forward(self, ms: Tensor, pan: Tensor, common: Tensor) -> Tensor:
        """Fused features; all are (b, row, column, 4, 16)."""
        raise NotImplementedError


class PublishedFusion(Fusion):
    """fuse(a, b) = mean(a · G) · b over normalised features, as published.

    The published outer product of the two, followed by a mean over one side, is this product.
    """

    kind = "published"

    def forward(self, ms: Tensor, pan: Tensor, common: Tensor) -> Tensor:
        """Fused features; all are (b, row, column, 4, 16)."""
        x = _product(self.modalities, self.norm(ms), self.norm(pan))
        return _product(self.common, self.norm(x), self.norm(common))


def _product(gate: Gate, a: Tensor, b: Tensor) -> Tensor:
    gated: Tensor = a * gate(a, b)
    return gated.mean(-1, keepdim=True) * b


class ConvexFusion(Fusion):
    """A weighted mean, G · a + (1 − G) · b; norms are seen by the gates only.

    Our departure from the published code: there LN(s · v) leaves little more than the sign of s,
    so that one per cent of the positions carries nearly all of the gradient. This is what the
    paper's abstract describes, with the same number of parameters.
    """

    kind = "convex"

    def forward(self, ms: Tensor, pan: Tensor, common: Tensor) -> Tensor:
        """Fused features; all are (b, row, column, 4, 16)."""
        x = torch.lerp(pan, ms, self.modalities(self.norm(ms), self.norm(pan)))
        return torch.lerp(common, x, self.common(self.norm(x), self.norm(common)))


FUSIONS: dict[str, type[Fusion]] = {one.kind: one for one in (PublishedFusion, ConvexFusion)}
