"""DAS²F for inference: the same answer from fewer and larger operations.

Everything linear that follows something linear is multiplied out once, in float64:

- enlarging MS and its embedding: a 3×3 convolution of the window with repeated edges;
- both maps of PAN: one map of the pixels of a token;
- a norm's gain and offset: into the map that follows;
- batch norm: into its convolution, which is a map of tokens when the finer grid is never made;
- the two maps to raw Δ, and those to B and C: one map 64 → 448 for each mixer;
- the head: one map.

On a processor, windows go through in batches that fit its cache, several batches in threads.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import torch
from torch import Tensor

from ...nn.backends import choose
from .folded_ends import fold_head, fold_lift
from .folded_level import FoldedLevel
from .fusion import Fusion
from .lift import WIDTH
from .mixers import STATES, Level
from .network import Das2f
from .precision import Precision
from .tokens import FusionWeights
from .tokens_numba import choose_tokens

logger = logging.getLogger(__name__)

TOKENS_AT_ONCE = 2048
"""Tokens in a batch on a processor: 8 windows of 16×16, or 32 of 8×8."""


class FoldedDas2f:
    """The logits of a trained network, fast; on the network's device and in its precision.

    The network is read once; later changes of its weights are not seen. `reasons` says which
    implementations were chosen and why, as sentences for the log.
    """

    def __init__(
        self, model: Das2f, scan: str = "auto", say: Callable[[str], None] = logger.info
    ) -> None:
        """Fold `model` as it is in evaluation; `scan` names a backend of `nn/backends.py`.

        On a card, `say` is told after the first windows whether it goes on in bf16.

        Raises:
            InputError: that backend does not work here.
        """
        parameter = next(model.parameters())
        choice = choose(parameter.device, parameter.dtype, WIDTH, STATES, scan)
        self._tokens, reason = choose_tokens(parameter.device, parameter.dtype)
        self.reasons = (choice.reason, reason)
        self._architecture = model.architecture
        self._device = parameter.device
        with torch.no_grad():
            self._lift = fold_lift(model.lift)
            self._levels = [
                FoldedLevel(
                    cast(Level, level), model.architecture.window, choice.kernel, self._tokens
                )
                for level in model.levels
            ]
            self._fusions = [_fold_fusion(cast(Fusion, fusion)) for fusion in model.fusions]
            self._head = fold_head(model.head, model.architecture)
        self._pool: ThreadPoolExecutor | None = None
        may_halve = self._device.type == "cuda" and parameter.dtype == torch.float32
        self._precision = Precision(self._device, say) if may_halve else None

    def __call__(self, ms: Tensor, pan: Tensor) -> Tensor:
        """As `logits`."""
        return self.logits(ms, pan)

    def logits(self, ms: Tensor, pan: Tensor) -> Tensor:
        """Logits (b, class) of windows as `Das2f.forward` takes them, any number at once.

        A processor works with as many threads as torch may use.
        """
        if self._precision is not None:
            return self._precision(self._batch, ms, pan)
        if self._device.type != "cpu":
            return self._batch(ms, pan)
        step = max(1, TOKENS_AT_ONCE // self._architecture.tokens)
        parts = [(ms[i : i + step], pan[i : i + step]) for i in range(0, len(ms), step)]
        threads = min(torch.get_num_threads(), len(parts))
        if threads <= 1:
            answers: Iterator[Tensor] = (self._batch(*part) for part in parts)
        else:
            answers = self._threads().map(lambda part: self._batch(*part), parts)
        return torch.cat([ms.new_empty(0, self._architecture.classes), *answers])

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            # Parallel batches share less than parallel operations: each thread is on its own.
            self._pool = ThreadPoolExecutor(
                torch.get_num_threads(), "das2f", lambda: torch.set_num_threads(1)
            )
        return self._pool

    @torch.inference_mode()
    def _batch(self, ms: Tensor, pan: Tensor) -> Tensor:
        common_ms, common_pan = self._lift(ms, pan)
        features = []
        for level in self._levels:
            features.append(level(common_ms, common_pan))
            common_ms, common_pan = features[-1][2:]
        fused = (common_ms + common_pan) / 2
        for fusion, of_level in reversed(list(zip(self._fusions, features, strict=True))):
            fused = self._tokens.fused(of_level, fused, fusion)
        return self._head(fused.view(len(ms), -1, WIDTH))


def _fold_fusion(fusion: Fusion) -> FusionWeights:
    gates = (fusion.modalities.map, fusion.common.map)
    return FusionWeights(
        fusion.kind,
        fusion.norm.weight.detach(),
        fusion.norm.bias.detach(),
        torch.stack([gate.weight.T for gate in gates]).contiguous(),
        torch.stack([gate.bias for gate in gates]),
    )
