"""Trainings that the user stops: their files are kept in mind, and their models can be used."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qgis.core import QgsProject
from qgis.gui import QgisInterface
from terraweave.core.card import read_card
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.panel import Panel
from terraweave.ui.resuming import going_on, has_kept
from terraweave.ui.run import Run, State
from terraweave.ui.step_page import StepPage

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def panel(
    provider: TerraweaveProvider,
    with_worker: Path,
    qgis_iface: QgisInterface,
    scene: dict[str, str],
    tmp_path: Path,
) -> Iterator[Panel]:
    """The panel over a scene, in a project that is saved in this test's own folder."""
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    made.dock.refresh()
    yield made
    made.close()


def begin(panel: Panel, **values: object) -> Run:
    """A short training from the panel's form."""
    page = panel.dock.page("train")
    for name, value in {"EPOCHS": 3, "BATCH": 2, "DEVICE": "cpu", "REFIT": False, **values}.items():
        page.form.fields[name].touched = True
        page.form.fill(name, value)
    assert page.form.check(), page.form.problem or page.form.missing
    page.run()
    return panel.queue.runs[-1]


def stopped(panel: Panel, until: Until, **values: object) -> Run:
    """A training that is cancelled after its first epoch."""
    run = begin(panel, **values)
    until(lambda: run.story.epochs or run.state.over)
    run.cancel()
    until(lambda: run.state.over)
    assert run.state is State.CANCELLED, run.story.error
    return run


def told(page: StepPage) -> str:
    """What stands below the field of the model; empty where nothing does."""
    return "" if page.going_on.isHidden() else page.going_on.words.text()


def test_a_cancelled_training_goes_on_without_retyping_its_name(panel: Panel, until: Until) -> None:
    page = panel.dock.page("train")
    run = stopped(panel, until)
    model, report = run.parameters["MODEL"], run.parameters["REPORT"]
    done = read_card(model).training["stopped_after_epoch"]
    assert page.model_path == model
    assert page.form.values()["REPORT"] == report
    assert f"was stopped after epoch {done} of 3" in told(page)
    assert "goes on from there" in told(page)
    assert page.state.text() == "Goes on with the stopped training; see Results."
    # Not even a project that moves takes the name away.
    page.renew_files(())
    assert page.model_path == model
    again = begin(panel)
    assert told(page) == ""
    until(lambda: again.state.over)
    assert again.state is State.DONE, again.story.error
    assert again.parameters["MODEL"] == model
    assert len(again.story.epochs) == 3 - done
    assert page.model_path != model
    assert told(page) == ""


def test_a_stopped_training_can_be_left_for_a_new_one(panel: Panel, until: Until) -> None:
    page = panel.dock.page("train")
    run = stopped(panel, until)
    page.going_on.anew.click()
    assert page.model_path not in ("", run.parameters["MODEL"])
    assert Path(page.form.values()["REPORT"]).stem == Path(page.model_path).stem
    assert told(page) == ""
    assert page.state.text() == ""
    assert Path(run.parameters["MODEL"]).is_file()
    # Who names the file again is told again.
    page.form.fill("MODEL", run.parameters["MODEL"])
    assert "was stopped after epoch" in told(page)


def test_a_training_cancelled_before_its_first_epoch_gives_its_name_back(
    panel: Panel, until: Until
) -> None:
    page = panel.dock.page("train")
    run = begin(panel)
    run.cancel()
    until(lambda: run.state.over)
    assert page.model_path == run.parameters["MODEL"]


def test_files_of_another_model_are_nothing_to_go_on_from(tmp_path: Path) -> None:
    (tmp_path / "slides.v2.measure.resume").write_bytes(b"")
    assert has_kept(str(tmp_path / "slides.v2.safetensors"))
    assert not has_kept(str(tmp_path / "slides.safetensors"))
    assert "was interrupted" in going_on(str(tmp_path / "slides.v2.safetensors"))
    assert going_on(str(tmp_path / "slides.safetensors")) == ""
    assert going_on(str(tmp_path / "nowhere" / "m.safetensors")) == ""


def test_the_measured_model_of_a_cancelled_training_can_be_applied(
    panel: Panel, until: Until
) -> None:
    run = begin(panel, EPOCHS=1, REFIT=True)
    until(lambda: run.story.stage == "Training on all labels" or run.state.over)
    run.cancel()
    until(lambda: run.state.over)
    assert run.state is State.CANCELLED, run.story.error
    runs = panel.dock.runs
    runs.refresh()
    assert not runs.apply_model.isHidden()
    assert "on all labels was stopped" in runs.stopped.text()
    assert "was measured" in told(panel.dock.page("train"))
    runs.apply_model.click()
    page = panel.dock.page("predict")
    assert panel.dock.tabs.currentWidget() is page
    assert page.form.values()["MODEL"] == run.parameters["MODEL"]
    assert "on all labels was stopped" in page.card.text()


def test_a_finished_or_missing_model_is_not_said_to_be_stopped(panel: Panel, until: Until) -> None:
    run = begin(panel, EPOCHS=1)
    runs = panel.dock.runs
    runs.refresh()
    assert runs.apply_model.isHidden()
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    runs.refresh()
    assert runs.stopped.isHidden()
    assert not runs.apply_model.isHidden()
