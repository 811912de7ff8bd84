"""Closer windows only where they are needed: the same answer however the scene is cut."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from terraweave.core.families.das2f import apply
from terraweave.core.families.das2f.adaptive import Adaptive
from terraweave.core.families.das2f.agreement import Agreement, Checked
from terraweave.core.families.das2f.apply import predict
from terraweave.core.families.das2f.classifier import Block
from terraweave.core.progress import Event, Progress
from terraweave.core.results import Strip
from terraweave.core.scene.grid import Window

Pairs = Callable[..., Any]


class MadeUpPixels:
    """Stands for scene and network: the class of every pixel is known, and asking is counted."""

    classes = 3

    def __init__(self, truth: NDArray[np.int64], valid: NDArray[np.bool_] | None = None) -> None:
        """`truth` (row, column) has the class of each pixel."""
        self._truth = truth
        self._valid = np.ones(truth.shape, bool) if valid is None else valid
        self._window = Window(0, 0, 0, 0)
        self.asked: NDArray[np.int64] = np.zeros(truth.shape, np.int64)

    def block(self, window: Window) -> tuple[Block, NDArray[np.bool_]]:
        """Remember the window; what lies outside the scene is mirrored by clipping here."""
        self._window = window
        return None, self._valid[self._places(window)]  # type: ignore[return-value]

    def _places(self, window: Window) -> tuple[NDArray[np.intp], ...]:
        rows = np.arange(window.row, window.end_row).clip(0, self._truth.shape[0] - 1)
        columns = np.arange(window.column, window.end_column).clip(0, self._truth.shape[1] - 1)
        return np.ix_(rows, columns)

    def probabilities(
        self, _block: Block, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Nearly everything for the true class."""
        row, column = rows + self._window.row, columns + self._window.column
        np.add.at(self.asked, (row, column), 1)
        result = np.full((len(rows), 3), 0.01, np.float32)
        result[np.arange(len(rows)), self._truth[row, column]] = 0.98
        return result


def mapped(pixels: MadeUpPixels, region: Window, rows: int, columns: int) -> NDArray[np.float32]:
    """The probabilities of the region, block after block."""
    mode = Adaptive(pixels, region)  # type: ignore[arg-type]
    whole = np.zeros((region.rows, region.columns, 3), np.float32)
    for window in region.blocks(rows, columns):
        whole[window.shifted(-region.row, -region.column).slices] = mode(window).probabilities
    return whole


def halves(rows: int, columns: int, edge: int) -> NDArray[np.int64]:
    """Class 0 left of the column `edge`, class 1 from there on."""
    return np.broadcast_to(np.arange(columns) >= edge, (rows, columns)).astype(np.int64)


def test_one_class_needs_an_eighth_of_the_windows() -> None:
    pixels = MadeUpPixels(np.zeros((65, 65), np.int64))
    result = mapped(pixels, Window(0, 0, 65, 65), 128, 128)
    assert (result.argmax(axis=2) == 0).all()
    assert int((pixels.asked > 0).sum()) == 17 * 17 + 16 * 16


def test_straight_edge_is_found_to_the_pixel_where_it_is_looked_for() -> None:
    truth = halves(65, 65, 30)
    pixels = MadeUpPixels(truth)
    result = mapped(pixels, Window(0, 0, 65, 65), 128, 128)
    np.testing.assert_array_equal(result.argmax(axis=2), truth)
    assert pixels.asked.max() == 1
    assert (pixels.asked > 0).mean() < 0.2


def test_no_pixel_is_classified_for_two_blocks() -> None:
    random = np.random.default_rng(1)
    pixels = MadeUpPixels(np.kron(random.integers(0, 3, (12, 12)), np.ones((7, 7), np.int64)))
    mapped(pixels, Window(0, 0, 84, 84), 32, 24)
    assert pixels.asked.max() == 1


