"""One prediction from the toolbox's dialog, in a graphical model and headless: the same map."""

from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgisInterface, QgsBrowserGuiModel
from qgis.PyQt.QtCore import QEventLoop, QTimer
from terraweave.plugin.interpreter import VARIABLE
from terraweave.plugin.provider import TerraweaveProvider

Given = dict[str, Any]
MODEL = Path(__file__).parent / "models" / "map_scene.model3"
PATIENCE_MS = 300_000


@pytest.fixture
def provider(
    qgis_processing: None, worker_python: Path, monkeypatch: pytest.MonkeyPatch
) -> TerraweaveProvider:
    """Terraweave's provider in QGIS's registry, with a worker."""
    monkeypatch.setenv(VARIABLE, str(worker_python))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    registry = QgsApplication.processingRegistry()
    made = TerraweaveProvider()
    registry.addProvider(made)
    yield made
    registry.removeProvider(made)


@pytest.fixture
def headless_map(headless: Any, mapping: Given, tmp_path: Path) -> bytes:  # noqa: ANN401
    """The class values of the map that `qgis_process` makes from JSON."""
    given = mapping | {"CLASSES": str(tmp_path / "headless.tif")}
    status, text = headless.run("predictdas2f", given)
    assert status == 0, text
    return class_values(given["CLASSES"])


def class_values(path: str) -> bytes:
    """All pixels of a class raster."""
    layer = QgsRasterLayer(path)
    assert layer.isValid()
    provider = layer.dataProvider()
    block = provider.block(1, layer.extent(), layer.width(), layer.height())
    values = bytes(block.data())
    assert len(set(values)) > 1
    return values


def test_step_of_a_graphical_model_gives_the_same_map(
    provider: TerraweaveProvider,
    headless_map: bytes,
    mapping: Given,
    context: QgsProcessingContext,
    tmp_path: Path,
) -> None:
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(MODEL))
    model.initAlgorithm()
    given = {key: mapping[key] for key in ("MODEL", "MS", "PAN")}
    given["map"] = str(tmp_path / "model.tif")
    feedback = QgsProcessingFeedback(False)
    results, done = model.run(given, context, feedback, catchExceptions=False)
    assert done, feedback.textLog()
    assert class_values(results["map"]) == headless_map


def test_dialog_gives_the_same_map_and_loads_it_named_and_styled(
    provider: TerraweaveProvider,
    qgis_iface: QgisInterface,
    headless_map: bytes,
    mapping: Given,
    qgis_new_project: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    # The stand-in for the main window has no browser panel, which the dialog's forms ask for.
    browser = QgsBrowserGuiModel()
    monkeypatch.setattr(qgis_iface, "browserModel", lambda: browser, raising=False)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("terraweave:predictdas2f")
    dialog = AlgorithmDialog(algorithm, parent=qgis_iface.mainWindow())
    dialog.mainWidget().setParameters(mapping)
    assert dialog.mainWidget().createProcessingParameters()["STRIDE"] == mapping["STRIDE"]
    finished: list[tuple[bool, dict[str, object]]] = []
    loop = QEventLoop()
    dialog.algorithmFinished.connect(lambda done, results: finished.append((done, results)))
    dialog.algorithmFinished.connect(lambda *_: QTimer.singleShot(0, loop.quit))
    QTimer.singleShot(PATIENCE_MS, loop.quit)
    dialog.runAlgorithm()
    if not finished:
        loop.exec()
    assert finished, "The dialog did not finish."
    assert finished[0][0]
    assert class_values(mapping["CLASSES"]) == headless_map
    names = [layer.name() for layer in QgsProject.instance().mapLayers().values()]
    assert "Land cover (ms)" in names
