"""The class field of the toolbox dialogs follows whatever the labels are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from processing.gui import ParametersPanel
from processing.gui.AlgorithmDialog import AlgorithmDialog
from processing.gui.wrappers import WidgetWrapperFactory
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.gui import QgsProcessingModelerParameterWidget
from qgis.PyQt.QtWidgets import QDialog
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms.train import TrainAlgorithm

pytestmark = pytest.mark.usefixtures("qgis_processing")


@pytest.fixture
def dialog(qgis_new_project: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlgorithmDialog]:
    """The toolbox dialog of a training."""
    # The stand-in for the desktop has no browser of its own that the panel could show.
    monkeypatch.setattr(ParametersPanel, "iface", None)
    algorithm = TrainAlgorithm(FAMILIES["das2f"]).create()
    made = AlgorithmDialog(algorithm, parent=None)
    yield made
    made.close()


def fields(dialog: AlgorithmDialog) -> list[str]:
    """The fields that the dialog offers for the class."""
    combo = dialog.mainWidget().wrappers["CLASS_FIELD"].wrappedWidget()
    return [combo.itemText(i) for i in range(combo.count()) if combo.itemText(i)]


def choose(dialog: AlgorithmDialog, layer: object) -> None:
    """Choose the labels in the dialog."""
    dialog.mainWidget().wrappers["LABELS"].setParameterValue(layer, dialog.processingContext())


def polygons() -> QgsVectorLayer:
    """A layer in the project with two fields."""
    layer = QgsVectorLayer(
        "Polygon?crs=EPSG:32632&field=kind:integer&field=note:string", "labels", "memory"
    )
    QgsProject.instance().addMapLayer(layer)
    return layer


def test_fields_are_those_of_the_labels(dialog: AlgorithmDialog) -> None:
    choose(dialog, polygons().id())
    assert fields(dialog) == ["kind", "note"]


def test_class_raster_has_no_fields_and_does_no_harm(
    dialog: AlgorithmDialog, sample_scene: Path
) -> None:
    raster = QgsRasterLayer(str(next(Path(sample_scene).glob("truth.tif"))), "truth")
    QgsProject.instance().addMapLayer(raster)
    choose(dialog, polygons().id())
    choose(dialog, raster.id())
    assert fields(dialog) == []


def test_chosen_field_is_what_the_training_gets(dialog: AlgorithmDialog) -> None:
    choose(dialog, polygons().id())
    wrapper = dialog.mainWidget().wrappers["CLASS_FIELD"]
    wrapper.setParameterValue("note", dialog.processingContext())
    assert wrapper.parameterValue() == "note"


def test_removed_labels_leave_the_dialog_alive(dialog: AlgorithmDialog) -> None:
    layer = polygons()
    choose(dialog, layer.id())
    QgsProject.instance().removeAllMapLayers()
    assert fields(dialog) == []


def test_model_designer_gets_its_own_widget(
    qgis_new_project: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParametersPanel, "iface", None)
    algorithm = TrainAlgorithm(FAMILIES["das2f"]).create()
    definition = algorithm.parameterDefinition("CLASS_FIELD")
    context = QgsProcessingContext()

    class ModelerParametersDialog(QDialog):
        """The name is what QGIS's factory looks at."""

        model, childId, context = QgsProcessingModelAlgorithm(), "a", None

    dialog = ModelerParametersDialog()
    dialog.context = context
    wrapper = WidgetWrapperFactory.create_wrapper(definition, dialog)
    assert isinstance(wrapper, QgsProcessingModelerParameterWidget)
