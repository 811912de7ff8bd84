"""Hyper-pixels: cells of the fused feature map, what lies in them, and which take part.

Our reading of arXiv 2308.01251: a cell is landslide or background by the share of its pixels, and
at a boundary where a neighbour is not clearly the same.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

AMBIGUOUS, SLIDE_EDGE, SLIDE_INNER, BACK_EDGE, BACK_FAR = range(5)
"""The kinds: mixed or unseen cells, landslide at its boundary and inside (LB, LI), background at a
boundary and far from it (BB, BF)."""

LEAST_COVER = 0.5
LEAST_SLIDE = 0.6
MOST_BACK = 0.1


def hyperpixel_kinds(target: Tensor, valid: Tensor, stride: int) -> Tensor:
    """The kind of every cell (b, row/stride, column/stride) as int64.

    `target` (b, row, column) is 0 to 1, `valid` says where it counts. Shares come from the means of
    both: picking single pixels would lose small landslides. The window's edge is no boundary.
    """
    known = valid.float()
    cover = F.avg_pool2d(known[:, None], stride)[:, 0]
    slide = F.avg_pool2d((target * known)[:, None], stride)[:, 0]
    share = slide / cover.clamp(min=1e-6)
    usable = cover >= LEAST_COVER
    landslide = usable & (share >= LEAST_SLIDE)
    background = usable & (share <= MOST_BACK)
    kinds = torch.full(share.shape, AMBIGUOUS, dtype=torch.int64, device=share.device)
    kinds[landslide] = SLIDE_INNER
    kinds[landslide & _beside(usable & (share < LEAST_SLIDE))] = SLIDE_EDGE
    kinds[background] = BACK_FAR
    kinds[background & _beside(usable & (share > MOST_BACK))] = BACK_EDGE
    return kinds


def _beside(cells: Tensor) -> Tensor:
    """Which cells have one of `cells` among their 3×3."""
    return F.max_pool2d(cells.float()[:, None], 3, 1, 1)[:, 0] > 0


def chosen_cells(
    kinds: Tensor, wanted: tuple[int, ...], most: int, per_window: int, random: torch.Generator
) -> Tensor:
    """Up to `most` cells of the `wanted` kinds, as sorted places in the flattened `kinds`.

    No window (the first axis) gives more than `per_window`, and all give about the same number.
    """
    flat = kinds.flatten(1).cpu()
    lots = torch.rand(flat.shape, generator=random)
    fits = torch.isin(flat, torch.tensor(wanted))
    # The rank of each cell among those of its window, in the order of its lot.
    order = torch.where(fits, lots, 2.0).argsort(1)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(flat.shape[1]).expand_as(order).contiguous()
    )
    places = torch.nonzero((fits & (rank < per_window)).flatten())[:, 0]
    first = (rank + lots).flatten()[places].argsort()
    return places[first[:most]].sort().values.to(kinds.device)


def anchors(
    kinds: Tensor,
    most: int,
    edge_share: float | None,
    random: torch.Generator,
    sides: tuple[int, int] = (SLIDE_EDGE, SLIDE_INNER),
) -> Tensor:
    """Cells that are pulled to their like: `edge_share` of `most` at boundaries.

    `sides` are the kinds at boundaries and elsewhere, of landslide or of background. `edge_share`
    None takes cells as they come. Balanced over the windows. What one kind cannot fill is not given
    to the other.
    """
    windows = max(1, kinds.shape[0])

    def some(wanted: tuple[int, ...], count: int) -> Tensor:
        return chosen_cells(kinds, wanted, count, max(1, -(-2 * count // windows)), random)

    if edge_share is None:
        return some(sides, most)
    edge = round(edge_share * most)
    return torch.cat([some(sides[:1], edge), some(sides[1:], most - edge)])
