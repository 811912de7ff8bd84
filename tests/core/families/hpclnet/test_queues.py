"""Queues: empty at the start, first in first out, whole rows, and back from a checkpoint."""

import torch
from terraweave.core.families.hpclnet.queues import BACK_EDGE, BACK_FAR, SIZES, SLIDE, Queue, Queues


def rows(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32)[:, None].expand(-1, 3).clone()


def held(queue: Queue) -> list[float]:
    return sorted(queue.keys[:, 0].tolist())


def test_a_queue_starts_empty() -> None:
    assert Queue(4, 3).keys.shape == (0, 3)


def test_only_filled_rows_are_read() -> None:
    queue = Queue(4, 3)
    queue.push(rows(7, 8))
    assert held(queue) == [7, 8]


def test_the_oldest_rows_make_room_for_as_many_as_come() -> None:
    queue = Queue(5, 3)
    kept: list[float] = []
    for first, count in ((0, 2), (2, 2), (4, 3), (7, 1), (8, 5), (13, 0), (13, 4)):
        new = [float(number) for number in range(first, first + count)]
        queue.push(rows(*new) if new else torch.zeros(0, 3))
        kept = (kept + new)[-5:]
        assert held(queue) == sorted(kept)


def test_of_more_rows_than_fit_the_last_are_kept() -> None:
    queue = Queue(3, 3)
    queue.push(rows(1))
    queue.push(rows(*range(10, 17)))
    assert held(queue) == [14, 15, 16]
    queue.push(rows(20))
    assert held(queue) == [15, 16, 20]


def test_keys_bring_no_gradient_along() -> None:
    queue = Queue(3, 3)
    queue.push(rows(1).requires_grad_(True) * 2)
    assert not queue.keys.requires_grad


def test_each_kind_has_its_own_queue_of_the_published_size() -> None:
    assert dict(SIZES) == {SLIDE: 4096, BACK_EDGE: 2048, BACK_FAR: 2048}
    queues = Queues(3)
    queues.push({SLIDE: rows(1), BACK_EDGE: rows(2, 3), BACK_FAR: rows(4)})
    assert held(queues[SLIDE]) == [1]
    assert queues.positives[:, 0].tolist() == [1]
    assert sorted(queues.negatives[:, 0].tolist()) == [2, 3, 4]


def test_queues_come_back_from_a_checkpoint_and_go_on() -> None:
    sizes = {SLIDE: 3, BACK_EDGE: 2, BACK_FAR: 2}
    one, two = Queues(3, sizes), Queues(3, sizes)
    one.push({SLIDE: rows(1, 2, 3, 4), BACK_EDGE: rows(5)})
    two.restore(one.state())
    for queues in (one, two):
        queues.push({SLIDE: rows(9), BACK_EDGE: rows(6, 7)})
    for name in sizes:
        torch.testing.assert_close(two[name].keys, one[name].keys)
    assert held(two[SLIDE]) == [3, 4, 9]
