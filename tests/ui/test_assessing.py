"""Assessing a map in the panel: the scores that matter, and the warning that spoils them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qgis.core import QgsProject
from qgis.gui import QgisInterface
from terraweave.core.families import FAMILIES
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.map_files import destination_file
from terraweave.ui.panel import Panel
from terraweave.ui.run import Run, State
from terraweave.ui.step_page import StepPage

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def panel(
    provider: TerraweaveProvider, with_worker: Path, qgis_iface: QgisInterface
) -> Iterator[Panel]:
    """The panel over the project of the test."""
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    made.dock.refresh()
    yield made
    made.close()


def run_of(panel: Panel, page: StepPage, until: Until, **values: object) -> Run:
    """A run of the page that is over, and shown."""
    for name, value in values.items():
        page.form.fields[name].touched = True
        page.form.fill(name, value)
    assert page.form.check(), page.form.problem or page.form.missing
    page.run()
    run = panel.queue.runs[-1]
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    panel.dock.runs.shown = run
    panel.dock.runs.refresh()
    return run


def test_a_map_of_one_class_shows_area_and_objects(
    mines: dict[str, str], panel: Panel, until: Until
) -> None:
    family = next(one for one in FAMILIES.values() if one.refinement is not None)
    panel.dock.task.setCurrentIndex(panel.dock.task.findData(family.key))
    page = panel.dock.page("assess")
    values = {"CLASSES": mines["truth"], "REFERENCE": mines["labels"], "REPORT": ""}
    values["UNMARKED"] = "background"
    run = run_of(panel, page, until, **values)
    shown = panel.dock.runs.view.figures.text()
    # The coarse outlines are larger than the mines.
    assert run.results["AREA_BIAS"] < 0
    assert f"{-100 * run.results['AREA_BIAS']:.1f} % too little" in shown
    for words in ("IoU of the one class", "Mapped area", "Share of the objects found"):
        assert words in shown
    assert shown.index("IoU of the one class") < shown.index("Mapped area")


def test_a_reference_that_was_learnt_from_is_warned_of(
    scene: dict[str, str], panel: Panel, until: Until, tmp_path: Path
) -> None:
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    train = panel.dock.page("train")
    short = {"EPOCHS": 1, "BATCH": 2, "DEVICE": "cpu", "REFIT": False}
    model = run_of(panel, train, until, **short).results["MODEL"]
    panel.dock.show_model(model)
    apply = panel.dock.page("predict")
    mapped = run_of(panel, apply, until, MODE="stride", STRIDE=8, DEVICE="cpu")
    until(lambda: mapped.layers)
    path = destination_file(mapped.results["CLASSES"])
    page = panel.dock.page("assess")
    labels = {"REFERENCE": scene["labels"], "CLASS_FIELD": "class_id"}
    run_of(panel, page, until, CLASSES=path, **labels, REPORT="")
    assert "is what the map’s model learnt from" in panel.dock.runs.view.warnings.text()
    assert not panel.dock.runs.view.warnings.isHidden()
