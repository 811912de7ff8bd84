"""Has an environment prove itself: its own worker computes, reads and writes."""

from collections.abc import Mapping
from pathlib import Path

from qgis.core import QgsProcessingException, QgsProcessingFeedback

from ...core.errors import Cancelled
from ...core.job import Job
from ..job import JobCancelled, run_job
from ..process import worker_command
from .failures import SetupError, classified


def prove_environment(python: Path, feedback: QgsProcessingFeedback) -> Mapping[str, object]:
    """What the worker of the environment with the interpreter `python` proved.

    Raises:
        SetupError: it does not start, or something that the work needs does not work.
        Cancelled: the user asked for the end.
    """
    try:
        values = run_job(Job("prove"), feedback, command=worker_command(python)).values
    except JobCancelled as error:
        raise Cancelled(str(error)) from error
    except QgsProcessingException as error:
        known = classified(str(error), 1, "proving the environment")
        if known.kind != "unknown":
            raise known from error
        raise SetupError("proof", f"The environment does not work: {error}") from error
    return values
