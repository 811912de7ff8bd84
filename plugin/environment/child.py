"""Runs one program of the set-up: its lines into a log, cancel at any time, nothing left over."""

import os
import queue
import re
import signal
import subprocess  # nosec B404 - the installers are programs of their own
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...core.errors import Cancelled

POLL_SECONDS = 0.2
_GRACE_SECONDS = 3.0
_LOGIN = re.compile(r"://[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: its status (negative: the signal that ended it) and what it said."""

    status: int
    text: str


def run_child(
    command: Sequence[str | Path],
    variables: Mapping[str, str],
    *,
    log: IO[str] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda line: None,
    tick: Callable[[], None] = lambda: None,
    secrets: Sequence[str] = (),
) -> Outcome:
    """Run `command` to its end; `tell` gets each line, `tick` is called a few times a second.

    `secrets` are replaced by stars in all that is kept.

    Raises:
        Cancelled: `cancelled` became true; the program and its children are gone.
        OSError: the program could not be started.
    """
    process = subprocess.Popen(  # noqa: S603  # nosec B603 - a list, no shell
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(variables),
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    kept: list[str] = []
    try:
        while True:
            if cancelled():
                raise Cancelled("The set-up was cancelled; what was there before is unchanged.")
            tick()
            with suppress(queue.Empty):
                line = lines.get(timeout=POLL_SECONDS)
                if line is None:
                    break
                line = hidden(line, secrets)
                kept.append(line)
                if log is not None:
                    log.write(line + "\n")
                    log.flush()
                tell(line)
        return Outcome(process.wait(), "\n".join(kept))
    finally:
        _end(process)
        reader.join(_GRACE_SECONDS)


def _read(stream: IO[bytes] | None, lines: "queue.SimpleQueue[str | None]") -> None:
    if stream is not None:
        with stream:
            for line in stream:
                lines.put(line.decode("utf-8", errors="replace").rstrip())
    lines.put(None)


def hidden(line: str, secrets: Sequence[str]) -> str:
    """`line` without the secrets, and without logins in the addresses of indexes and proxies."""
    line = _LOGIN.sub("://***@", line)
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program and all that it started."""
    if process.poll() is None:
        _signal(process, hard=False)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _signal(process, hard=True)
            process.wait()


def _signal(process: "subprocess.Popen[bytes]", *, hard: bool) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
    elif hard:
        process.kill()
    else:
        process.terminate()
