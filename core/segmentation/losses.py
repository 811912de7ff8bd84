"""The loss of a segmentation: cross-entropy and overlap, over what is labelled."""

import torch
import torch.nn.functional as F
from torch import Tensor

_DICE_WEIGHT = 0.5
_SMOOTH = 1.0


def segmentation_loss(
    logits: Tensor, target: Tensor, labelled: Tensor, positive_weight: float = 1.0
) -> Tensor:
    """Binary cross-entropy plus half of Dice, a scalar in float32.

    `logits`, `target` (0 to 1, soft where the truth is) and `labelled` (bool) are (b, row,
    column); only labelled pixels count. `positive_weight` raises the class in the cross-entropy.
    Dice is taken over the whole batch, and left out where the batch has no pixel of the class:
    nothing can overlap then. Without any labelled pixel the loss is 0 and has a gradient of 0.
    """
    logits = logits.float()
    weight = labelled.float()
    count = weight.sum()
    if not bool(count > 0):
        return 0.0 * logits.sum()
    target = target.float() * weight
    entropy = F.binary_cross_entropy_with_logits(
        logits, target, reduction="none", pos_weight=logits.new_tensor(positive_weight)
    )
    loss = (entropy * weight).sum() / count
    if bool(target.sum() > 0):
        loss = loss + _DICE_WEIGHT * dice_loss(torch.sigmoid(logits) * weight, target)
    return loss


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """One minus the Dice overlap of all pixels given, smoothed by one pixel."""
    shared = (probability * target).sum()
    return 1.0 - (2.0 * shared + _SMOOTH) / (probability.sum() + target.sum() + _SMOOTH)
