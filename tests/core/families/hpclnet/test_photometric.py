"""Light and missing inputs: the image alone changes, and one input at a time goes missing."""

import torch
from terraweave.core.families.hpclnet.photometric import jittered, with_missing


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_light_changes_the_image_window_by_window_and_leaves_terrain_and_nodata() -> None:
    values = torch.randn(3, 7, 8, 8, generator=seeded(9))
    valid = torch.ones(3, 8, 8, dtype=torch.bool)
    valid[:, :2] = False
    values = values * valid[:, None]
    lit = jittered(values, valid, 2, 1.0, seeded())
    torch.testing.assert_close(lit[:, 2:], values[:, 2:])
    assert bool((lit[:, :, :2] == 0).all())
    shift = (lit - values)[:, :2, 2:]
    assert shift.abs().amax((1, 2, 3)).min() > 0.02
    for window in range(3):
        for band in range(2):
            pair = torch.stack(
                [values[window, band, 2:].flatten(), lit[window, band, 2:].flatten()]
            )
            assert torch.corrcoef(pair)[0, 1].abs() > 0.999


def test_strength_0_changes_nothing() -> None:
    values, valid = torch.randn(2, 7, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool)
    assert jittered(values, valid, 2, 0.0, seeded()) is values


def test_a_share_of_windows_lacks_one_input_and_none_lacks_both() -> None:
    values = torch.ones(4000, 5, 1, 1)
    seen = with_missing(values, 2, 0.1, seeded())[..., 0, 0]
    image, terrain = seen[:, :2].amax(1) == 0, seen[:, 2:].amax(1) == 0
    assert not bool((image & terrain).any())
    assert 0.03 < image.float().mean() < 0.07
    assert 0.03 < terrain.float().mean() < 0.07
    assert bool((seen[:, :2].amin(1) == seen[:, :2].amax(1)).all())
