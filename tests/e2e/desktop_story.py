"""Runs inside a real QGIS desktop (`qgis --code`): does by clicks what a new user would do.

The story's name and the folder for pictures and findings come by environment variables, since
`--code` knows no arguments. Findings go into findings.json; the exit status says whether all of
the story was told.
"""

import faulthandler
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import terraweave
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QApplication, QMessageBox
from qgis.utils import iface
from terraweave.core.families import FAMILIES
from terraweave.ui.class_list import ClassListDialog
from terraweave.ui.options import OptionsPage

# `--code` gives a script no path of its own.
sys.path.insert(0, str(Path(terraweave.__file__).resolve().parent / "tests" / "e2e"))

from desktop_hands import (
    OUT,
    STORY,
    Condition,
    button,
    click,
    click_tab,
    estimated,
    findings,
    open_panel,
    over,
    panel,
    picture,
    pulse,
)

# The pictures show this folder's name.
DEMO = Path(os.environ.get("TERRAWEAVE_E2E_DEMO", OUT / "landcover-demo"))
EPOCHS = int(os.environ.get("TERRAWEAVE_E2E_EPOCHS", "3"))
LIMIT = float(os.environ.get("TERRAWEAVE_E2E_LIMIT", "240"))


def sample(size: int = 64) -> Iterator[Condition]:
    """Get a sample scene by a click; a small one, so that the story is short."""
    panel().sample_size = size
    pulse.start("sample scene")
    click(button("Try a sample scene"))
    yield over
    yield lambda: QgsProject.instance().count() >= 3


def short_training(epochs: int) -> None:
    """Change what makes a training long."""
    form = panel().dock.page("train").form
    form.fill("EPOCHS", epochs)
    form.fill("BATCH", 4)
    form.fill("REFIT", False)
    form.fill("DEVICE", "cpu")


def new_project() -> None:
    """Save an empty project, whose folder takes all that comes."""
    DEMO.mkdir(parents=True, exist_ok=True)
    iface.newProject()
    iface.messageBar().clearWidgets()
    QgsProject.instance().write(str(DEMO / "landcover.qgz"))


def first_start() -> Iterator[Condition]:
    """Without a worker: the panel explains, and shows what would be installed."""
    yield from open_panel()
    dock = panel().dock
    assert dock.stack.currentIndex() == 0
    pulse.start("first start")
    yield over
    yield lambda: True
    picture("first-start")
    findings["plan"] = dock.welcome.plan.text()
    findings["reason"] = dock.welcome.reason.text()


def train_and_apply() -> Iterator[Condition]:
    """From nothing to a map, by clicks."""
    new_project()
    yield from open_panel()
    yield lambda: True
    picture("1-empty")
    yield from sample(int(os.environ.get("TERRAWEAVE_E2E_SIZE", "64")))
    picture("2-sample-runs")
    click_tab("Train")
    yield lambda: True
    page = panel().dock.page("train")
    findings["guessed"] = {
        key: [layer.name() for layer in page.form.fields[key].layers()]
        for key in [role.key for role in page.family.roles]
    }
    short_training(EPOCHS)
    yield lambda: page.button.isEnabled()
    yield estimated
    picture("3-train")
    pulse.start("train")
    click(page.button)
    yield lambda: panel().queue.runs[-1].story.epochs
    picture("4-running")
    pulse.start("train")
    panel().dock.setUserVisible(False)
    yield lambda: True
    panel().dock.setUserVisible(True)
    yield over
    run = panel().queue.runs[-1]
    assert run.state.name == "DONE", run.story.error
    findings["epochs"] = [len(run.story.epochs), EPOCHS]
    picture("5-trained")
    click(button("Apply this model"))
    yield lambda: True
    page = panel().dock.page("predict")
    page.form.fill("MODE", "stride")
    page.form.fill("DEVICE", "cpu")
    yield lambda: page.button.isEnabled()
    yield estimated
    picture("6-apply")
    pulse.start("apply")
    click(page.button)
    yield over
    run = panel().queue.runs[-1]
    assert run.state.name == "DONE", run.story.error
    yield lambda: run.layers
    findings["map"] = [QgsProject.instance().mapLayer(one).name() for one in run.layers]
    yield lambda: True
    picture("7-map")
    panel().dock.runs.opacity.setValue(55)
    yield lambda: not iface.mapCanvas().isDrawing()
    picture("8-opacity")
    click_tab("Assess")
    yield lambda: True
    page = panel().dock.page("assess")
    yield lambda: page.button.isEnabled()
    picture("8-assess")
    pulse.start("assess")
    click(page.button)
    yield over
    run = panel().queue.runs[-1]
    assert run.state.name == "DONE", run.story.error
    findings["assessed"] = Path(run.results["REPORT"]).parent == DEMO
    picture("8-assessed")
    yield from themes()


