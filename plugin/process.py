"""The worker process as the host holds it: lines in, lines out, and a sure end."""

import json
import os
import queue
import subprocess  # nosec B404 - the worker is a process of its own, started from a fixed list
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from .interpreter import bytecode_folder, cache_folder
from .limits import limit_variables

ROOT = Path(__file__).resolve().parents[1]
TAIL_LINES = 20
_TERMINATE_SECONDS = 0.5
# What QGIS sets for its own Python, GDAL and PROJ would break those of the worker.
_CLEARED = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__",
    "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH",
)  # fmt: skip

Event = dict[str, object]


def worker_command(python: Path) -> list[str]:
    """The command line of a worker that takes its job from standard input."""
    return [str(python), "-E", "-s", *_bytecode_options(), "-m", "core", "-"]


def _bytecode_options() -> list[str]:
    """Where Python is to keep bytecode: beside the sources, unless these may not be written.

    Then below the profile, or every start would compile `core` again. Python keeps that of torch
    there too, 40 MB, which is why a folder that may be written is left as it is.
    """
    try:
        # Tried, since on Windows the rights that a folder names are not those that count.
        with tempfile.TemporaryFile(dir=ROOT / "core"):
            return []
    except OSError:
        return ["-X", f"pycache_prefix={bytecode_folder()}"]


def worker_variables() -> dict[str, str]:
    """The worker's environment variables: the host's, without what is QGIS's own."""
    variables = {
        key: value
        for key, value in os.environ.items()
        if key not in _CLEARED and not key.startswith("QT_")
    }
    for key, folder in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib")):
        path = cache_folder() / folder
        path.mkdir(parents=True, exist_ok=True)
        variables[key] = str(path)
    return variables | limit_variables()


class WorkerProcess:
    """A running worker: events come out of `next_event`, lines go in through `send`."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start the worker; raises OSError where that is impossible."""
        self._process = subprocess.Popen(  # noqa: S603  # nosec B603 - a list, no shell
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=worker_variables(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._threads = [
            threading.Thread(target=part, daemon=True)
            for part in (self._read_events, self._read_errors, self._write_lines)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def send(self, line: str) -> None:
        """Give the worker one line; never waits for it."""
        self._lines.put(line)

    def next_event(self, seconds: float) -> Event | None:
        """The worker's next event, or None when its output has ended.

        Raises:
            queue.Empty: nothing came within `seconds`.
        """
        return self._events.get(timeout=seconds)

    def ended_within(self, seconds: float) -> bool:
        """Whether the process ends by itself within `seconds`, now that its input is closed."""
        self._lines.put(None)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, grace: float) -> int:
        """Make sure that the process is gone, and return its exit status.

        It has `grace` seconds to end by itself, and as long again after being told to.
        """
        if not self.ended_within(grace):
            self._process.terminate()
            try:
                self._process.wait(max(grace, _TERMINATE_SECONDS))
            except subprocess.TimeoutExpired:
                self._process.kill()
        status = self._process.wait()
        for thread in self._threads:
            thread.join(1.0)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return status

    def error_tail(self) -> str:
        """The last lines that the worker wrote to standard error."""
        return "\n".join(self._tail)

    def _read_events(self) -> None:
        for line in self._process.stdout or ():
            self._events.put(_event(line))
        self._events.put(None)

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._tail.append(line.decode("utf-8", errors="replace").rstrip())

    def _write_lines(self) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            with stdin:
                while (line := self._lines.get()) is not None:
                    stdin.write(line.encode("utf-8") + b"\n")
                    stdin.flush()
        except OSError:
            # The worker is gone; how it ended is told by its output and exit status.
            return


def _event(line: bytes) -> Event:
    """The event in one line of output; what is none becomes the event `unknown`."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    return {"event": "unknown", "text": line.decode("utf-8", errors="replace").strip()[:200]}
