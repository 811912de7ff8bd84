"""Where a set-up stands: a progress bar of named stages that is fed by growing folders."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from qgis.core import QgsProcessingFeedback

from .child import Outcome, hidden, run_child
from .failures import SetupError, classified, classified_os_error
from .plan import megabytes

_MEASURE_SECONDS = 1.0
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
# QGIS repeats every progress text in its log, so that one a second would bury the rest.
_TELL_SECONDS = 15.0


def bytes_below(folders: Sequence[Path]) -> int:
    """How much lies in folders that other programs write to and clean up meanwhile."""
    total = 0
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            # It was there a moment ago, which is what temporary folders are like.
            continue
    return total


@dataclass
class Stages:
    """Shows the stages of one set-up, runs their programs and keeps the log."""

    feedback: QgsProcessingFeedback
    log: IO[str]
    variables: dict[str, str]
    secrets: tuple[str, ...] = ()
    clock: Callable[[], float] = time.monotonic
    _low: float = 0.0
    _high: float = 0.0

    @contextmanager
    def stage(self, title: str, end: float) -> Iterator[None]:
        """A stage that ends at `end` per cent of the whole."""
        self._low, self._high = self._high, end
        self.feedback.setProgressText(title)
        self.log.write(f"\n== {title}\n")
        self.feedback.setProgress(self._low)
        yield
        self.feedback.setProgress(self._high)

    def part(self, share: float) -> None:
        """Say that `share` (0 to 1) of the stage is done."""
        done = self._low + min(max(share, 0.0), 1.0) * (self._high - self._low)
        self.feedback.setProgress(done)

    def run(
        self,
        command: Sequence[str],
        doing: str,
        *,
        grows: Sequence[Path] = (),
        to: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run a program of this stage.

        Where the folders in `grows` are to have `to` bytes in the end, they show how far it is.

        Raises:
            SetupError: it failed; the message says why and what to do.
            Cancelled: the user asked for the end.
        """
        self.log.write(hidden(f"$ {' '.join(command)}\n", self.secrets))
        try:
            outcome = run_child(
                command,
                variables or self.variables,
                log=self.log,
                cancelled=self.feedback.isCanceled,
                tell=self._tell,
                tick=self._measuring(grows, to),
                secrets=self.secrets,
            )
        except FileNotFoundError as error:
            raise SetupError(
                "unsuitable_python",
                f"The program “{command[0]}” is gone. Name another Python in the parameter PYTHON, "
                "or run the set-up again, which looks for one.",
            ) from error
        except OSError as error:
            raise classified_os_error(error, doing) from error
        if outcome.status:
            proxy = any(self.variables.get(name) for name in _PROXIES)
            raise classified(outcome.text, outcome.status, doing, proxy=proxy)
        return outcome

    def say(self, text: str) -> None:
        """Tell the user, and the log."""
        self.log.write(text + "\n")
        self.feedback.pushInfo(text)

    def warn(self, text: str) -> None:
        """Tell the user of something that is not as it should be."""
        self.log.write(text + "\n")
        self.feedback.pushWarning(text)

    def _tell(self, line: str) -> None:
        """Show what a person wants to see of an installer's many lines."""
        words = line.strip()
        if words.startswith(("Downloading ", "Building ", "Prepared ", "Installed ")):
            self.feedback.pushInfo(words.split("/")[-1] if "://" in words else words)

    def _measuring(self, grows: Sequence[Path], to: int) -> Callable[[], None]:
        if not grows or to <= 0:
            return lambda: None
        measured = told = self.clock()

        def measure() -> None:
            nonlocal measured, told
            now = self.clock()
            if now - measured < _MEASURE_SECONDS:
                return
            measured, here = now, bytes_below(grows)
            self.part(here / to)
            if now - told >= _TELL_SECONDS:
                told = now
                self.feedback.setProgressText(f"{megabytes(here)} of about {megabytes(to)}")

        return measure