def two_stages() -> Iterator[Condition]:
    """A family of one class with a second stage, from nothing to outlines, by clicks."""
    family = next(one for one in FAMILIES.values() if one.refinement is not None)
    new_project()
    yield from open_panel()
    dock = panel().dock
    pulse.start("family")
    dock.task.setCurrentIndex(dock.task.findData(family.key))
    yield lambda: True
    yield from sample(192)
    for title, tool in (("Train", "train"), ("Refine", "refine"), ("Apply", "predict")):
        pulse.start(f"open {title}")
        click_tab(title)
        yield lambda: hasattr(dock.tabs.currentWidget(), "form")
        page = dock.page(tool)
        for name, value in {"EPOCHS": 1, "BATCH": 2, "REFIT": False, "DEVICE": "cpu"}.items():
            page.form.fill(name, value)
        yield lambda page=page: page.button.isEnabled()
        yield estimated
        findings[f"estimate of {tool}"] = page.estimator.state.value
        picture(f"two-stages-{tool}")
        pulse.start(title)
        click(page.button)
        yield over
        run = panel().queue.runs[-1]
        assert run.state.name == "DONE", run.story.error
    yield lambda: run.layers
    yield lambda: not iface.mapCanvas().isDrawing()
    picture("two-stages-map")
    root = QgsProject.instance().layerTreeRoot()
    layers = [QgsProject.instance().mapLayer(one) for one in run.layers]
    findings["shown"] = {
        layer.name(): root.findLayer(layer).itemVisibilityChecked() for layer in layers
    }


def themes() -> Iterator[Condition]:
    """The pages in QGIS's dark theme."""
    QgsApplication.setUITheme("Night Mapping")
    yield lambda: True
    picture("9-dark-runs")
    click_tab("Apply")
    yield lambda: True
    picture("9-dark-apply")
    click_tab("Train")
    yield lambda: True
    picture("9-dark-train")


def looks() -> Iterator[Condition]:
    """All pages, to be looked at in another theme, size or language; the model is given."""
    if os.environ.get("TERRAWEAVE_E2E_LOOK") == "dark":
        QgsApplication.setUITheme("Night Mapping")
    yield from open_panel()
    dock = panel().dock
    panel().sample_size = 64
    click(dock.sample)
    yield over
    yield lambda: QgsProject.instance().count() >= 3
    dock.show_model(os.environ.get("TERRAWEAVE_E2E_MODEL", ""))
    for place in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(place)
        yield lambda: True
        yield estimated
        picture(f"look-{place}")
    page = dock.page("train")
    dock.tabs.setCurrentWidget(page)
    page.form.fill("PAN", page.form.values()["MS"])
    yield lambda: page.form.problem
    picture("look-problem")
    dialog = ClassListDialog(["Wood", "Lake", "Rock"], iface.mainWindow())
    dialog.show()
    yield lambda: True
    dialog.grab().save(str(OUT / "look-classes.png"))
    dialog.reject()
    options = OptionsPage(None, "terraweave/python")
    options.resize(600, 400)
    options.show()
    yield lambda: True
    options.grab().save(str(OUT / "look-options.png"))
    options.close()


def cancel() -> Iterator[Condition]:
    """Cancel in the middle of a training."""
    yield from open_panel()
    yield from sample()
    click_tab("Train")
    short_training(2000)
    page = panel().dock.page("train")
    yield lambda: page.button.isEnabled()
    click(page.button)
    yield lambda: panel().queue.runs[-1].story.epochs
    started = time.perf_counter()
    click(panel().dock.runs.view.cancel)
    yield over
    run = panel().queue.runs[-1]
    findings["cancel_seconds"] = round(time.perf_counter() - started, 2)
    findings["state"] = run.state.name
    picture("cancelled")


