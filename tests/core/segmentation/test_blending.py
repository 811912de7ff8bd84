"""Windows fade into each other without a seam, wherever they are cut."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as some
from numpy.typing import NDArray
from terraweave.core.errors import Cancelled
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Shape, Window
from terraweave.core.scene.scene import Block
from terraweave.core.segmentation import blending
from terraweave.core.segmentation.blending import Axis, Blender, blended, fading, read_array
from terraweave.core.segmentation.view import Segmenter
from torch import Tensor

Make = Callable[..., Any]
Floats = NDArray[np.float32]


def picture(rows: int, columns: int) -> Floats:
    return np.random.default_rng(0).normal(100, 30, (1, rows, columns)).astype(np.float32)


def ask(
    values: Floats,
    segmenter: Segmenter,
    region: Window | None = None,
    valid: NDArray[np.bool_] | None = None,
    **how: object,
) -> Floats:
    shape = Shape(*values.shape[1:])
    whole = Window(0, 0, shape.rows, shape.columns)
    valid = np.ones(values.shape[1:], dtype=bool) if valid is None else valid
    more: dict[str, Any] = {"window": 16, "overlap": 8, **how}
    return blended(read_array(values, valid), segmenter, region or whole, shape, **more)


@given(
    some.integers(1, 300), some.sampled_from([8, 16]), some.integers(0, 7), some.integers(0, 299)
)
def test_windows_cover_every_pixel_of_an_axis(
    length: int, edge: int, overlap: int, at: int
) -> None:
    axis = Axis(length, edge, edge - overlap)
    starts = list(axis.touching(0, length))
    covered = {pixel for start in starts for pixel in range(start, start + edge)}
    assert covered >= set(range(length))
    assert len(starts) == axis.count
    over = -starts[0], starts[-1] + edge - length
    assert abs(over[0] - over[1]) <= 1
    at = at % length
    expected = [start for start in starts if start <= at < start + edge]
    assert list(axis.touching(at, at + 1)) == expected


def test_half_overlapping_weights_add_up_to_one_and_are_never_zero() -> None:
    weight = fading(16)
    assert weight.min() > 0
    np.testing.assert_allclose(weight[:8] + weight[8:], 1, atol=1e-6)


@pytest.mark.parametrize("overlap", [0, 4, 8, 12])
@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (16, 16), (33, 47)])
def test_windows_that_agree_give_their_answer_everywhere(
    bright: Make, shape: tuple[int, int], overlap: int
) -> None:
    values = picture(*shape)
    found = ask(values, bright(), overlap=overlap)
    expected = 1 / (1 + np.exp(-(values[0] - 100) / 20))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_window_and_many_agree_away_from_the_edges(bright: Make) -> None:
    values = picture(64, 64)
    one = ask(values, bright(reach=2), window=64, overlap=0)
    many = ask(values, bright(reach=2), window=32, overlap=16)
    assert np.abs(one - many)[2:-2, 2:-2].max() < 0.15
    # Pixels that every window sees with all that they look at are the same.
    np.testing.assert_allclose(one[18:30, 18:30], many[18:30, 18:30], atol=1e-5)


def test_edges_of_windows_leave_no_seam(bright: Make) -> None:
    """A network that is wrong by 0.2 at a window's edge steps by no more than Hann allows."""

    class Frayed:
        channels = 1

        def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
            answer = torch.full(values.shape[:1] + values.shape[2:], 0.5)
            answer[:, :, 0] += 0.2
            return answer

    found = ask(picture(64, 64), Frayed())
    steps = np.abs(np.diff(found[:, 16:-16], axis=1))
    assert steps.max() < 0.2 * 0.01 * 1.1  # sin²(π/32) is 0.0096


def test_part_of_a_scene_is_a_crop_of_the_whole(bright: Make) -> None:
    values = picture(70, 83)
    whole = ask(values, bright(reach=3))
    region = Window(11, 23, 31, 29)
    part = ask(values, bright(reach=3), region)
    np.testing.assert_allclose(part, whole[region.slices], atol=1e-6)


