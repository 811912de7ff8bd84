"""Whether half the precision (bf16) will do, decided on the first windows of a run.

Processors stay with float32: the wide maps win 12 to 19 % in bf16, casts included, which is a few
per cent of a network whose scan must stay in float32 (`benchmarks/das2f_inference.py` measures
it). Not yet run on a card.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

SAMPLE = 2048
"""Windows that are computed both ways."""

LEAST_AGREEMENT = 0.999

Logits = Callable[[Tensor, Tensor], Tensor]


class Precision:
    """Computes in bf16 once a sample had the classes of float32, and sooner."""

    def __init__(self, device: torch.device, say: Callable[[str], None]) -> None:
        """`say` is told what was decided, as a sentence."""
        self._device = device
        self._say = say
        self.reduced: bool | None = None
        """Whether bf16 is used; None while the sample grows."""
        self._seen = self._equal = 0
        self._seconds = [0.0, 0.0]

    def __call__(self, logits: Logits, ms: Tensor, pan: Tensor) -> Tensor:
        """The logits (n, class) of windows, float32."""
        if self.reduced is False:
            return logits(ms, pan)
        if self.reduced:
            return self._lower(logits, ms, pan)
        full, slow = self._timed(logits, ms, pan)
        low, fast = self._timed(lambda a, b: self._lower(logits, a, b), ms, pan)
        if self._seen:
            # The first batch pays for what is prepared on first use.
            self._seconds = [self._seconds[0] + slow, self._seconds[1] + fast]
        self._equal += int((full.argmax(1) == low.argmax(1)).sum())
        before, self._seen = self._seen, self._seen + len(ms)
        if before and self._seen >= SAMPLE:
            self._decide()
        return full

    def _lower(self, logits: Logits, ms: Tensor, pan: Tensor) -> Tensor:
        with torch.autocast(self._device.type, torch.bfloat16):
            return logits(ms, pan).float()

    def _timed(self, logits: Logits, ms: Tensor, pan: Tensor) -> tuple[Tensor, float]:
        start = time.perf_counter()
        answer = logits(ms, pan)
        # A card is asked for the answer before the clock is read.
        answer.sum().item()
        return answer, time.perf_counter() - start

    def _decide(self) -> None:
        agreement = self._equal / self._seen
        slow, fast = self._seconds
        self.reduced = agreement >= LEAST_AGREEMENT and fast < slow
        found = (
            f"in bf16, {agreement:.2%} of {self._seen} windows have the class of float32, in "
            f"{fast / max(slow, 1e-9):.0%} of the time"
        )
        verdict = "bf16" if self.reduced else "float32"
        self._say(f"Precision: {verdict}; {found}.")
