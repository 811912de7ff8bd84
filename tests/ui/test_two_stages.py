"""A family of one class with a second stage, from layers to outlines, in the panel."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgisInterface
from terraweave.core.families import FAMILIES
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.estimator import Asking
from terraweave.ui.guesses import model_field
from terraweave.ui.panel import Panel
from terraweave.ui.run import Run, State
from terraweave.ui.step_page import StepPage

REFINED = next(one for one in FAMILIES.values() if one.refinement is not None)
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def panel(
    provider: TerraweaveProvider, with_worker: Path, qgis_iface: QgisInterface, mines: dict
) -> Iterator[Panel]:
    """The panel over a project with mines, at the family with two stages."""
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    made.dock.refresh()
    made.dock.task.setCurrentIndex(made.dock.task.findData(REFINED.key))
    yield made
    made.close()


def layer_in(page: StepPage, name: str) -> list[str]:
    """The names of the layers in a field."""
    return [layer.name() for layer in page.form.fields[name].layers()]


def run_of(panel: Panel, page: StepPage, until: Until) -> Run:
    """A run of the page that is over and whose layers are loaded."""
    assert page.form.check(), page.form.problem or page.form.missing
    page.run()
    run = panel.queue.runs[-1]
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    return run


def shorten(page: StepPage, folder: Path) -> None:
    """Make a training as short as it can be."""
    small = {"EPOCHS": 1, "BATCH": 2, "REFIT": False, "DEVICE": "cpu"}
    files = {"MODEL": folder / f"{page.step.tool}.safetensors"}
    for name, value in {**small, **files, "REPORT": ""}.items():
        page.form.fill(name, str(value) if isinstance(value, Path) else value)


def test_each_stage_is_given_its_own_labels(panel: Panel) -> None:
    train, refine = panel.dock.page("train"), panel.dock.page("refine")
    assert layer_in(train, "LABELS") == ["Sample: Labels"]
    assert layer_in(train, "AREA") == ["Sample: Surveyed area"]
    assert layer_in(refine, "LABELS") == ["Sample: Labels, precise"]
    assert layer_in(refine, "AREA") == ["Sample: Surveyed area, precise labels"]


def test_a_map_is_compared_with_the_truth_where_there_is_one(
    panel: Panel, mines: dict[str, str]
) -> None:
    page = panel.dock.page("assess")
    # The truth is the only map, and then no reference.
    assert layer_in(page, "CLASSES") == ["Sample: Truth"]
    assert layer_in(page, "REFERENCE") == ["Sample: Labels"]
    source = QgsProject.instance().mapLayer(mines["truth"]).source()
    QgsProject.instance().addMapLayer(QgsRasterLayer(source, "Mines of 2026"))
    page.guess()
    assert layer_in(page, "CLASSES") == ["Mines of 2026"]
    assert layer_in(page, "REFERENCE") == ["Sample: Truth"]


def test_a_sample_scene_is_tried_with_a_short_training(panel: Panel) -> None:
    page = panel.dock.page("train")
    usual = page.form.fields["EPOCHS"].definition.defaultValue()
    assert page.form.values()["EPOCHS"] < usual
    assert page.form.values()["REFIT"] is False
    for layer in QgsProject.instance().mapLayers().values():
        layer.setName(layer.name().replace("Sample: ", "Our "))
    page.guess()
    assert page.form.values()["EPOCHS"] == usual
    assert page.form.values()["REFIT"] is True


def test_a_length_that_was_chosen_is_kept(panel: Panel) -> None:
    page = panel.dock.page("train")
    page.form.fields["EPOCHS"].touched = True
    page.form.fill("EPOCHS", 3)
    page.guess()
    assert page.form.values()["EPOCHS"] == 3


def test_a_map_of_one_class_brings_outlines_and_probability(panel: Panel) -> None:
    values = panel.dock.page("predict").form.values()
    assert all(values[name] is not None for name in ("CLASSES", "CONFIDENCE", "POLYGONS"))
    other = next(one for one in FAMILIES.values() if not one.binary)
    panel.dock.task.setCurrentIndex(panel.dock.task.findData(other.key))
    values = panel.dock.page("predict").form.values()
    assert values["CLASSES"] is not None
    assert values["CONFIDENCE"] is None
    assert values["POLYGONS"] is None


def test_a_model_is_trained_refined_and_applied(panel: Panel, until: Until, tmp_path: Path) -> None:
    train = panel.dock.page("train")
    shorten(train, tmp_path)
    taught = run_of(panel, train, until)
    refine = panel.dock.page("refine")
    panel.dock.tabs.setCurrentWidget(refine)
    until(lambda: not model_field(refine.form).empty)
    assert model_field(refine.form).value() == taught.results["MODEL"]
    assert model_field(refine.form).remark.text().startswith("Guessed")
    shorten(refine, tmp_path)
    refine.estimator.ask()
    until(lambda: refine.estimator.state in (Asking.TOLD, Asking.FAILED))
    assert refine.estimator.state is Asking.TOLD, refine.estimator.problem
    assert "windows" in refine.estimate.details.text()
    refined = run_of(panel, refine, until)
    panel.dock.show_model(refined.results["MODEL"])
    predict = panel.dock.page("predict")
    predict.form.fill("THRESHOLD", 0.01)
    predict.form.fill("MINIMUM_AREA", 0.0)
    predict.form.fill("DEVICE", "cpu")
    run = run_of(panel, predict, until)
    until(lambda: run.layers)
    layers = [QgsProject.instance().mapLayer(one) for one in run.layers]
    kinds = [type(layer) for layer in layers]
    assert kinds == [QgsVectorLayer, QgsRasterLayer, QgsRasterLayer]
    root = QgsProject.instance().layerTreeRoot()
    shown = [root.findLayer(layer).itemVisibilityChecked() for layer in layers]
    # The class map would cover the probability below it.
    assert shown == [True, False, True]
    panel.dock.runs.refresh()
    assert "Area of the class" in panel.dock.runs.view.figures.text()
