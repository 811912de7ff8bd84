"""What a run will take, in the shape that the host gets it."""

from pathlib import Path

import pytest
from terraweave.core.errors import InputError
from terraweave.core.estimate import Estimate, estimate, seconds_each
from terraweave.core.job import Job
from terraweave.core.progress import Progress


class Clock:
    """A clock that a piece of work moves on: so many seconds for a call, so many for an item."""

    def __init__(self, call: float, item: float) -> None:
        self.now, self._call, self._item = 0.0, call, item
        self.counts: list[int] = []

    def __call__(self) -> float:
        return self.now

    def work(self, count: int) -> None:
        self.counts.append(count)
        self.now += self._call + self._item * count


def test_fast_work_is_tried_with_as_many_items_as_a_run_has() -> None:
    clock = Clock(0.01, 1e-5)
    assert seconds_each(clock.work, clock=clock) == pytest.approx(1e-5 + 0.01 / 1024)
    assert clock.counts == [128, 128, 512, 1024]


def test_slow_work_is_tried_twice_and_no_more() -> None:
    clock = Clock(0.0, 0.02)
    assert seconds_each(clock.work, clock=clock) == pytest.approx(0.02)
    assert clock.counts == [128, 128]


def made(work: tuple[float, float] | None) -> Estimate:
    return Estimate((10, 20), work, 5, 7, "cpu", "Because.", 2)


def test_the_range_holds_the_work_with_a_start_before_it() -> None:
    low, high = made((100.0, 200.0)).seconds or (0, 0)
    assert low < 100.0 + 8
    assert high > 200.0 + 3


def test_what_cannot_be_told_is_empty_and_not_zero(tmp_path: Path) -> None:
    values = made(None).to_json([str(tmp_path / "map.tif")])
    assert values["SECONDS_LOW"] is None
    assert values["SECONDS_HIGH"] is None
    assert (values["WINDOWS_LOW"], values["WINDOWS_HIGH"]) == (10, 20)
    assert isinstance(values["DISK_FREE"], int)


def test_without_outputs_no_disk_is_asked() -> None:
    assert made((1.0, 1.0)).to_json([])["DISK_FREE"] is None


def test_a_family_that_cannot_tell_says_so() -> None:
    with pytest.raises(InputError, match="cannot be told beforehand"):
        estimate(object(), Job("estimate"), Progress())


def test_two_runs_take_the_time_of_both_and_the_memory_of_the_larger() -> None:
    first = Estimate((1, 2), (10.0, 20.0), 5, 7, "cpu", "Because.")
    second = Estimate((3, 3), (1.0, 1.0), 9, 7, "cpu", "Because.")
    assert first.then(second) == Estimate((4, 5), (11.0, 21.0), 9, 14, "cpu", "Because.")
    assert first.then(made(None)).work is None
