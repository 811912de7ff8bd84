"""Probabilities on held-out ground, counted by threshold."""

import numpy as np
import pytest
from terraweave.core.segmentation.judging import BINS, Histogram


def histogram(seed: int) -> tuple[Histogram, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random((50, 50)) < 0.3
    probabilities = np.clip(random.normal(0.4 + 0.2 * truth, 0.1), 0, 0.999).astype(np.float32)
    found = Histogram()
    found.add(probabilities, truth, np.ones_like(truth))
    return found, probabilities, truth


@pytest.mark.parametrize("seed", range(5))
def test_the_chosen_threshold_scores_on_the_map_what_it_scored_when_chosen(seed: int) -> None:
    found, probabilities, truth = histogram(seed)
    best = found.best_threshold
    assert best * BINS == pytest.approx(round(best * BINS))
    mapped = probabilities >= np.float32(best)
    assert found.iou(best) == pytest.approx((mapped & truth).sum() / (mapped | truth).sum())
    others = [found.iou(step) or 0.0 for step in np.arange(20, 181) / BINS]
    assert found.iou(best) >= max(others) - 1e-3
