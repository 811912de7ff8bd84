"""The first start: why nothing can be computed yet, and the buttons that change it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qgis.core import QgsSettings
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QPushButton
from terraweave.plugin import interpreter
from terraweave.plugin.environment import actions
from terraweave.plugin.interpreter import SETTING, VARIABLE, find_interpreter
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.panel import Panel


def until(condition: Callable[[], object], milliseconds: int = 240000) -> None:
    """Let QGIS go on until the condition holds."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(20)
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    timer.stop()
    assert condition()


def click(button: QPushButton) -> None:
    """A click on a button that a user could press."""
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def panel(
    provider: TerraweaveProvider,
    qgis_iface: QgisInterface,
    qgis_new_project: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Panel]:
    """The panel in a profile without a worker, when the plan has been told."""
    folder = tmp_path / "my profile" / "worker"
    for module in (interpreter, actions):
        monkeypatch.setattr(module, "worker_folder", lambda: folder)
    monkeypatch.delenv(VARIABLE, raising=False)
    QgsSettings().remove(SETTING)
    made = Panel(qgis_iface, provider.id(), SETTING)
    made.dock.show()
    until(lambda: not made.queue.unfinished)
    yield made
    made.close()
    QgsSettings().remove(SETTING)


def test_the_first_page_says_what_is_missing_and_what_would_be_installed(panel: Panel) -> None:
    assert panel.dock.stack.currentIndex() == 0
    assert "is missing" in panel.dock.welcome.reason.text()
    assert "takes about" in panel.dock.welcome.plan.text()


def test_a_python_that_is_there_is_proved_and_used(panel: Panel, worker_python: Path) -> None:
    welcome = panel.dock.welcome
    welcome.python.setFilePath(str(worker_python))
    click(welcome.use)
    assert not welcome.use.isEnabled()
    until(lambda: not panel.queue.unfinished)
    assert panel.queue.runs[-1].state.name == "DONE", panel.queue.runs[-1].story.error
    assert find_interpreter().path == worker_python
    assert panel.dock.stack.currentIndex() == 1


def test_a_python_without_the_packages_is_refused_and_another_may_be_named(panel: Panel) -> None:
    welcome = panel.dock.welcome
    welcome.python.setFilePath("/usr/bin/python3")
    click(welcome.use)
    until(lambda: not panel.queue.unfinished)
    assert "Nothing was changed" in welcome.view.error.text()
    assert panel.dock.stack.currentIndex() == 0
    assert welcome.use.isEnabled()
    assert QgsSettings().value(SETTING, "") == ""


def test_no_python_named_is_a_sentence(panel: Panel) -> None:
    welcome = panel.dock.welcome
    click(welcome.use)
    until(lambda: not panel.queue.unfinished)
    assert "needs PYTHON" in welcome.view.error.text()
    assert welcome.install.isEnabled()


def test_an_installation_that_fails_says_why_and_can_be_tried_again(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port of this machine where nobody answers.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    welcome = panel.dock.welcome
    click(welcome.install)
    until(lambda: not panel.queue.unfinished)
    assert panel.queue.runs[-1].state.name == "FAILED"
    assert welcome.view.error.text()
    assert panel.dock.stack.currentIndex() == 0
    assert welcome.install.isEnabled()
    assert welcome.use.isEnabled()
