"""Hyper-pixels: kinds from averaged masks, and which cells take part."""

import torch
from terraweave.core.families.hpclnet.hyperpixels import (
    AMBIGUOUS,
    BACK_EDGE,
    BACK_FAR,
    SLIDE_EDGE,
    SLIDE_INNER,
    anchors,
    chosen_cells,
    hyperpixel_kinds,
)

S = 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cells(shares: list[list[float]]) -> torch.Tensor:
    """Targets (1, row, column) whose cells of S × S pixels hold these shares of landslide."""
    picture = torch.zeros(len(shares) * S, len(shares[0]) * S)
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            cell = torch.zeros(S * S)
            cell[: round(share * S * S)] = 1
            where = (slice(row * S, row * S + S), slice(column * S, column * S + S))
            picture[where] = cell.view(S, S)
    return picture[None]


def everywhere(target: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(target, dtype=torch.bool)


def test_the_four_kinds_of_a_landslide_in_the_middle() -> None:
    shares = [[0.0] * 9 for _ in range(9)]
    for row in range(3, 6):
        for column in range(3, 6):
            shares[row][column] = 1.0
    target = cells(shares)
    kinds = hyperpixel_kinds(target, everywhere(target), S)[0]
    expected = torch.full((9, 9), BACK_FAR)
    expected[2:7, 2:7] = BACK_EDGE
    expected[3:6, 3:6] = SLIDE_EDGE
    expected[4, 4] = SLIDE_INNER
    torch.testing.assert_close(kinds, expected)


def test_mixed_cells_are_ambiguous_and_make_a_boundary_of_both_sides() -> None:
    target = cells([[1.0, 1.0, 0.25, 0.0, 0.0]])
    kinds = hyperpixel_kinds(target, everywhere(target), S)[0, 0]
    assert kinds.tolist() == [SLIDE_INNER, SLIDE_EDGE, AMBIGUOUS, BACK_EDGE, BACK_FAR]


def test_shares_are_means_over_the_valid_pixels_so_no_small_landslide_is_lost() -> None:
    target = cells([[0.125, 0.625]])
    kinds = hyperpixel_kinds(target, everywhere(target), S)[0, 0]
    assert kinds.tolist() == [AMBIGUOUS, SLIDE_EDGE]
    # The same landslide pixels are all that is known of a half-seen cell.
    half = cells([[0.5]])
    valid = half > 0
    assert hyperpixel_kinds(half, valid, S).item() == SLIDE_INNER
    valid[0, 0, 0] = False
    assert hyperpixel_kinds(half, valid, S).item() == AMBIGUOUS


def test_missing_cells_and_the_window_s_edge_are_no_boundary() -> None:
    target = cells([[1.0, 1.0, 0.0]])
    valid = everywhere(target)
    valid[..., 2 * S :] = False
    kinds = hyperpixel_kinds(target, valid, S)[0, 0]
    assert kinds.tolist() == [SLIDE_INNER, SLIDE_INNER, AMBIGUOUS]


def test_all_landslide_has_interior_anchors_only() -> None:
    target = torch.ones(2, 8 * S, 8 * S)
    kinds = hyperpixel_kinds(target, everywhere(target), S)
    assert bool((kinds == SLIDE_INNER).all())
    assert len(anchors(kinds, 256, 0.75, seeded())) == 64


def test_anchors_are_three_quarters_boundary_and_at_most_so_many() -> None:
    kinds = torch.full((4, 16, 16), SLIDE_EDGE)
    kinds[:, 8:] = SLIDE_INNER
    flat = kinds.flatten()[anchors(kinds, 256, 0.75, seeded())]
    assert (flat == SLIDE_EDGE).sum() == 192
    assert (flat == SLIDE_INNER).sum() == 64


def test_uniform_anchors_take_landslide_as_it_comes() -> None:
    kinds = torch.full((1, 16, 16), SLIDE_INNER)
    kinds[:, :4] = SLIDE_EDGE
    flat = kinds.flatten()[anchors(kinds, 128, None, seeded())]
    assert len(flat) == 128
    assert 16 <= (flat == SLIDE_EDGE).sum() <= 48


def test_background_can_be_an_anchor_too() -> None:
    kinds = torch.full((4, 16, 16), BACK_EDGE)
    kinds[:, 8:] = BACK_FAR
    kinds[0] = SLIDE_INNER
    flat = kinds.flatten()[anchors(kinds, 128, 0.75, seeded(), (BACK_EDGE, BACK_FAR))]
    assert (flat == BACK_EDGE).sum() == 96
    assert (flat == BACK_FAR).sum() == 32


def test_no_landslide_has_no_anchors() -> None:
    assert len(anchors(torch.full((2, 4, 4), BACK_FAR), 256, 0.75, seeded())) == 0


def test_windows_with_little_are_not_outvoted() -> None:
    kinds = torch.full((2, 16, 16), BACK_FAR)
    kinds[0] = SLIDE_EDGE
    kinds[1, 0, :10] = SLIDE_EDGE
    places = chosen_cells(kinds, (SLIDE_EDGE,), 40, 30, seeded())
    assert len(places) == 40
    assert (places >= 256).sum() == 10
    few = chosen_cells(kinds, (SLIDE_EDGE,), 8, 30, seeded())
    assert (few >= 256).sum() == 4


def test_chosen_cells_are_of_the_kind_distinct_and_seeded() -> None:
    kinds = torch.randint(0, 5, (3, 10, 10), generator=seeded(4))
    one = chosen_cells(kinds, (BACK_EDGE, SLIDE_EDGE), 50, 16, seeded(1))
    assert set(kinds.flatten()[one].tolist()) == {BACK_EDGE, SLIDE_EDGE}
    assert len(one.unique()) == len(one)
    assert all(int(((one // 100) == window).sum()) <= 16 for window in range(3))
    torch.testing.assert_close(one, chosen_cells(kinds, (BACK_EDGE, SLIDE_EDGE), 50, 16, seeded(1)))
    other = chosen_cells(kinds, (BACK_EDGE, SLIDE_EDGE), 50, 16, seeded(2))
    assert one.tolist() != other.tolist()
