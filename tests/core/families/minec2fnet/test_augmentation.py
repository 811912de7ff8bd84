"""Augmentation: what must stay, and what must go along."""

import pytest
import torch
from terraweave.core.families.minec2fnet.augmentation import Augmentation, Windows, augmented

STILL = Augmentation(scale=1.0, gain=0.0, offset=0.0, blur=0.0, drop=0.0)


def windows(seed: int = 0) -> Windows:
    """Two smooth windows of five bands with labelled discs and a missing corner."""
    random = torch.Generator().manual_seed(seed)
    bands = torch.randn(2, 5, 8, 8, generator=random)
    bands = torch.nn.functional.interpolate(bands, size=(64, 64), mode="bilinear")
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    target = ((rows - 30) ** 2 + (columns - 35) ** 2 < 200).float().expand(2, 64, 64)
    valid = (rows + columns > 20).expand(2, 64, 64)
    return Windows(bands * valid[:, None], valid, target, valid & (columns < 60))


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_any_change_windows_stay_what_they_are() -> None:
    before = windows()
    after = augmented(before, STILL, generator())
    assert torch.allclose(after.bands, before.bands, atol=1e-4)
    assert torch.equal(after.valid, before.valid)
    assert torch.equal(after.target * after.labelled, before.target * before.labelled)
    assert torch.equal(after.labelled, before.labelled)


def test_the_same_seed_gives_the_same_windows() -> None:
    how = Augmentation(droppable=(3, 4), blur=0.5, drop=0.5)
    first, second = (augmented(windows(), how, generator()) for _ in range(2))
    other = augmented(windows(), how, generator(2))
    assert torch.equal(first.bands, second.bands)
    assert not torch.equal(first.bands, other.bands)


def test_labels_grow_and_shrink_with_the_ground_and_stay_whole() -> None:
    areas = []
    for seed in range(8):
        after = augmented(windows(), Augmentation(), generator(seed))
        assert set(after.target.unique().tolist()) <= {0.0, 1.0}
        areas += after.target.sum((1, 2)).tolist()
    before = float(windows().target[0].sum())
    assert min(areas) < 0.9 * before < 1.1 * before < max(areas)
    assert 0.5 * before < min(areas)
    assert max(areas) < 2 * before


def test_bands_and_labels_keep_lying_over_each_other() -> None:
    before = windows()
    marked = Windows(before.target[:, None], before.valid, before.target, before.labelled)
    how = Augmentation(gain=0, offset=0, blur=0)
    after = augmented(marked, how, generator())
    same = (after.bands[:, 0] > 0.5) == (after.target > 0.5)
    assert same[after.labelled].float().mean() > 0.995


def test_missing_pixels_have_no_part_in_anything() -> None:
    how = Augmentation(blur=1.0)
    clean, dirty = windows(), windows()
    dirty.bands.masked_fill_(~dirty.valid[:, None], 1e6)
    first, second = (augmented(one, how, generator()) for one in (clean, dirty))
    assert torch.allclose(first.bands, second.bands)
    assert (first.bands[~first.valid[:, None].expand_as(first.bands)] == 0).all()
    assert not (first.labelled & ~first.valid).any()


def test_a_constant_picture_stays_constant_at_the_edge_of_missing_data() -> None:
    one = windows()
    flat = Windows(one.valid[:, None].float() * 3, one.valid, one.target, one.labelled)
    after = augmented(flat, Augmentation(gain=0, offset=0, blur=1.0), generator())
    seen = after.bands[:, 0][after.valid]
    inner = seen[(seen - 3).abs() < 0.05]
    assert len(inner) / len(seen) > 0.9


def test_only_droppable_bands_are_dropped() -> None:
    how = Augmentation(scale=1.0, gain=0, offset=0.5, blur=0, drop=1.0, droppable=(3,))
    after = augmented(windows(), how, generator())
    emptied = (after.bands == 0).flatten(2).all(2)
    assert emptied.tolist() == [[False, False, False, True, False]] * 2


def test_gain_and_offset_differ_from_band_to_band() -> None:
    how = Augmentation(scale=1.0, gain=0.1, offset=0.1, blur=0)
    before, after = windows(), augmented(windows(), how, generator())
    shift = (after.bands - before.bands)[:, :, 40, 40]
    assert len(set(shift.flatten().tolist())) == 10


@pytest.mark.parametrize("seed", range(3))
def test_blur_keeps_the_mean_and_lowers_the_contrast(seed: int) -> None:
    noise = torch.randn(1, 3, 64, 64, generator=generator(seed))
    full = torch.ones(1, 64, 64, dtype=torch.bool)
    how = Augmentation(scale=1.0, gain=0, offset=0, blur=1.0)
    after = augmented(Windows(noise, full, full.float(), full), how, generator(seed))
    assert after.bands.std() < noise.std()
    assert after.bands.mean() == pytest.approx(float(noise.mean()), abs=0.02)
