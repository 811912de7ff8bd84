"""What may happen between choosing and the end of a run: layers, projects and files that go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import Qgis, QgsFeature, QgsGeometry, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QEventLoop, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
from terraweave.ui.models import Claims
from terraweave.ui.panel import Panel
from terraweave.ui.results import loading
from terraweave.ui.run import Run, State
from terraweave.ui.step_page import StepPage


def until(condition: Callable[[], object], milliseconds: int = 240000) -> None:
    """Let QGIS go on until the condition holds."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(5)
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    timer.stop()
    assert condition()


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    """A model file of this test's own."""
    copy = tmp_path / "model.safetensors"
    copy.write_bytes(trained_model.read_bytes())
    return copy


@pytest.fixture
def page(panel: Panel, model: Path, tmp_path: Path) -> StepPage:
    """The page that applies the model, ready to run."""
    panel.dock.show_model(str(model))
    found = panel.dock.page("predict")
    found.form.fill("MODE", "stride")
    found.form.fill("STRIDE", 8)
    found.form.fill("DEVICE", "cpu")
    found.form.fill("CLASSES", str(tmp_path / "map.tif"))
    assert found.form.check(), found.form.problem
    return found


def started(panel: Panel, page: StepPage) -> Run:
    """A run of the page whose worker is at work."""
    page.run()
    run = panel.queue.runs[-1]
    until(lambda: run.story.stage or run.state.over)
    assert run.state is State.RUNNING, run.story.error
    return run


def test_a_layer_removed_during_a_run_is_not_missed(
    panel: Panel, page: StepPage, scene: dict[str, str], tmp_path: Path
) -> None:
    run = started(panel, page)
    QgsProject.instance().removeMapLayers([scene["ms"], scene["pan"]])
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    assert QgsRasterLayer(str(tmp_path / "map.tif")).isValid()
    until(lambda: run.layers)
    assert [QgsProject.instance().mapLayer(one) is not None for one in run.layers] == [True]


def test_a_copied_layer_removed_during_a_run_is_not_missed(
    panel: Panel, page: StepPage, scene: dict[str, str]
) -> None:
    # Values that only QGIS calls nodata make the host write a copy for the worker.
    layer = QgsProject.instance().mapLayer(scene["pan"])
    layer.dataProvider().setUserNoDataValue(1, layer.dataProvider().userNoDataValues(1))
    page.run()
    QgsProject.instance().removeMapLayers([scene["ms"], scene["pan"]])
    del layer
    run = panel.queue.runs[-1]
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error


def test_a_project_closed_during_a_run_costs_nothing(
    panel: Panel, page: StepPage, tmp_path: Path
) -> None:
    run = started(panel, page)
    QgsProject.instance().clear()
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    assert QgsRasterLayer(str(tmp_path / "map.tif")).isValid()


def test_unsaved_features_are_used_and_that_is_said(
    panel: Panel, scene: dict[str, str], tmp_path: Path
) -> None:
    labels: QgsVectorLayer = QgsProject.instance().mapLayer(scene["labels"])
    saved = labels.featureCount()
    template = next(labels.getFeatures())
    assert labels.startEditing()
    drawn = QgsFeature(labels.fields())
    drawn.setAttribute("class_name", template["class_name"])
    drawn.setGeometry(QgsGeometry(template.geometry()))
    assert labels.addFeature(drawn)
    page = panel.dock.page("train")
    page.labelling.watch()
    until(page.labelling.unsaved.text)
    assert "saved or not" in page.labelling.unsaved.text()
    page.form.fill("EPOCHS", 1)
    page.form.fill("MODEL", str(tmp_path / "m.safetensors"))
    page.form.fill("REPORT", "")
    assert page.form.check(), page.form.problem
    page.run()
    run = panel.queue.runs[-1]
    until(lambda: run.state.over or any("features" in text for _, text in run.story.lines))
    run.cancel()
    until(lambda: run.state.over)
    texts = [text for _, text in run.story.lines]
    assert f"“valley labels”: {saved + 1} features, those not saved yet among them." in texts
    assert labels.rollBack()
    until(lambda: not page.labelling.unsaved.text())


def test_a_model_deleted_after_it_was_chosen_is_said_beside_its_field(
    panel: Panel, page: StepPage, model: Path
) -> None:
    model.unlink()
    page.run()
    assert panel.queue.runs == []
    assert "There is no model file" in page.form.fields["MODEL"].problem.text()
    assert not page.button.isEnabled()


def test_a_model_deleted_while_a_run_waits_is_a_sentence(
    panel: Panel, page: StepPage, model: Path, tmp_path: Path
) -> None:
    run = Run(page.form.algorithm.create(), page.form.values(), "Apply")
    model.unlink()
    panel.queue.add(run)
    until(lambda: run.state.over)
    assert run.state is State.FAILED
    assert "model.safetensors" in run.story.error
    assert not (tmp_path / "map.tif").exists()


