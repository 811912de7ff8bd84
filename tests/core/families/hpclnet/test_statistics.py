"""Scaling: by training statistics, clipped relative elevation, nothing from missing pixels."""

import math

import torch
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.families.hpclnet.statistics import Statistics
from terraweave.core.families.hpclnet.view import RELATIVE

STATISTICS = Statistics(torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0]), 5.0)


def test_the_image_is_standardised_and_relative_elevation_clipped() -> None:
    values = torch.zeros(1, 7, 1, 3)
    values[0, 0, 0] = torch.tensor([10.0, 12.0, 6.0])
    values[0, 1, 0] = 28.0
    values[0, 2 + RELATIVE, 0] = torch.tensor([5.0, 99.0, -99.0])
    values[0, 3:, 0] = 0.25
    seen = STATISTICS.standardised(values, torch.ones(1, 1, 3, dtype=torch.bool))[0, :, 0]
    torch.testing.assert_close(seen[0], torch.tensor([0.0, 1.0, -2.0]))
    torch.testing.assert_close(seen[1], torch.full((3,), 2.0))
    torch.testing.assert_close(seen[2], torch.tensor([1 / 3, 1.0, -1.0]))
    torch.testing.assert_close(seen[3:], torch.full((4, 3), 0.25))


def test_missing_pixels_are_0_whatever_stands_there() -> None:
    values = torch.full((1, 7, 2, 2), math.nan)
    seen = STATISTICS.standardised(values, torch.zeros(1, 2, 2, dtype=torch.bool))
    assert bool((seen == 0).all())


def test_statistics_of_channels_and_of_a_card_are_the_same() -> None:
    mean, std = torch.arange(7.0), torch.arange(1.0, 8.0)
    found = Statistics.of_channels(mean, std, 2)
    card = Card(
        family="hpclnet",
        name="slides",
        inputs=(
            CardInput("IMAGE", (Band("a"), Band("b")), (0.0, 1.0), (1.0, 2.0), 0.5),
            CardInput("DEM", (Band("height"),), (0.0,), (3.0,), 1.0),
        ),
        classes=(MapClass(1, "Relic landslide", "#c0392b"),),
        window=128,
        overlap=64,
        architecture={},
    )
    kept = Statistics.of_card(card)
    torch.testing.assert_close(kept.mean, found.mean)
    torch.testing.assert_close(kept.std, found.std)
    assert kept.relief == found.relief == 3.0
