"""The wire between host and worker.

The host writes one line with the job document to standard input, later perhaps the line
`cancel`. The worker answers with JSON objects, one a line, on standard output. When standard
input closes, the host is gone and the worker ends itself.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
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
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def read_job(self) -> str:
        """The first line of standard input: the job document."""
        return sys.stdin.buffer.readline().decode("utf-8")

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
        for line in sys.stdin.buffer:
            if line.strip() == b"cancel":
                self._stop.set()
        self._stop.set()
        ended = threading.Event()
        ended.wait(GRACE_SECONDS)
        if give_up is not None:
            give_up()