def test_a_model_file_dropped_on_the_panel_is_chosen(panel: Panel, model: Path) -> None:
    data = QMimeData()
    data.setUrls(
        [QUrl.fromLocalFile(str(model.with_suffix(".txt"))), QUrl.fromLocalFile(str(model))]
    )
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    enter.ignore()
    panel.dock.dragEnterEvent(enter)
    assert enter.isAccepted()
    panel.dock.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))
    page = panel.dock.page("predict")
    assert panel.dock.tabs.currentWidget() is page
    assert page.form.fields["MODEL"].value() == str(model)
    assert page.card.card.family == page.family.key


def test_another_file_is_not_taken(panel: Panel, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "map.tif"))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    enter.ignore()
    panel.dock.dragEnterEvent(enter)
    assert not enter.isAccepted()


def test_a_dropped_file_that_is_no_model_is_a_sentence(panel: Panel, tmp_path: Path) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_text("no model at all")
    said: list[str] = []
    panel.dock.refused_file.connect(said.append)
    panel.dock.show_model(str(fake))
    assert len(said) == 1
    assert "fake.safetensors" in said[0]


def test_two_windows_never_write_one_model(
    panel: Panel, qgis_iface: QgisInterface, tmp_path: Path
) -> None:
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    second = Panel(qgis_iface, "terraweave", "terraweave/python")
    pages = [one.dock.page("train") for one in (panel, second)]
    for page in pages:
        page.renew_files(())
        page.form.fill("EPOCHS", 1)
        assert page.form.check(), page.form.problem
    # Both windows were opened before either began.
    assert pages[0].model_path == pages[1].model_path
    for page in pages:
        page.run()
    runs = [one.queue.runs[-1] for one in (panel, second)]
    assert runs[0].parameters["MODEL"] != runs[1].parameters["MODEL"]
    for run in runs:
        run.cancel()
    until(lambda: all(run.state.over for run in runs))
    second.close()
    assert list(tmp_path.glob("*.lock")) == []


def test_a_model_that_another_window_writes_is_refused(
    panel: Panel, qgis_iface: QgisInterface, tmp_path: Path
) -> None:
    chosen = str(tmp_path / "mine.safetensors")
    other = Claims()
    assert other.take(chosen)
    page = panel.dock.page("train")
    page.form.fill("MODEL", chosen)
    page.form.fields["MODEL"].touched = True
    assert page.form.check(), page.form.problem
    page.run()
    assert panel.queue.runs == []
    assert (
        "is being written by another run"
        in qgis_iface.messageBar().get_messages(Qgis.MessageLevel.Warning)[-1]
    )
    other.release(chosen)
    assert Claims().take(chosen)


def test_a_layer_removed_while_the_others_are_loaded_is_not_missed(
    panel: Panel, page: StepPage
) -> None:
    run = Run(page.form.algorithm.create(), page.form.values(), "Apply")
    panel.queue.ended.disconnect(panel._ended)
    panel.queue.add(run)
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    steps = loading(run)
    before = set(QgsProject.instance().mapLayers())
    while set(QgsProject.instance().mapLayers()) == before:
        next(steps)
    QgsProject.instance().clear()
    assert list(steps) == []
    assert run.layers == []
    panel.queue.ended.connect(panel._ended)


def test_a_layer_whose_file_is_gone_is_a_sentence(
    panel: Panel, page: StepPage, scene: dict[str, str], tmp_path: Path
) -> None:
    layer = QgsProject.instance().mapLayer(scene["pan"])
    layer.setDataSource(str(tmp_path / "gone.tif"), "gone pan", "gdal")
    assert not layer.isValid()
    page.form.fields["PAN"].touched = True
    page.form.fill("PAN", layer.id())
    assert not page.form.check()
    assert page.form.problem or page.form.missing
    assert not page.button.isEnabled()
    said = page.form.fields["PAN"].problem.text()
    assert f"“gone pan” cannot be opened: its file “{tmp_path / 'gone.tif'}” is not there" in said
    assert "Change Data Source…" in said


def test_a_file_deleted_after_its_layer_was_chosen_is_a_sentence(
    panel: Panel, page: StepPage, scene: dict[str, str], tmp_path: Path
) -> None:
    layer = QgsProject.instance().mapLayer(scene["pan"])
    copy = tmp_path / "pan.tif"
    copy.write_bytes(Path(layer.source()).read_bytes())
    layer.setDataSource(str(copy), "our pan", "gdal")
    assert page.form.check(), page.form.problem
    copy.unlink()
    page.run()
    assert panel.queue.runs == []
    assert f"its file “{copy}” is not there" in page.form.fields["PAN"].problem.text()


def test_whoever_misses_a_broken_layer_is_told_why(
    panel: Panel, scene: dict[str, str], tmp_path: Path
) -> None:
    for name in ("ms", "truth"):
        layer = QgsProject.instance().mapLayer(scene[name])
        layer.setDataSource(str(tmp_path / f"{name}.tif"), f"our {name}", "gdal")
    page = panel.dock.page("train")
    page.form.fill("MS", [])
    assert not page.form.check()
    assert "Still needed: Multispectral image" in page.state.text()
    assert f"“our ms” cannot be opened: its file “{tmp_path / 'ms.tif'}”" in page.state.text()
