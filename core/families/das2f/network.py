"""The DAS²F network: the class of a pixel from an MS and a PAN window around it.

Source: "A Diff-Attention Aware State Space Fusion Model for Remote Sensing Image
Classification", arXiv 2504.16665. `Architecture.published` gives the network of the paper; where
other options depart from it, their classes say how and why.
"""

from torch import Tensor, nn

from .architecture import Architecture
from .fusion import FUSIONS, quartered
from .heads import HEADS
from .lift import Lift
from .mixers import Level

__all__ = ["Architecture", "Das2f"]


class Das2f(nn.Module):
    """Logits from both windows of a pixel.

    `scan` names the backend of the selective scan (`nn/backends.py`); "auto" is the fastest that
    works here.
    """

    def __init__(self, architecture: Architecture, scan: str = "auto") -> None:
        """A fresh network with random weights from torch's global generator."""
        super().__init__()
        self.architecture = architecture
        self.scan = scan
        self.lift = Lift(architecture.ms_bands, architecture.ratio)
        self.levels = nn.ModuleList(Level() for _ in range(architecture.levels))
        fusion = FUSIONS[architecture.fusion]
        self.fusions = nn.ModuleList(fusion() for _ in range(architecture.levels))
        self.head = HEADS[architecture.head](architecture)

    def forward(self, ms: Tensor, pan: Tensor) -> Tensor:
        """Logits (b, class).

        Args:
            ms: (b, band, window, window), standardised by the training set's mean and deviation.
            pan: (b, 1, window · ratio, window · ratio), standardised, of the same ground.
        """
        common_ms, common_pan = self.lift(ms, pan)
        dominant = []
        for level in self.levels:
            features = level(common_ms, common_pan, self.scan)
            common_ms, common_pan = features.common_ms, features.common_pan
            dominant.append((quartered(features.dominant_ms), quartered(features.dominant_pan)))
        fused = quartered((common_ms + common_pan) / 2)
        for fusion, (of_ms, of_pan) in reversed(list(zip(self.fusions, dominant, strict=True))):
            fused = fusion(of_ms, of_pan, fused)
        logits: Tensor = self.head(fused)
        return logits
