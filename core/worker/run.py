"""Runs one job and turns whatever happens into events and an exit code."""

import errno
import logging
import sys
import traceback
from collections.abc import Callable

from ..capacity import limits_sentence
from ..errors import InputError, TerraweaveError
from ..job import Job
from ..progress import Event, Progress
from .files import check_files
from .tasks import TASKS

_log = logging.getLogger(__name__)
CRASHED = 1


def run_document(text: str, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> int:
    """Run the job in the JSON `text`; returns the exit code (0 when the job is done)."""
    return guarded(lambda: run_job(Job.from_text(text), Progress(emit, cancelled)), emit)


def run_job(job: Job, progress: Progress) -> Event:
    """Run `job` and return the result event.

    Raises:
        TerraweaveError: the job cannot be done, with the sentence for the user.
    """
    if job.task not in TASKS:
        raise InputError(f"There is no task “{job.task}”; there are {', '.join(sorted(TASKS))}.")
    check_files(job)
    if limits_sentence():
        progress.log(limits_sentence())
    values = TASKS[job.task](job, progress)
    progress.finish()
    return {"event": "result", "outputs": dict(job.outputs), "values": values}


def guarded(run: Callable[[], Event], emit: Callable[[Event], None]) -> int:
    """Call `run`, emit its result or its error, and return the exit code.

    This is the one broad border: past it, every error is an event the host can show.
    """
    try:
        emit(run())
    except TerraweaveError as error:
        return _fail(emit, type(error).__name__, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(emit, "Cancelled", "The run was cancelled.", 3)
    except MemoryError:
        return _fail(emit, "ResourceError", _OUT_OF_MEMORY, 4)
    except Exception as error:  # noqa: BLE001 - the border to the host
        traceback.print_exc(file=sys.stderr)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _fail(emit, "ResourceError", _DISK_FULL, 4)
        if "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower():
            return _fail(emit, "ResourceError", _OUT_OF_MEMORY, 4)
        text = f"The worker met an error it does not know: {type(error).__name__}: {error}"
        return _fail(emit, "UnexpectedError", text, CRASHED)
    return 0


_OUT_OF_MEMORY = (
    "The machine ran out of memory. Close other programs, choose a smaller batch, or work on a "
    "smaller extent."
)
_DISK_FULL = "The disk is full. Free some space or choose another output folder; nothing was kept."


def _fail(emit: Callable[[Event], None], kind: str, text: str, code: int) -> int:
    try:
        emit({"event": "error", "kind": kind, "text": text})
    except TerraweaveError:
        _log.warning("nobody is listening any more: %s", text)
    return code
