"""`diagnose`: its outputs, with a worker and without."""

import json
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingException
from terraweave.core.job import Job
from terraweave.plugin.algorithms import diagnose as module
from terraweave.plugin.algorithms.diagnose import DiagnoseAlgorithm
from terraweave.plugin.job import JobCancelled, JobResult

from ..conftest import Listener

VALUES = {
    "versions": {"torch": "2.13.0"},
    "system": {"threads": 1, "cores": 2},
    "devices": {"choice": "Running on the card.", "cuda": True, "mps": False, "cards": []},
    "checks": [{"name": "Rasters", "passed": True, "finding": "fine.", "seconds": 0.1}],
    "scans": [
        {"key": "a", "title": "fast", "works": False, "finding": "differs"},
        {"key": "torch", "title": "plain torch", "works": True, "finding": "agrees"},
    ],
    "seconds": {"import_torch": 1.5, "processor_scan": 0.01},
}


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> DiagnoseAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return DiagnoseAlgorithm().create()


def test_parameters_and_outputs(algorithm: DiagnoseAlgorithm) -> None:
    assert [one.name() for one in algorithm.parameterDefinitions()] == ["REPORT"]
    assert {one.name() for one in algorithm.outputDefinitions()} == {
        "REPORT", "TEXT", "WORKER_WORKS", "CUDA", "MPS", "PROBLEMS", "SCAN_BACKENDS",
        "IMPORT_SECONDS", "SCAN_SECONDS",
    }  # fmt: skip


def test_report_that_cannot_be_written_is_refused(
    algorithm: DiagnoseAlgorithm, context: QgsProcessingContext, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    fits, _ = algorithm.checkParameterValues({"REPORT": str(tmp_path / "file" / "x.md")}, context)
    assert not fits


def test_numbers_and_flags_come_from_the_worker(
    algorithm: DiagnoseAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(job: Job, feedback: Listener) -> JobResult:
        assert job.task == "diagnose"
        return JobResult({}, VALUES)

    monkeypatch.setattr(module, "run_job", answer)
    given = {"REPORT": str(tmp_path / "new folder" / "report.md")}
    results, _ = algorithm.run(given, context, listener, catchExceptions=False)
    assert results["WORKER_WORKS"] is True
    assert (results["CUDA"], results["MPS"]) == (True, False)
    assert (results["SCAN_BACKENDS"], results["PROBLEMS"]) == (1, 0)
    assert (results["IMPORT_SECONDS"], results["SCAN_SECONDS"]) == (1.5, 0.01)
    assert Path(given["REPORT"]).read_text(encoding="utf-8") == results["TEXT"]
    assert "| fast | DOES NOT WORK: differs |" in results["TEXT"]


@pytest.mark.usefixtures("no_worker")
def test_missing_worker_is_a_finding_and_no_failure(
    algorithm: DiagnoseAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(job: Job, feedback: Listener) -> JobResult:
        raise QgsProcessingException("The worker environment of Terraweave is missing.")

    monkeypatch.setattr(module, "run_job", answer)
    results, _ = algorithm.run({}, context, listener, catchExceptions=False)
    assert (results["WORKER_WORKS"], results["PROBLEMS"]) == (False, 1)
    assert "IMPORT_SECONDS" not in results, "what was not measured is not 0"
    assert "- The worker environment of Terraweave is missing." in results["TEXT"]


def test_cancel_is_no_finding(
    algorithm: DiagnoseAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(job: Job, feedback: Listener) -> JobResult:
        raise JobCancelled("The run was cancelled.")

    monkeypatch.setattr(module, "run_job", answer)
    with pytest.raises(QgsProcessingException, match="cancelled"):
        algorithm.run({}, context, listener, catchExceptions=False)


@pytest.mark.slow
def test_real_worker_is_well(
    algorithm: DiagnoseAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    with_worker: Path,
) -> None:
    results, _ = algorithm.run({}, context, listener, catchExceptions=False)
    assert results["WORKER_WORKS"], results["TEXT"]
    assert str(Path.home()) not in results["TEXT"]
    assert json.dumps(results)
