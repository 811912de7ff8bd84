"""The one job client: runs a job in a worker process and feeds Processing's feedback."""

import json
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from qgis.core import QgsProcessingException, QgsProcessingFeedback

from ..core.job import Features, Job, Source
from .interpreter import InterpreterError, find_interpreter
from .process import Event, WorkerProcess, worker_command

POLL_SECONDS = 0.1
# A cancelled worker stops at its next checkpoint; after this it is ended.
GRACE_SECONDS = 10.0
# How often the time left is put into the log while a stage goes on.
TELL_SECONDS = 30.0
_File = TypeVar("_File", Source, Features)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a worker reported at the end: the files it wrote and the values it found."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)


class JobCancelled(QgsProcessingException):
    """The user asked for the end of the run, and the worker is gone."""


def run_job(
    job: Job,
    feedback: QgsProcessingFeedback,
    *,
    command: Sequence[str] | None = None,
    grace: float = GRACE_SECONDS,
) -> JobResult:
    """Run `job` in a worker process of its own and wait for it, reporting to `feedback`.

    `command` replaces the worker's command line. Meant for Processing's thread: it blocks, and
    looks every `POLL_SECONDS` whether the user has cancelled.

    Raises:
        QgsProcessingException: the worker is missing, refused, failed, died or was cancelled;
            the message is a sentence for the user.
    """
    worker = _start(command)
    try:
        worker.send(json.dumps(_from_anywhere(job).to_json()))
        return _conversation(worker, feedback, grace)
    finally:
        worker.end(grace)


def _from_anywhere(job: Job) -> Job:
    """`job` with whole paths, since the worker runs in another folder than QGIS does."""

    def whole(path: str) -> str:
        # What is no file here is for GDAL to read: a subdataset, something remote, an archive.
        return str(Path(path).absolute()) if path and Path(path).exists() else path

    def file(one: _File) -> _File:
        return replace(one, path=whole(one.path))

    return replace(
        job,
        inputs={role: tuple(file(one) for one in some) for role, some in job.inputs.items()},
        labels=file(job.labels) if job.labels else None,
        area=file(job.area) if job.area else None,
        model=whole(job.model),
        features={key: file(one) for key, one in job.features.items()},
        outputs={key: str(Path(path).absolute()) for key, path in job.outputs.items() if path},
    )


def _start(command: Sequence[str] | None) -> WorkerProcess:
    try:
        command = command or worker_command(find_interpreter().path)
        return WorkerProcess(command)
    except InterpreterError as error:
        raise QgsProcessingException(str(error)) from error
    except OSError as error:
        raise QgsProcessingException(
            f"The worker could not be started: {error}. Check the worker's Python, or make the "
            "worker environment anew."
        ) from error


def _conversation(
    worker: WorkerProcess, feedback: QgsProcessingFeedback, grace: float
) -> JobResult:
    show = Display(feedback)
    deadline, trained = None, False
    while True:
        if deadline is None and feedback.isCanceled():
            worker.send("cancel")
            deadline = time.monotonic() + grace
        if deadline is not None and time.monotonic() > deadline:
            worker.end(0.0)
            raise JobCancelled("The run was cancelled; the worker did not answer and was ended.")
        with suppress(queue.Empty):
            event = worker.next_event(POLL_SECONDS)
            if event is None:
                raise _death(worker, cancelled=deadline is not None, trained=trained)
            trained |= event["event"] == "epoch"
            if event["event"] == "result":
                return _result(event)
            if event["event"] == "error":
                raise _failure(event)
            show(event)


def _result(event: Event) -> JobResult:
    outputs, values = event.get("outputs"), event.get("values")
    if not isinstance(outputs, dict) or not isinstance(values, dict):
        raise QgsProcessingException(_FOREIGN)
    return JobResult(outputs, values)


def _failure(event: Event) -> QgsProcessingException:
    text = str(event.get("text", "")) or "The worker failed and did not say why."
    if event.get("kind") == "Cancelled":
        return JobCancelled(text)
    return QgsProcessingException(text)


