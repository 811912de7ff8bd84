"""Contrastive learning between hyper-pixels: anchors, keys, queues and the momentum encoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...nn.blocks import normalised
from .contrast import TEMPERATURE, contrastive_loss
from .hyperpixels import (
    BACK_EDGE as KIND_BACK_EDGE,
    BACK_FAR as KIND_BACK_FAR,
    SLIDE_EDGE,
    SLIDE_INNER,
    anchors,
    chosen_cells,
    hyperpixel_kinds,
)
from .momentum import Embedder, MomentumEncoder, momentum_for
from .network import HpclNet, Projector
from .queues import BACK_EDGE, BACK_FAR, SIZES, SLIDE, Queues

MODES = ("full", "queues", "batch")
_PER_WINDOW = 16
# Kind → the queue it goes to, and how many a window may give.
_TAKEN = (
    (SLIDE, SLIDE_EDGE, 3 * _PER_WINDOW // 4),
    (SLIDE, SLIDE_INNER, _PER_WINDOW // 4),
    (BACK_EDGE, KIND_BACK_EDGE, _PER_WINDOW),
    (BACK_FAR, KIND_BACK_FAR, _PER_WINDOW),
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """How strongly (λ) and with what hyper-pixels are compared.

    `mode` is `full`, or less for comparison: `queues` without a momentum encoder, `batch` without
    queues as well. `edge_share` of the anchors lie at boundaries; None takes them as they come.
    With `both`, half of the anchors are background, pulled to background. `sizes` tells how many
    keys each queue holds.
    """

    weight: float = 0.1
    mode: str = "full"
    edge_share: float | None = 0.75
    both: bool = False
    anchors: int = 256
    temperature: float = TEMPERATURE
    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)


class HyperpixelLearning:
    """The state of the contrastive learning through a training."""

    def __init__(self, network: HpclNet, contrast: Contrast, steps: int) -> None:
        """`steps` of the whole training decide how slow the momentum encoder is."""
        architecture = network.architecture
        device = next(network.parameters()).device
        self._stride = network.fused_stride
        self._contrast = contrast
        self.projector = Projector(network.fused_channels, architecture.embedding)
        normalised(self.projector, architecture.normalisation)
        self.projector.to(device)
        self._embedder = Embedder(network, self.projector)
        self._slow = (
            MomentumEncoder(self._embedder, momentum_for(steps))
            if contrast.mode == "full"
            else None
        )
        self.queues = Queues(architecture.embedding, contrast.sizes, device)
        self._fresh: dict[str, Tensor] | None = None

    def loss(
        self,
        fused: Tensor,
        again: Tensor,
        target: Tensor,
        labelled: Tensor,
        random: torch.Generator,
    ) -> Tensor:
        """The contrastive loss of one batch; its keys wait for `stepped`.

        `fused` (b, channel, row/s, column/s) are the network's features, `again` the same windows
        (b, channel, row, column) in another light, `target` and `labelled` (b, row, column).
        """
        contrast = self._contrast
        kinds = hyperpixel_kinds(target, labelled, self._stride)
        queries = _rows(self.projector(fused))
        keys = _rows(self._keys(again))
        self._fresh = _taken(keys, kinds, random)
        slides, background = self._bank()

        def side(kind: tuple[int, int], count: int, positives: Tensor, negatives: Tensor) -> Tensor:
            chosen = anchors(kinds, count, contrast.edge_share, random, kind)
            return contrastive_loss(
                queries[chosen], keys[chosen], positives, negatives, contrast.temperature
            )

        slide, back = (SLIDE_EDGE, SLIDE_INNER), (KIND_BACK_EDGE, KIND_BACK_FAR)
        if not contrast.both:
            return side(slide, contrast.anchors, slides, background)
        half = contrast.anchors // 2
        return (side(slide, half, slides, background) + side(back, half, background, slides)) / 2

    def forget(self) -> None:
        """Drop keys that wait for a step that never came."""
        self._fresh = None

    def stepped(self) -> None:
        """After a step of the optimiser: the momentum encoder follows, the queues take the keys."""
        if self._slow:
            self._slow.follow()
        if self._fresh is not None and self._contrast.mode != "batch":
            self.queues.push(self._fresh)
        self._fresh = None

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed training needs."""
        parts = {"projector.": self.projector.state_dict(), "queues.": self.queues.state()}
        if self._slow:
            parts["slow."] = self._slow.state()
        return {
            prefix + key: value.detach().cpu().clone()
            for prefix, part in parts.items()
            for key, value in part.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self.projector.load_state_dict(part("projector."))
        self.queues.restore(part("queues."))
        if self._slow:
            self._slow.restore(part("slow."))

    @torch.no_grad()
    def _keys(self, values: Tensor) -> Tensor:
        keys: Tensor = self._slow.keys(values) if self._slow else self._embedder(values)
        return keys

    def _bank(self) -> tuple[Tensor, Tensor]:
        """The positive and negative keys of all: those of the queues, or of this batch."""
        if self._contrast.mode == "batch" and self._fresh is not None:
            fresh = self._fresh
            return fresh[SLIDE], torch.cat([fresh[BACK_EDGE], fresh[BACK_FAR]])
        return self.queues.positives, self.queues.negatives


def _rows(vectors: Tensor) -> Tensor:
    """(b, d, row, column) as (b·row·column, d), in the order of the flattened kinds."""
    return vectors.permute(0, 2, 3, 1).flatten(0, 2)


def _taken(keys: Tensor, kinds: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """The keys of a batch that each queue takes."""
    found: dict[str, list[Tensor]] = {}
    for queue, kind, count in _TAKEN:
        places = chosen_cells(kinds, (kind,), count * len(kinds), count, random)
        found.setdefault(queue, []).append(keys[places])
    return {queue: torch.cat(parts) for queue, parts in found.items()}
