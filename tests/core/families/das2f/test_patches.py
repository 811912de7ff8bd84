"""Patches: the right ground, in all eight orientations, with missing data and many pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from terraweave.core.families.das2f import DAS2F
from terraweave.core.families.das2f.patches import (
    ORIENTATIONS,
    Patches,
    Pixels,
    cut_patches,
    oriented,
    patch_limit,
    thinned,
)
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.scene import Scene, open_scene

Image = NDArray[np.float32]
RATIO, WINDOW = 4, 8


def images(rows: int = 13, columns: int = 17) -> tuple[Image, Image]:
    random = np.random.default_rng(5)
    ms = random.normal(size=(3, rows, columns)).astype(np.float32)
    pan = random.normal(size=(1, rows * RATIO, columns * RATIO)).astype(np.float32)
    return ms, pan


def written(path: Path, image: Image, pixel: float) -> Source:
    bands, rows, columns = image.shape
    transform = Affine(pixel, 0, 500_000, 0, -pixel, 4_000_000)
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=rows, width=columns, dtype="float32",
        crs="EPSG:32615", transform=transform, nodata=float("nan"),
    ) as file:  # fmt: skip
        file.write(image)
    return Source(str(path))


@contextmanager
def opened(folder: Path, ms: Image, pan: Image) -> Iterator[Scene]:
    inputs = {
        "MS": written(folder / "ms.tif", ms, 4.0),
        "PAN": written(folder / "pan.tif", pan, 4.0 / RATIO),
    }
    with open_scene(inputs, DAS2F.roles, progress=Progress()) as scene:
        yield scene


def every_pixel(rows: int, columns: int) -> Pixels:
    row, column = (one.ravel() for one in np.indices((rows, columns)))
    return Pixels(np.zeros_like(row), row, column, np.arange(len(row)))


def patches_of(folder: Path, ms: Image, pan: Image, pixels: Pixels | None = None) -> Patches:
    with opened(folder, ms, pan) as scene:
        wanted = pixels or every_pixel(*ms.shape[1:])
        return cut_patches([scene], wanted, WINDOW, RATIO, Progress())


def turned(image: Image, orientation: int) -> Image:
    return np.ascontiguousarray(oriented(torch.from_numpy(image.copy()), orientation).numpy())


def test_eight_orientations_of_an_image_are_all_different() -> None:
    image = torch.arange(9.0).reshape(3, 3)
    views = {tuple(oriented(image, turn).ravel().tolist()) for turn in range(ORIENTATIONS)}
    assert len(views) == 8


def test_an_upright_window_shows_the_ground_that_the_paper_says(tmp_path: Path) -> None:
    ms, pan = images()
    row, column = 6, 9
    pixels = Pixels(*(np.array([value]) for value in (0, row, column, 0)))
    patches = patches_of(tmp_path, ms, pan, pixels)
    of_ms, of_pan = patches.windows(torch.tensor([0]), torch.tensor([0]))
    np.testing.assert_array_equal(of_ms[0], ms[:, row - 3 : row + 5, column - 3 : column + 5])
    np.testing.assert_array_equal(
        of_pan[0],
        pan[:, 4 * (row - 3) : 4 * (row + 5), 4 * (column - 3) : 4 * (column + 5)],
    )


@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_a_turned_patch_is_the_window_of_a_turned_scene(tmp_path: Path, orientation: int) -> None:
    ms, pan = images()
    straight = patches_of(tmp_path, ms, pan)
    numbers = np.arange(ms[0].size).reshape(1, *ms.shape[1:]).astype(np.float32)
    other = patches_of(tmp_path, turned(ms, orientation), turned(pan, orientation))
    # Which pixel of the original each pixel of the turned scene is.
    origin = torch.from_numpy(turned(numbers, orientation).ravel().astype(np.int64))
    every = torch.arange(len(straight))
    expected = other.windows(every, torch.zeros_like(every))
    found = straight.windows(origin, torch.full_like(every, orientation))
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one, two)


def test_each_window_of_a_batch_has_its_own_orientation(tmp_path: Path) -> None:
    patches = patches_of(tmp_path, *images())
    index = torch.arange(40, 40 + ORIENTATIONS)
    together = patches.windows(index, torch.arange(ORIENTATIONS))
    for turn in range(ORIENTATIONS):
        alone = patches.windows(index[turn : turn + 1], torch.tensor([turn]))
        assert torch.equal(together[0][turn], alone[0][0])
        assert torch.equal(together[1][turn], alone[1][0])


def test_patches_of_far_apart_pixels_keep_their_order(tmp_path: Path) -> None:
    ms, pan = images(rows=150, columns=140)
    pixels = Pixels(
        np.zeros(3, np.int64), np.array([140, 2, 70]), np.array([3, 135, 70]), np.array([0, 1, 2])
    )
    patches = patches_of(tmp_path, ms, pan, pixels)
    middle = WINDOW // 2
    np.testing.assert_array_equal(
        patches.ms[:, :, middle, middle].T, ms[:, pixels.row, pixels.column]
    )
    assert patches.target.tolist() == [0, 1, 2]


def test_missing_pixels_stay_out_of_statistics_and_become_the_mean(tmp_path: Path) -> None:
    ms, pan = images()
    ms[:, 4:7, 5] = np.nan
    pan[:, 8:20, 30:40] = np.nan
    patches = patches_of(tmp_path, ms, pan)
    assert torch.isnan(patches.ms).any()
    statistics = patches.statistics()
    known = patches.ms[:, 1][torch.isfinite(patches.ms[:, 1])].double()
    assert statistics.ms_mean[1].item() == pytest.approx(known.mean().item(), rel=1e-6)
    assert statistics.ms_std[1].item() == pytest.approx(known.std(correction=0).item(), rel=1e-6)
    standard = patches.standardised(statistics)
    assert torch.isfinite(standard.ms).all()
    assert torch.isfinite(standard.pan).all()
    assert (standard.ms[torch.isnan(patches.ms)] == 0).all()
    assert (standard.pan[torch.isnan(patches.pan)] == 0).all()


def test_standardised_bands_have_mean_nought_and_deviation_one(tmp_path: Path) -> None:
    ms, pan = images()
    raw = patches_of(tmp_path, ms * 300 + 1000, pan * 20 + 90)
    again = raw.standardised(raw.statistics()).statistics()
    torch.testing.assert_close(again.ms_mean, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(again.ms_std, torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(again.pan_std, torch.ones(1), atol=1e-4, rtol=0)


def test_a_constant_band_becomes_nought_and_not_nan(tmp_path: Path) -> None:
    ms, pan = images()
    ms[2] = 7
    raw = patches_of(tmp_path, ms, pan)
    assert (raw.standardised(raw.statistics()).ms[:, 2] == 0).all()


def test_a_pixel_is_known_when_both_images_know_it(tmp_path: Path) -> None:
    ms, pan = images()
    ms[:, 3, 3] = np.nan  # no colour
    pan[:, 4 * 6 : 4 * 7, 4 * 8 : 4 * 8 + 3] = np.nan  # a quarter of the finer pixels is left
    pan[:, 4 * 2 : 4 * 3, 4 * 2] = np.nan  # three quarters are left
    known = patches_of(tmp_path, ms, pan).known().reshape(ms.shape[1:])
    unknown = {tuple(place) for place in np.argwhere(~known).tolist()}
    assert unknown == {(3, 3), (6, 8)}


def some_pixels(counts: list[int]) -> Pixels:
    target = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(target))
    return Pixels(np.zeros_like(place), place, place, target)


def test_thinning_keeps_rare_classes_whole_and_levels_common_ones() -> None:
    pixels = some_pixels([1000, 10, 500, 60])
    kept = thinned(pixels, 400, seed=3)
    assert len(kept) <= 400
    assert np.bincount(kept.target).tolist() == [165, 10, 165, 60]
    assert (np.diff(kept.row) > 0).all()
    np.testing.assert_array_equal(kept.target, pixels.target[kept.row])


def test_thinning_leaves_few_pixels_alone_and_repeats_itself() -> None:
    pixels = some_pixels([300, 20])
    assert thinned(pixels, 320, seed=0) is pixels
    once, twice, other = (thinned(pixels, 100, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once.row, twice.row)
    assert not np.array_equal(once.row, other.row)


def test_patches_within_the_limit_fit_the_memory_set_aside_for_them() -> None:
    for bands, window, ratio in ((4, 8, 4), (8, 16, 4), (200, 16, 2)):
        limit = patch_limit(bands, window, ratio)
        assert limit >= 1000
        pixels = (window + 1) ** 2 * (bands + ratio**2)
        assert limit == 1000 or limit * pixels * 4 <= 2**30