def _death(worker: WorkerProcess, *, cancelled: bool, trained: bool) -> QgsProcessingException:
    """The error for a worker whose output ended without a result.

    It may have `trained` an epoch or more, which are on the disk.
    """
    status = worker.end(1.0)
    if cancelled:
        return JobCancelled("The run was cancelled.")
    tail = worker.error_tail()
    sentence = _death_sentence(status, tail, _EPOCHS_KEPT if trained else _NOTHING_KEPT)
    return QgsProcessingException(f"{sentence}\n{tail}" if tail else sentence)


_NOTHING_KEPT = "nothing of the result was kept"
_EPOCHS_KEPT = (
    "the epochs that it finished are kept, and the same training, started again with the same "
    "settings and the same MODEL, goes on after them"
)


def _death_sentence(status: int, tail: str, kept: str) -> str:
    if "No module named" in tail:
        return (
            "The worker environment is incomplete or was made for another version of Terraweave; "
            "make it anew. Its last words were:"
        )
    if status < 0:
        name = _signal_name(-status)
        reason = ", perhaps for lack of memory" if name == "SIGKILL" else ""
        return (
            f"The worker was killed by {name}{reason}; {kept}. Close other programs, choose a "
            "smaller batch or extent, and run again."
        )
    return (
        f"The worker ended unexpectedly with exit status {status}; {kept}. Please report this with "
        "the text below."
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_FOREIGN = (
    "The worker answers in a form that this version of Terraweave does not know; make the worker "
    "environment anew."
)


_EPOCH_WORDS = {"event", "epoch", "epochs"}


class Display:
    """Shows a worker's events through Processing's feedback, a line where a person wants one."""

    def __init__(
        self, feedback: QgsProcessingFeedback, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds; it decides how often the time left is repeated."""
        self._feedback = feedback
        self._clock = clock
        self._stage = ""
        self._told = clock()
        self._shows = {"progress": self._progress, "log": self._log, "epoch": self._epoch}

    def __call__(self, event: Event) -> None:
        """Show one event; an unknown one goes to the debug log.

        A feedback that has `listen` gets every event as it is, for live curves and time left.
        """
        listen = getattr(self._feedback, "listen", None)
        if listen is not None:
            listen(event)
        self._shows.get(str(event["event"]), self._unknown)(event)

    def _progress(self, event: Event) -> None:
        fraction = event.get("fraction")
        if isinstance(fraction, int | float):
            # What the host has prepared for the worker is already on the bar.
            self._feedback.setProgress(max(self._feedback.progress(), 100.0 * fraction))
        stage, left = str(event.get("stage", "")), event.get("seconds_left")
        news = stage != self._stage
        # QGIS repeats every progress text in the log, so that ten a second would bury the rest.
        repeat = isinstance(left, int | float) and self._clock() - self._told >= TELL_SECONDS
        if news or repeat:
            self._stage, self._told = stage, self._clock()
            self._feedback.setProgressText(_with_time(stage, left))

    def _log(self, event: Event) -> None:
        text = str(event.get("text", ""))
        if event.get("level") == "warning":
            self._feedback.pushWarning(text)
        else:
            self._feedback.pushInfo(text)

    def _epoch(self, event: Event) -> None:
        numbers = (
            f"{key.replace('_', ' ')} {_short(value)}"
            for key, value in event.items()
            if key not in _EPOCH_WORDS and isinstance(value, int | float)
        )
        total = f" of {event['epochs']}" if "epochs" in event else ""
        self._feedback.pushInfo(f"Epoch {event.get('epoch', '')}{total}: {', '.join(numbers)}")

    def _unknown(self, event: Event) -> None:
        self._feedback.pushDebugInfo(f"Worker: {event}")


def _with_time(stage: str, left: object) -> str:
    return f"{stage}: {time_left(left)} left" if isinstance(left, int | float) else stage


def time_left(seconds: float) -> str:
    """A duration in the words of a person: “about 3 minutes”."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} seconds" if seconds >= 1.5 else "a second"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 3600)} hours"


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
