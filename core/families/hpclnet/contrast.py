"""The contrastive loss between hyper-pixels (InfoNCE, arXiv 1807.03748), in a stable form."""

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.1
LEAST_KEYS = 64
"""Fewer negative keys than this say too little; the loss is then 0."""


def contrastive_loss(
    queries: Tensor,
    own: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """The mean over queries i and positives p of log(1 + Σ_n exp(z_i·k_n/τ) / exp(z_i·k_p/τ)).

    `queries` (a, d) are unit vectors, `own` (a, d) each one's positive of its own, `positives`
    (p, d) and `negatives` (n, d) those of all. Float32; keys have no gradient. Without queries or
    with fewer than `LEAST_KEYS` negatives it is 0, with a gradient of 0.
    """
    z = queries.float()
    if not len(z) or len(negatives) < LEAST_KEYS:
        return 0.0 * z.sum()
    keys = [one.detach().float() for one in (own, positives, negatives)]
    against = torch.logsumexp(z @ keys[2].T / temperature, 1, keepdim=True)
    alike = torch.cat([(z * keys[0]).sum(1, keepdim=True), z @ keys[1].T], 1) / temperature
    return F.softplus(against - alike).mean()


def contrastive_loss_ref(
    queries: Tensor,
    own: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """The same as it is written down, pair by pair."""
    terms = []
    for z, key in zip(queries, own, strict=True):
        against = sum(torch.exp(z @ k / temperature) for k in negatives)
        for positive in (key, *positives):
            alike = torch.exp(z @ positive / temperature)
            terms.append(-torch.log(alike / (alike + against)))
    return torch.stack(terms).mean()
