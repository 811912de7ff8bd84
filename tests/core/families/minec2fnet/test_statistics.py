"""What is noticed of images that are written in another order than the model's."""

import numpy as np
import pytest
from affine import Affine
from terraweave.core.card import Band, CardInput
from terraweave.core.families.minec2fnet.statistics import order_doubt, warn_of_other_order
from terraweave.core.progress import Event, Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.segmentation.sites import Site

NAMES = ("blue", "green", "red", "nir")
KNOWN = np.array([500.0, 800.0, 900.0, 3000.0])


def told(*means: float) -> str:
    """What is said of an image with bands of these means."""
    return order_doubt("the image", np.array(means), KNOWN, NAMES)


def test_another_order_is_noticed_and_the_fitting_one_named() -> None:
    sentence = told(2800, 850, 790, 520)
    assert "another order than blue, green, red, nir, which the model takes them for" in sentence
    assert "the order 4, 3, 2, 1 would fit far better" in sentence


@pytest.mark.parametrize(
    "means",
    [
        pytest.param((500, 800, 900, 3000), id="the same"),
        pytest.param((0.05, 0.08, 0.09, 0.3), id="other units"),
        pytest.param((1100, 1500, 1900, 2300), id="bare ground"),
        pytest.param((900, 800, 500, 200), id="water"),
        pytest.param((500, 800, 900, 0), id="an empty band"),
    ],
)
def test_other_landscapes_and_units_are_no_other_order(means: tuple[float, ...]) -> None:
    assert told(*means) == ""


def test_two_bands_and_very_many_are_left_alone() -> None:
    assert order_doubt("x", KNOWN[:2], KNOWN[1::-1], NAMES[:2]) == ""
    assert order_doubt("x", np.arange(1.0, 13), np.arange(12.0, 0, -1), ["b"] * 12) == ""


@pytest.mark.parametrize("named", [False, True])
def test_bands_with_names_are_believed(named: bool) -> None:
    shape = Shape(4, 4)
    grid = Grid("", Affine.scale(10), shape)
    values = np.ones((4, 4, 4), np.float32) * KNOWN[::-1, None, None].astype(np.float32)
    site = Site("reversed", grid, values, np.ones((4, 4), bool), np.zeros((4, 4), np.uint8))
    bands = tuple(Band(name) for name in NAMES)
    known = CardInput("IMAGE", bands, tuple(KNOWN.tolist()), (1.0,) * 4, 10.0)
    events: list[Event] = []
    warn_of_other_order([site], [named], known, Progress(events.append))
    assert len(events) == (0 if named else 1)
    assert all("the bands of reversed seem to be" in str(one["text"]) for one in events)
