"""Progress is honest: never backwards, and a place to stop."""

import pytest
from terraweave.core.errors import Cancelled
from terraweave.core.progress import Event, Progress


class Recorder:
    """Keeps the events of a run whose clock goes on by one second a call."""

    def __init__(self) -> None:
        """No event yet."""
        self.events: list[Event] = []
        self.stop = False
        self._now = 0.0
        self.progress = Progress(self.events.append, lambda: self.stop, self._clock)

    def _clock(self) -> float:
        self._now += 1.0
        return self._now

    @property
    def fractions(self) -> list[float]:
        """The fractions of all progress events."""
        return [event["fraction"] for event in self.events if event["event"] == "progress"]  # type: ignore[misc]


def test_stages_share_the_whole() -> None:
    recorder = Recorder()
    with recorder.progress.stage("First", 0.25):
        recorder.progress.update(0.5)
    with recorder.progress.stage("Second", 0.75):
        recorder.progress.update(0.5)
    assert recorder.fractions == [0.0, 0.125, 0.25, 0.25, 0.625, 1.0]


def test_stage_within_a_stage_takes_a_part_of_it() -> None:
    recorder = Recorder()
    with recorder.progress.stage("Outer", 0.5), recorder.progress.stage("Inner", 0.5):
        recorder.progress.update(1.0)
    assert recorder.fractions[-2:] == [0.25, 0.5]


def test_fraction_never_runs_backwards() -> None:
    recorder = Recorder()
    for part in (0.5, 0.2, 0.7):
        recorder.progress.update(part)
    assert recorder.fractions == [0.5, 0.5, 0.7]


def test_time_left_follows_from_what_is_done() -> None:
    recorder = Recorder()
    for _ in range(4):
        recorder.progress.update(0.5)
    event = recorder.events[-1]
    # The clock stood at 1 at the start and at 5 now: half of the run took 4 seconds.
    assert event["seconds_left"] == 4.0


@pytest.mark.parametrize("call", ["checkpoint", "update"])
def test_run_stops_at_its_next_report(call: str) -> None:
    recorder = Recorder()
    recorder.stop = True
    arguments = (0.5,) if call == "update" else ()
    with pytest.raises(Cancelled, match="cancelled"):
        getattr(recorder.progress, call)(*arguments)


def test_finished_run_is_whole_however_late_the_request_to_stop() -> None:
    recorder = Recorder()
    recorder.progress.update(0.4)
    recorder.stop = True
    recorder.progress.finish()
    assert recorder.fractions == [0.4, 1.0]


def test_a_warning_is_said_once() -> None:
    recorder = Recorder()
    for text in ("one", "two", "one"):
        recorder.progress.warn(text)
    for _ in range(2):
        recorder.progress.log("three")
    assert [event["text"] for event in recorder.events] == ["one", "two", "three", "three"]


def _left(event: Event) -> object:
    return event.get("seconds_left")


def test_preparing_says_nothing_of_the_time_left() -> None:
    recorder = Recorder()
    with recorder.progress.stage("Reading", 0.5, preparing=True):
        for _ in range(4):
            recorder.progress.update(0.5)
        assert [_left(event) for event in recorder.events] == [None] * 5
    with recorder.progress.stage("Training", 1.0):
        for _ in range(4):
            recorder.progress.update(0.5)
    # Training's half, which is a quarter of the whole, took 5 seconds; a quarter is left.
    assert _left(recorder.events[-2]) == 5.0


def test_what_an_earlier_run_did_says_nothing_of_the_time_left() -> None:
    recorder = Recorder()
    recorder.progress.resume(0.8)
    for _ in range(4):
        recorder.progress.update(0.9)
    # A tenth took 5 seconds, and a tenth is left.
    assert _left(recorder.events[-1]) == pytest.approx(5.0)


def test_epochs_that_were_not_needed_say_nothing_of_the_time_left() -> None:
    recorder = Recorder()
    with recorder.progress.stage("Stopped early", 0.5):
        recorder.progress.update(0.2)
    with recorder.progress.stage("Again", 1.0):
        for _ in range(4):
            recorder.progress.update(0.2)
    # A fifth of the whole was really done, in 8 seconds; four tenths are left.
    assert _left(recorder.events[-2]) == pytest.approx(16.0)


def test_a_stage_without_updates_counts_as_done_at_its_end() -> None:
    recorder = Recorder()
    for name in ("one", "two", "three"):
        with recorder.progress.stage(name, {"one": 0.25, "two": 1 / 3, "three": 0.5}[name]):
            pass
    assert _left(recorder.events[-1]) is not None
