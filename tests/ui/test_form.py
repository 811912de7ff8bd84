"""The form: QGIS's own widgets of a tool, in an order and with remarks that help."""

from collections.abc import Callable, Iterator

import pytest
from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgisInterface
from terraweave.ui.form import ParameterForm
from terraweave.ui.steps import fresh_algorithm

FormMaker = Callable[[str], ParameterForm]


@pytest.fixture
def form(
    provider: object, with_worker: object, qgis_iface: QgisInterface, scene: dict[str, str]
) -> Iterator[FormMaker]:
    """Makes the form of a tool."""
    made: list[ParameterForm] = []

    def make(tool: str) -> ParameterForm:
        made.append(ParameterForm(fresh_algorithm(f"terraweave:{tool}"), qgis_iface))
        return made[-1]

    yield make
    for one in made:
        one.deleteLater()


def filled(form: ParameterForm, scene: dict[str, str]) -> ParameterForm:
    """A training form with what it needs."""
    form.fill("MS", [scene["ms"]])
    form.fill("PAN", [scene["pan"]])
    form.fill("LABELS", scene["labels"])
    form.fill("CLASS_FIELD", "class_name")
    return form


def test_every_parameter_of_the_tool_has_a_field(form: FormMaker) -> None:
    made = form("traindas2f")
    assert list(made.fields) == [one.name() for one in made.algorithm.parameterDefinitions()]


def test_advanced_parameters_are_folded_away(form: FormMaker) -> None:
    made = form("traindas2f")
    assert made.advanced.isCollapsed()
    assert made.advanced.isAncestorOf(made.fields["SEED"])
    assert not made.advanced.isAncestorOf(made.fields["EPOCHS"])


def test_what_is_missing_is_listed_without_reproach(form: FormMaker) -> None:
    made = form("traindas2f")
    assert not made.check()
    assert "Multispectral image" in made.missing
    assert made.problem == ""


def test_a_filled_form_may_run(form: FormMaker, scene: dict[str, str]) -> None:
    made = filled(form("traindas2f"), scene)
    assert made.check(), made.problem
    assert [layer.name() for layer in made.fields["MS"].layers()] == ["valley ms"]
    assert made.values()["CLASS_FIELD"] == "class_name"


def test_a_refusal_stands_beside_its_field(form: FormMaker, scene: dict[str, str]) -> None:
    made = filled(form("traindas2f"), scene)
    made.fill("PAN", [scene["ms"]])
    assert not made.check()
    assert "has 4 bands; choose a single-band raster" in made.fields["PAN"].problem.text()
    assert made.fields["MS"].problem.text() == ""


def test_a_class_raster_may_be_chosen_for_labels(form: FormMaker, scene: dict[str, str]) -> None:
    """QGIS's own connection of a field to a raster parent would end the process here."""
    made = filled(form("traindas2f"), scene)
    made.fill("LABELS", scene["truth"])
    assert not made.fields["CLASS_FIELD"].isEnabled()
    made.fill("LABELS", scene["labels"])
    assert made.fields["CLASS_FIELD"].isEnabled()


def test_layers_may_vanish_while_the_form_is_open(form: FormMaker, scene: dict[str, str]) -> None:
    made = filled(form("traindas2f"), scene)
    QgsProject.instance().removeAllMapLayers()
    assert not made.check()


def test_images_are_described_below_their_field(form: FormMaker, scene: dict[str, str]) -> None:
    made = form("predictdas2f")
    made.fill("MS", scene["ms"], "because")
    assert made.fields["MS"].remark.text() == "Guessed: valley ms, 4 bands, 2 m"


def test_a_new_layer_is_offered_at_once(form: FormMaker, scene: dict[str, str]) -> None:
    made = form("predictdas2f")
    source = QgsProject.instance().mapLayer(scene["pan"]).source()
    added = QgsRasterLayer(source, "another")
    QgsProject.instance().addMapLayer(added)
    made.fill("PAN", added.id())
    assert made.values()["PAN"] == added.id()


def test_a_map_is_opened_afterwards_unless_told_otherwise(form: FormMaker) -> None:
    made = form("predictdas2f")
    assert made.values()["CLASSES"].destinationProject is QgsProject.instance()
