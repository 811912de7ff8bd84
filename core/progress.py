"""How a running task speaks: progress, log lines, epochs, and the place where it may stop."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Cancelled

Event = dict[str, object]


class Progress:
    """Reports one run as events, and raises `Cancelled` at the next report once asked to stop.

    Fractions never run backwards. A stage owns a part of the whole run; inside `with
    progress.stage("Reading", 0.1)` updates from 0 to 1 move the whole by that tenth.

    The time left follows from the pace of the work itself: neither what prepares it, nor what an
    earlier run had done, nor what was left out counts.
    """

    def __init__(
        self,
        emit: Callable[[Event], None] = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`emit` takes one JSON-able event; `cancelled` tells whether a stop was asked for."""
        self._emit = emit
        self._cancelled = cancelled
        self._clock = clock
        self._paced_from = (clock(), 0.0)
        self._preparing = False
        self._last_emitted = -1.0
        self._fraction = 0.0
        self._span = (0.0, 1.0)
        self._title = "Starting"
        self._warned: dict[str, None] = {}

    def checkpoint(self) -> None:
        """Stop here if a stop was asked for.

        Raises:
            Cancelled: the user or the end of the host asked for it.
        """
        if self._cancelled():
            raise Cancelled("The run was cancelled.")

    @contextmanager
    def stage(self, title: str, share: float, *, preparing: bool = False) -> Iterator[None]:
        """A named part of the run that makes up `share` (0–1) of the enclosing part.

        One that is `preparing` says nothing of how long the rest takes.
        """
        outer = self._span, self._title, self._preparing
        low, high = self._span
        start = max(self._fraction, low)
        end = min(high, start + share * (high - low))
        self._span, self._title, self._preparing = (start, end), title, self._preparing or preparing
        self.update(0.0, force=True)
        yield
        if self._fraction > start:
            self._skipped(end - self._fraction)
        self.update(1.0)
        self._span, self._title, self._preparing = outer
        if preparing:
            self._paced_from = (self._clock(), self._fraction)

    def resume(self, part: float) -> None:
        """Say that an earlier run had done `part` (0–1) of the current stage."""
        before = self._fraction
        self.update(part)
        self._skipped(self._fraction - before)

    def _skipped(self, fraction: float) -> None:
        """Leave a part of the whole, for which nothing was done, out of the pace."""
        began, start = self._paced_from
        self._paced_from = (began, start + fraction)

    def update(self, part: float, *, force: bool = False) -> None:
        """Say that `part` (0–1) of the current stage is done; a place to be cancelled.

        Raises:
            Cancelled: the user or the end of the host asked for it.
        """
        self.checkpoint()
        low, high = self._span
        self._fraction = max(self._fraction, low + min(max(part, 0.0), 1.0) * (high - low))
        now = self._clock()
        if not force and now - self._last_emitted < 0.1:
            return
        self._last_emitted = now
        event: Event = {
            "event": "progress",
            "fraction": round(self._fraction, 5),
            "stage": self._title,
        }
        began, start = self._paced_from
        elapsed, done = now - began, self._fraction - start
        if done > 0.02 and elapsed > 2.0 and not self._preparing:
            event["seconds_left"] = round(elapsed * (1.0 - self._fraction) / done, 1)
        self._emit(event)

    def finish(self) -> None:
        """Say that the whole run is done; no place to be cancelled any more."""
        self._fraction = 1.0
        self._emit({"event": "progress", "fraction": 1.0, "stage": "Done"})

    def log(self, text: str) -> None:
        """Tell the user something worth knowing."""
        self._emit({"event": "log", "level": "info", "text": text})

    def warn(self, text: str) -> None:
        """Tell the user something that may spoil the result; the same words only once."""
        if text in self._warned:
            return
        self._warned[text] = None
        self._emit({"event": "log", "level": "warning", "text": text})

    @property
    def warned(self) -> tuple[str, ...]:
        """All warnings so far, each once, in the order in which they were said."""
        return tuple(self._warned)

    def epoch(self, **numbers: float | int | None) -> None:
        """Report the numbers of one training epoch, for live curves."""
        self._emit({"event": "epoch", **numbers})
