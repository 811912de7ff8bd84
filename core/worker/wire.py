"""The wire between host and worker.

The host writes one line with the job document to standard input, later perhaps the line
`cancel`. The worker answers with JSON objects, one a line, on standard output. When standard
input closes, the host is gone and the worker ends itself.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from ..errors import Cancelled
from ..progress import Event

# How long a run may take to reach its next checkpoint before the process is ended hard.
GRACE_SECONDS = 8.0


class Wire:
    """Standard input and output of the process, kept free of what libraries print."""

    def __init__(self) -> None:
        """Take over the standard streams: whatever else is printed goes to standard error."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._events: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        self._lines = _lines(0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def read_job(self) -> str:
        """The first line of standard input: the job document."""
        return next(self._lines, b"").decode("utf-8")

    def emit(self, event: Event) -> None:
        """Write one event as a line; a host that is gone asks for the end of the run.

        Raises:
            Cancelled: nobody reads any more.
        """
        line = json.dumps(event, ensure_ascii=True, allow_nan=False)
        try:
            with self._lock:
                self._events.write(line + "\n")
        except (BrokenPipeError, OSError) as error:
            self._stop.set()
            raise Cancelled("The host is gone.") from error

    def cancelled(self) -> bool:
        """Whether the host asked for the end of the run, or is gone."""
        return self._stop.is_set()

    def watch(self, give_up: Callable[[], None] | None = None) -> None:
        """Listen for `cancel` and for the end of standard input, in a thread.

        `give_up` is called when the run has not ended `GRACE_SECONDS` after the host went.
        """
        listener = threading.Thread(target=self._listen, args=(give_up,), daemon=True)
        listener.start()

    def _listen(self, give_up: Callable[[], None] | None) -> None:
        for line in self._lines:
            if line.strip() == b"cancel":
                self._stop.set()
        self._stop.set()
        time.sleep(GRACE_SECONDS)
        if give_up is not None:
            give_up()


def _lines(descriptor: int) -> Iterator[bytes]:
    """The lines of a file descriptor as they come.

    Not `sys.stdin`: a thread that waits in its buffer holds a lock which the interpreter wants at
    its end, and dies of it.
    """
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
