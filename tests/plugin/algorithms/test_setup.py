"""`setup`: its parameters, its refusals, its run as far as no package is needed."""

import os
import socket
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingException, QgsSettings
from terraweave.plugin import interpreter
from terraweave.plugin.algorithms.setup import SetupAlgorithm
from terraweave.plugin.environment import actions
from terraweave.plugin.environment.places import Places, write_mark
from terraweave.plugin.interpreter import SETTING, find_interpreter

from ..conftest import Listener


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> SetupAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return SetupAlgorithm().create()


@pytest.fixture
def worker_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The worker's folder of a profile of this test."""
    folder = tmp_path / "my profile" / "worker"
    for module in (interpreter, actions):
        monkeypatch.setattr(module, "worker_folder", lambda: folder)
    return folder


def test_parameters_and_outputs(algorithm: SetupAlgorithm) -> None:
    assert [one.name() for one in algorithm.parameterDefinitions()] == [
        "ACTION", "BUILD", "PYTHON", "WHEELS", "INDEX", "EXTRA_INDEX", "INSTALLER", "PLATFORM",
        "PYTHON_VERSION", "MAMBA",
    ]  # fmt: skip
    outputs = {one.name() for one in algorithm.outputDefinitions()}
    assert outputs == {"INTERPRETER", "PLAN", "BUILD_USED", "LOG", "MEGABYTES", "SECONDS"}


def test_it_can_run_where_there_is_no_worker(algorithm: SetupAlgorithm, no_worker: None) -> None:
    assert algorithm.canExecute() == (True, "")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ACTION": "use"}, "The action “use” needs PYTHON"),
        ({"ACTION": "fetch"}, "The action “fetch” needs WHEELS"),
    ],
)
def test_action_that_lacks_something_is_refused(
    algorithm: SetupAlgorithm, context: QgsProcessingContext, given: dict[str, str], reason: str
) -> None:
    fits, said = algorithm.checkParameterValues(given, context)
    assert not fits
    assert reason in said


def test_plan_is_told_and_nothing_is_made(
    algorithm: SetupAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    worker_folder: Path,
) -> None:
    results, _ = algorithm.run(
        {"ACTION": "plan", "INSTALLER": "pip"}, context, listener, catchExceptions=False
    )
    assert str(worker_folder / "environments") in results["PLAN"]
    assert results["PLAN"] == "\n".join(listener.texts("info")[-5:])
    assert not worker_folder.exists()


def test_failure_is_an_exception_with_a_link_to_the_log(
    algorithm: SetupAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    worker_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for name in [key for key in os.environ if key.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    links: list[str] = []
    listener.pushFormattedMessage = lambda html, text: links.append(html)
    given = {"BUILD": "cpu", "INSTALLER": "pip", "INDEX": f"http://127.0.0.1:{port}/simple"}
    with pytest.raises(QgsProcessingException, match="index could not be reached.*The whole log"):
        algorithm.run(given, context, listener, catchExceptions=False)
    [log] = (worker_folder / "logs").iterdir()
    assert "Connection refused" in log.read_text()
    assert log.name in links[0]
    assert "my%20profile" in links[0] or "my profile" in links[0]


@pytest.mark.usefixtures("no_worker", "worker_folder")
@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        (
            "qgis-bin",
            'touch "$0-started"',
            "is not called python, and is not started: it may be QGIS",
        ),
        ("python3", "echo hello", "did not answer as a Python .*it said: hello"),
        (
            "python3",
            """echo 'terraweave {"version": [3, 9, 1], "bits": 64, "implementation": "CPython",
                "venv": true, "ensurepip": true, "ssl": true}' | tr '\\n' ' '""",
            "is Python 3.9; the worker needs 3.10 or newer",
        ),
        (
            "python3",
            'exec /usr/bin/python3 -S "$@"',
            "Packages does not work.*Nothing was changed.*requirements.txt.*ACTION=install",
        ),
    ],
)
def test_python_that_cannot_work_is_not_switched_to(
    algorithm: SetupAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    tmp_path: Path,
    name: str,
    script: str,
    said: str,
) -> None:
    broken = tmp_path / name
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    links: list[str] = []
    listener.pushFormattedMessage = lambda html, text: links.append(html)
    given = {"ACTION": "use", "PYTHON": str(broken)}
    with pytest.raises(QgsProcessingException, match=said):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not QgsSettings().contains(SETTING)
    assert not broken.with_name(f"{name}-started").exists()
    assert links == [], "there is no log of this run"


@pytest.mark.slow
@pytest.mark.usefixtures("no_worker")
def test_environment_of_somebody_else_is_proved_and_used(
    algorithm: SetupAlgorithm,
    context: QgsProcessingContext,
    listener: Listener,
    worker_python: Path,
) -> None:
    results, _ = algorithm.run(
        {"ACTION": "use", "PYTHON": str(worker_python)}, context, listener, catchExceptions=False
    )
    assert results["INTERPRETER"] == str(worker_python)
    assert find_interpreter().path == worker_python
    assert any("GDAL" in text for text in listener.texts("info"))


def test_environment_made_now_goes_before_what_was_set_before(
    worker_folder: Path, listener: Listener, tmp_path: Path, no_worker: None
) -> None:
    QgsSettings().setValue(SETTING, str(tmp_path / "old" / "python"))
    places = Places(worker_folder)
    python = places.environments / "new" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    write_mark(places.environments / "new", {})
    places.switch(places.environments / "new")
    actions._use_ours(listener)
    assert find_interpreter().path == python
    assert "is cleared" in listener.texts("info")[0]
