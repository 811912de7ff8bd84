"""Help with labels: new layers, and what is counted while one draws."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qgis.core import QgsFeature, QgsGeometry, QgsProject, QgsRectangle, QgsVectorLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QEventLoop, QObject, QTimer
from terraweave.core.classes import MapClass
from terraweave.core.families import FAMILIES
from terraweave.plugin.legends import classes_of
from terraweave.ui.class_list import ClassListDialog
from terraweave.ui.label_counts import ClassCount, LabelCounter, count_warnings
from terraweave.ui.run import RunQueue
from terraweave.ui.step_page import StepPage
from terraweave.ui.steps import STEPS, fresh_algorithm
from terraweave.ui.training_layer import LayerError, new_area_layer, new_training_layer

CLASSES = [MapClass(1, "Wood", "#009e73"), MapClass(2, "Lake", "#0072b2")]


@pytest.fixture
def layer(qgis_new_project: None, tmp_path: Path) -> QgsVectorLayer:
    """A new training layer."""
    crs = QgsProject.instance().crs()
    crs.createFromString("EPSG:32632")
    return new_training_layer(str(tmp_path / "labels.gpkg"), "Training", CLASSES, crs)


def draw(layer: QgsVectorLayer, value: int, west: float, edge: float) -> None:
    """Add a square in an open edit session."""
    feature = QgsFeature(layer.fields())
    feature["class"] = value
    box = QgsRectangle(west, 5000000, west + edge, 5000000 + edge)
    feature.setGeometry(QgsGeometry.fromRect(box))
    assert layer.addFeature(feature)


def counted(counter: LabelCounter) -> list[ClassCount]:
    """What the counter says next."""
    loop, said = QEventLoop(), []
    counter.counted.connect(said.append)
    counter.counted.connect(loop.quit)
    QTimer.singleShot(10000, loop.quit)
    loop.exec()
    return said[-1]


def test_a_new_layer_is_ready_to_draw_in(layer: QgsVectorLayer) -> None:
    assert layer.isEditable()
    assert layer.crs().authid() == "EPSG:32632"
    assert layer.editorWidgetSetup(layer.fields().indexOf("class")).type() == "ValueMap"
    assert QgsProject.instance().mapLayer(layer.id()) is layer


def test_its_classes_are_those_that_a_training_takes_over(layer: QgsVectorLayer) -> None:
    assert list(classes_of(layer, "class")) == CLASSES


def test_its_style_is_kept_in_the_file(layer: QgsVectorLayer) -> None:
    again = QgsVectorLayer(layer.source(), "again", "ogr")
    assert list(classes_of(again, "class")) == CLASSES


def test_an_existing_file_is_not_replaced(layer: QgsVectorLayer, tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="already; choose another name"):
        new_area_layer(str(tmp_path / "labels.gpkg"), "Area", layer.crs())


def test_pixels_are_counted_while_drawing(layer: QgsVectorLayer) -> None:
    QgsProject.instance().setEllipsoid("NONE")
    parent = QObject()
    counter = LabelCounter(parent)
    counter.watch(layer, "class", 2.0)
    assert counted(counter) == []
    draw(layer, 1, 500000, 40)
    draw(layer, 1, 500400, 20)
    draw(layer, 2, 500900, 10)
    found = {one.name: (one.features, round(one.pixels)) for one in counted(counter)}
    assert found == {"Wood": (2, 500), "Lake": (1, 25)}
    layer.rollBack()


def test_small_and_crowded_classes_are_warned_of() -> None:
    wide, narrow = QgsRectangle(0, 0, 100, 100), QgsRectangle(50, 50, 55, 55)
    counts = [
        ClassCount("Wood", 5, 400, wide),
        ClassCount("Lake", 3, 200, narrow),
        ClassCount("Rock", 1, 7, wide),
    ]
    assert count_warnings(counts) == [
        "All labels of “Lake” are in one place; draw some elsewhere too.",
        "“Rock” has only 7 labelled pixels; draw at least 50.",
    ]


def test_classes_are_numbered_as_listed(qgis_app: object) -> None:
    dialog = ClassListDialog(["Wood", " ", "Lake"])
    dialog.add_class("Rock")
    found = [(one.value, one.name) for one in dialog.classes()]
    assert found == [(1, "Wood"), (2, "Lake"), (3, "Rock")]
    dialog.deleteLater()


@pytest.fixture
def page(
    provider: object, with_worker: object, qgis_iface: QgisInterface, scene: dict[str, str]
) -> Iterator[StepPage]:
    """The training page over a project with a scene."""
    family = next(iter(FAMILIES.values()))
    algorithm = fresh_algorithm(f"terraweave:train{family.key}")
    made = StepPage(STEPS[0], family, algorithm, qgis_iface, RunQueue())
    yield made
    made.deleteLater()


def test_a_layer_made_from_the_form_is_chosen_in_it(page: StepPage, tmp_path: Path) -> None:
    page.labelling.make_labels(str(tmp_path / "new.gpkg"), CLASSES)
    fields = page.form.fields
    assert [one.name() for one in fields["LABELS"].layers()] == ["Training areas"]
    assert fields["CLASS_FIELD"].value() == "class"
    fields["LABELS"].layers()[0].rollBack()
