"""Tells what works here and what does not: `diagnose`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from ...core.job import Job
from ..checks import check_output
from ..job import JobCancelled, run_job
from .base import Parameters, TerraweaveAlgorithm, make_folders
from .forms import with_help

_FLAGS = (
    ("WORKER_WORKS", "The worker works"),
    ("CUDA", "torch can use an NVIDIA card"),
    ("MPS", "torch can use an Apple chip's graphics"),
)
_NUMBERS = (
    ("PROBLEMS", "Problems found"),
    ("SCAN_BACKENDS", "Scan backends that work"),
    ("IMPORT_SECONDS", "Seconds to import torch"),
    ("SCAN_SECONDS", "Seconds of one scan on the processor"),
)


class DiagnoseAlgorithm(TerraweaveAlgorithm):
    """Asks host and worker what they are, and has the worker try everything it needs."""

    KEY = "diagnose"
    TITLE = "Diagnose"
    GROUP = ("worker", "Worker")
    SUMMARY = (
        "Tries what Terraweave needs and writes a report to paste into an issue: versions, "
        "devices, checks, timings. It holds no user names and no paths of your home folder."
    )
    NEEDS_WORKER = False

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        report = QgsProcessingParameterFileDestination(
            "REPORT", "Report", "Markdown (*.md)", optional=True
        )
        self.addParameter(with_help(report, "The report as a text file."))
        self.addOutput(QgsProcessingOutputString("TEXT", "Report as text"))
        for name, title in _FLAGS:
            self.addOutput(QgsProcessingOutputBoolean(name, title))
        for name, title in _NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse a report that cannot be written."""
        check_output(self.given(parameters, "REPORT", context.expressionContext()), "REPORT", [])

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Ask, write the page, and return what can be counted."""
        from ..environment.report import page, without_private

        values: Mapping[str, Any] = {}
        problems: list[str] = []
        try:
            values = run_job(Job("diagnose"), feedback).values
        except JobCancelled:
            raise
        except QgsProcessingException as error:
            # A worker that does not work is what this tool is there to tell of.
            problems.append(str(error))
        problems += [
            f"{one['name']}: {one['finding']}"
            for one in values.get("checks", [])
            if not one["passed"]
        ]
        text = page(values, problems)
        feedback.pushInfo(text)
        for problem in problems:
            feedback.pushWarning(without_private(problem))
        return _written(self.parameterAsFileOutput(parameters, "REPORT", context), text) | _counted(
            values, problems
        ) | {"TEXT": text}  # fmt: skip


def _written(path: str, text: str) -> dict[str, Any]:
    if not path:
        return {}
    make_folders({"REPORT": path})
    Path(path).write_text(text, encoding="utf-8")
    return {"REPORT": path}


def _counted(values: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """What a script wants to know; a number that was not measured is left out."""
    devices, seconds = values.get("devices", {}), values.get("seconds", {})
    counted = {
        "WORKER_WORKS": bool(values) and not problems,
        "CUDA": bool(devices.get("cuda", False)),
        "MPS": bool(devices.get("mps", False)),
        "PROBLEMS": len(problems),
        "SCAN_BACKENDS": sum(1 for one in values.get("scans", []) if one["works"]),
        "IMPORT_SECONDS": seconds.get("import_torch"),
        "SCAN_SECONDS": seconds.get("processor_scan"),
    }
    return {name: value for name, value in counted.items() if value is not None}