def test_lanes_do_not_show(bright: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    values = picture(40, 90)
    whole = ask(values, bright(reach=3))
    monkeypatch.setattr(blending, "LANE", 20)
    np.testing.assert_allclose(ask(values, bright(reach=3)), whole, atol=1e-6)


def test_eight_orientations_of_a_turned_picture_give_the_turned_answer(bright: Make) -> None:
    class Slanted(bright):  # type: ignore[misc, valid-type]
        def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
            return torch.sigmoid((values[:, 0] - values[:, 0].roll(1, -1)) / 20)

    values = picture(32, 48)
    upright = ask(values, Slanted(), orientations=8)
    turned = ask(np.rot90(values, axes=(1, 2)).copy(), Slanted(), orientations=8)
    np.testing.assert_allclose(turned, np.rot90(upright), atol=1e-5)
    assert np.abs(upright - ask(values, Slanted())).max() > 0.1


def test_pixels_without_data_have_no_probability_and_empty_windows_are_not_computed(
    bright: Make,
) -> None:
    values, valid = picture(64, 64), np.zeros((64, 64), dtype=bool)
    valid[5, 7] = True
    segmenter = bright()
    found = ask(values, segmenter, valid=valid)
    assert np.isfinite(found).sum() == 1
    assert np.isfinite(found[5, 7])
    assert sum(segmenter.asked) <= 4


def test_every_pixel_is_read_once(bright: Make) -> None:
    values = picture(100, 90)
    inner = read_array(values, np.ones((100, 90), dtype=bool))
    read_pixels = 0

    def read(window: Window) -> Block:
        nonlocal read_pixels
        read_pixels += window.rows * window.columns
        return inner(window)

    whole = Window(0, 0, 100, 90)
    blended(read, bright(), whole, Shape(100, 90), window=16, overlap=8)
    assert read_pixels == 104 * 96


@pytest.mark.parametrize("shape", [(60, 60), (400, 60), (60, 400)])
def test_what_is_held_at_once_does_not_grow_with_the_scene(
    bright: Make, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blending, "LANE", 40)
    inner = read_array(picture(*shape), np.ones(shape, dtype=bool))
    largest = 0

    def read(window: Window) -> Block:
        nonlocal largest
        largest = max(largest, window.rows * window.columns)
        return inner(window)

    blender = Blender(
        lambda _: bright(), torch.device("cpu"), Progress(), window=16, overlap=8, batch=3
    )
    whole = Window(0, 0, *shape)
    parts = [part for part, _ in blender.strips(read, Shape(*shape), whole)]
    assert largest <= 16 * (40 + 2 * 16)
    assert max(part.shape.pixels for part in parts) <= 16 * 40
    assert sum(part.shape.pixels for part in parts) == whole.shape.pixels


def test_out_of_memory_halves_the_batch_and_goes_on(bright: Make) -> None:
    class Greedy(bright):  # type: ignore[misc, valid-type]
        def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
            if len(values) > 2:
                raise torch.OutOfMemoryError("too much")
            return super().probabilities(values, valid)

    texts: list[str] = []
    progress = Progress(lambda event: texts.append(str(event.get("text"))))
    values = picture(64, 64)
    found = ask(values, Greedy(), progress=progress, batch=7)
    np.testing.assert_allclose(found, ask(values, bright()), atol=1e-6)
    assert "Out of memory; going on with 1 windows at once." in texts


def test_a_wish_to_stop_is_heard_before_every_batch(bright: Make) -> None:
    segmenter = bright()
    progress = Progress(cancelled=lambda: len(segmenter.asked) >= 2)
    with pytest.raises(Cancelled):
        ask(picture(64, 64), segmenter, progress=progress, batch=3)
    assert len(segmenter.asked) == 2