def close_during_run() -> Iterator[Condition]:
    """QGIS is closed while a training runs; whoever started it looks for orphans."""
    yield from open_panel()
    yield from sample()
    click_tab("Train")
    short_training(2000)
    page = panel().dock.page("train")
    yield lambda: page.button.isEnabled()
    click(page.button)
    yield lambda: panel().queue.runs[-1].story.epochs


def one_of_two() -> Iterator[Condition]:
    """One of two windows of the same profile, which do everything at the same time."""
    yield from open_panel()
    yield from met("sample")
    yield from sample()
    click_tab("Train")
    short_training(1)
    page = panel().dock.page("train")
    yield lambda: page.button.isEnabled()
    yield from met("train")
    click(page.button)
    yield over
    scene, training = panel().queue.runs
    assert training.state.name == "DONE", training.story.error
    findings["sample"], findings["model"] = scene.results["FOLDER"], training.results["MODEL"]


def met(place: str) -> Iterator[Condition]:
    """Wait until the other window has come as far as this."""
    meeting = Path(os.environ["TERRAWEAVE_E2E_MEETING"])
    (meeting / f"{place} {OUT.name}").touch()
    yield lambda: len(list(meeting.glob(f"{place} *"))) == 2


STORIES = {
    "one_of_two": one_of_two,
    "first_start": first_start,
    "train_and_apply": train_and_apply,
    "two_stages": two_stages,
    "cancel": cancel,
    "looks": looks,
    "close_during_run": close_during_run,
}


class Teller:
    """Takes one step of the story whenever what it waits for has come true."""

    def __init__(self, story: Iterator[Condition]) -> None:
        self._story = story
        self._wait: Condition = lambda: True
        self._started = self._since = time.monotonic()
        self._timer = QTimer()
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._step)
        self._timer.start()

    def _step(self) -> None:
        try:
            if time.monotonic() - self._started > LIMIT:
                picture("stuck")
                raise TimeoutError("The story got stuck.")
            # A little patience, so that widgets are laid out before the next step.
            if not self._wait() or time.monotonic() - self._since < 0.4:
                return
            self._wait = next(self._story)
            self._since = time.monotonic()
        except StopIteration:
            self._end(0)
        except BaseException as error:  # noqa: BLE001 - whatever it is, QGIS must not hang
            traceback.print_exc()
            findings["error"] = f"{type(error).__name__}: {error}"
            findings["log"] = [run.story.lines[-5:] for run in panel().queue.runs]
            self._end(3)

    def _end(self, status: int) -> None:
        self._timer.stop()
        pulse.stop()
        findings["blocked_milliseconds"] = pulse.longest
        (OUT / "findings.json").write_text(json.dumps(findings, indent=1), encoding="utf-8")
        if status:
            os._exit(status)
        QTimer.singleShot(200, answer_questions)
        if STORY != "close_during_run":
            QgsProject.instance().clear()
        QTimer.singleShot(0, iface.actionExit().trigger)


def answer_questions() -> None:
    """Say yes to whatever QGIS asks when it is closed."""
    for box in QApplication.topLevelWidgets():
        if isinstance(box, QMessageBox) and box.isVisible():
            findings.setdefault("asked", []).append(box.text())
            (OUT / "findings.json").write_text(json.dumps(findings, indent=1), encoding="utf-8")
            for kind in (
                QMessageBox.StandardButton.Discard,
                QMessageBox.StandardButton.Yes,
                QMessageBox.StandardButton.Ok,
            ):
                if box.button(kind) is not None:
                    box.button(kind).click()
                    break
    if STORY == "close_during_run" and over() and "closed_again" not in findings:
        # After its question QGIS only cancels the tasks; the user closes it once more.
        findings["closed_again"] = True
        QgsProject.instance().clear()
        QTimer.singleShot(0, iface.actionExit().trigger)
    QTimer.singleShot(300, answer_questions)


faulthandler.enable(sys.stderr)
teller = Teller(STORIES[STORY]())