@pytest.mark.parametrize("seed", range(4))
def test_answer_does_not_depend_on_the_blocks(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.kron(random.integers(0, 3, (9, 11)), np.ones((5, 7), np.int64))
    valid = random.random(truth.shape) > 0.02
    region = Window(3, 2, 39, 70)
    whole = mapped(MadeUpPixels(truth, valid), region, 128, 128)
    for rows, columns in ((4, 8), (12, 4), (8, 128)):
        parts = mapped(MadeUpPixels(truth, valid), region, rows, columns)
        np.testing.assert_array_equal(parts, whole)


def test_an_object_of_one_pixel_is_found_on_the_first_lattice_alone() -> None:
    truth = np.zeros((33, 33), np.int64)
    truth[7, 6] = 2
    result = mapped(MadeUpPixels(truth), Window(0, 0, 33, 33), 64, 64)
    assert (result.argmax(axis=2) == 0).all()
    truth[7, 6], truth[8, 8] = 0, 2
    result = mapped(MadeUpPixels(truth), Window(0, 0, 33, 33), 64, 64)
    np.testing.assert_array_equal(result.argmax(axis=2), truth)


def test_adaptive_map_of_images_agrees_with_the_exact_one_as_it_says(
    pair: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One draw in twenty lies outside its interval; this one does not.
    scene = pair(48, 52)
    told: list[Event] = []
    predict(scene.job("exact", mode="exact"), Progress())
    values = predict(scene.job("adaptive", mode="adaptive"), Progress(told.append))
    monkeypatch.setattr(apply, "_BLOCK", (8, 12))
    predict(scene.job("blocks", mode="adaptive"), Progress())
    maps = {}
    for name in ("exact", "adaptive", "blocks"):
        with rasterio.open(scene.folder / f"{name}.tif") as file:
            maps[name] = file.read(1)
            tags = file.tags()
    np.testing.assert_array_equal(maps["adaptive"], maps["blocks"])
    share = float((maps["adaptive"] == maps["exact"]).mean())
    assert values["AGREEMENT_LOW"] <= share <= values["AGREEMENT_HIGH"]
    assert any("randomly sampled pixels" in str(event.get("text")) for event in told)
    assert "95 % interval" in tags["TERRAWEAVE_AGREEMENT"]


def test_wilson_interval_is_that_of_the_textbook() -> None:
    # 81 of 100: 0.722 to 0.875 (Brown, Cai and DasGupta 2001 give the formula).
    low, high = Agreement(100, 81).interval or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.722, 0.875)
    assert Agreement(0, 0).share is None
    assert Agreement(50, 50).interval[1] == 1.0  # type: ignore[index]


def test_pixels_with_an_answer_of_their_own_are_not_sampled_again() -> None:
    random = np.random.default_rng(2)
    pixels = MadeUpPixels(np.kron(random.integers(0, 3, (8, 8)), np.ones((8, 8), np.int64)))
    region = Window(0, 0, 64, 64)
    mode = Adaptive(pixels, region)  # type: ignore[arg-type]
    checked = Checked(mode, pixels, region)  # type: ignore[arg-type]
    checked(region)
    assert checked.agreement.sampled > 150
    assert pixels.asked.max() == 1
    assert 0.2 < mode.own.mean() < 0.8


def test_probabilities_of_foretold_pixels_lie_between_those_of_their_neighbours() -> None:
    pixels = MadeUpPixels(halves(33, 33, 16))
    result = mapped(pixels, Window(0, 0, 33, 33), 64, 64)
    np.testing.assert_allclose(result.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(result[:, :8, 0], 0.98, atol=1e-3)


def test_sample_stands_for_the_whole_map() -> None:
    truth = np.zeros((200, 200), np.int64)
    truth[:, ::4] = 1
    pixels = MadeUpPixels(truth)

    def all_zero(window: Window) -> Strip:
        result = np.zeros((window.rows, window.columns, 3), np.float32)
        result[..., 0] = 1
        return Strip(window, result, np.ones((window.rows, window.columns), bool))

    region = Window(0, 0, 200, 200)
    checked = Checked(all_zero, pixels, region)  # type: ignore[arg-type]
    for window in region.blocks(64, 64):
        checked(window)
    low, high = checked.agreement.interval or (0, 0)
    assert 600 < checked.agreement.sampled < 1000
    assert low < 0.75 < high


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (7, 1), (3, 3), (4, 5), (6, 13)])
def test_every_pixel_of_a_small_scene_is_filled(rows: int, columns: int) -> None:
    truth = np.random.default_rng(0).integers(0, 3, (rows, columns))
    result = mapped(MadeUpPixels(truth), Window(0, 0, rows, columns), 8, 8)
    assert (result.sum(axis=2) > 0.9).all()
