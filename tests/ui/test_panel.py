"""The panel in QGIS: what it lays out, what it opens, and that it leaves nothing behind."""

import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QCoreApplication, QEvent, Qt
from qgis.PyQt.QtWidgets import QWidget
from terraweave.core.families import FAMILIES
from terraweave.plugin import algorithms
from terraweave.plugin.main import TerraweavePlugin
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.layers import guess_layers
from terraweave.ui.models import sample_folder
from terraweave.ui.panel import Panel
from terraweave.ui.project import likely_area, likely_labels, likely_reference, raster_facts
from terraweave.ui.results import load_layers, outcome_of
from terraweave.ui.run import Run
from terraweave.ui.steps import fresh_algorithm

MADE_UP = replace(
    next(iter(FAMILIES.values())), key="madeup", title="Sand dunes from sound", purpose="Dunes"
)
FOUR = MappingProxyType({**FAMILIES, "madeup": MADE_UP})


@pytest.fixture
def panel(
    provider: TerraweaveProvider,
    with_worker: Path,
    qgis_iface: QgisInterface,
    scene: dict[str, str],
) -> Iterator[Panel]:
    """The panel over a project with a scene, as somebody who looks at it has it."""
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    made.dock.refresh()
    yield made
    made.close()


def test_nothing_is_laid_out_before_somebody_looks(
    provider: TerraweaveProvider, with_worker: Path, qgis_iface: QgisInterface, scene: dict
) -> None:
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    assert tabs(made) == ["Runs"]
    made.dock.show()
    QCoreApplication.processEvents()
    assert len(tabs(made)) > 2
    made.close()


def tabs(panel: Panel) -> list[str]:
    """The titles of the tabs."""
    bar = panel.dock.tabs
    return [bar.tabText(place) for place in range(bar.count())]


def test_steps_are_those_that_have_a_tool(panel: Panel) -> None:
    registry = QgsApplication.processingRegistry()
    has_assess = registry.algorithmById("terraweave:assess") is not None
    assert tabs(panel) == ["Train", "Apply", *(["Assess"] if has_assess else []), "Runs"]


def test_whoever_opens_the_panel_begins_with_the_first_step(panel: Panel) -> None:
    assert tabs(panel)[panel.dock.tabs.currentIndex()] == "Train"


def test_layers_are_filled_in_by_role(panel: Panel) -> None:
    fields = panel.dock.page("train").form.fields
    found = {role: [layer.name() for layer in fields[role].layers()] for role in ("MS", "PAN")}
    assert found == {"MS": ["valley ms"], "PAN": ["valley pan"]}
    assert fields["MS"].remark.text().startswith("Guessed")
    # The scene's labels are drawn by this field.
    assert fields["CLASS_FIELD"].value() == "class_id"


def test_button_waits_until_the_form_fits(panel: Panel) -> None:
    page = panel.dock.page("train")
    assert page.button.isEnabled(), page.state.text()
    page.form.fill("MS", [])
    page.form.check()
    assert not page.button.isEnabled()
    assert page.state.text() == "Still needed: Multispectral image"


def test_a_fourth_family_appears_in_panel_and_toolbox(
    monkeypatch: pytest.MonkeyPatch,
    qgis_processing: None,
    with_worker: Path,
    qgis_iface: QgisInterface,
) -> None:
    monkeypatch.setattr(algorithms, "FAMILIES", FOUR)
    made = TerraweaveProvider()
    registry = QgsApplication.processingRegistry()
    registry.addProvider(made)
    panel = Panel(qgis_iface, made.id(), "terraweave/python", FOUR)
    assert registry.algorithmById("terraweave:trainmadeup") is not None
    panel.dock.task.setCurrentIndex(panel.dock.task.findData("madeup"))
    assert panel.dock.task.currentText() == "Sand dunes from sound"
    assert panel.dock.page("train").form.algorithm.id() == "terraweave:trainmadeup"
    panel.close()
    registry.removeProvider(made)


def test_a_second_run_is_not_written_over_the_first(panel: Panel) -> None:
    form = panel.dock.page("train").form
    first = form.values()["MODEL"]
    panel.dock.renew_files({first})
    assert form.values()["MODEL"] not in ("", first)
    assert Path(form.values()["REPORT"]).stem == Path(form.values()["MODEL"]).stem


def test_files_are_suggested_beside_the_project_once_it_is_saved(
    panel: Panel, tmp_path: Path
) -> None:
    page = panel.dock.page("train")
    assert Path(page.model_path).parent != tmp_path
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    assert Path(page.model_path).parent == tmp_path


def test_the_map_to_assess_is_a_class_raster(panel: Panel) -> None:
    page = panel.dock.page("assess")
    if page is None:
        pytest.skip("There is no tool that assesses.")
    assert [layer.name() for layer in page.form.fields["CLASSES"].layers()] == ["valley truth"]


def test_every_field_is_reached_by_keyboard_and_has_a_name(panel: Panel) -> None:
    for tool in ("train", "predict"):
        for name, field in panel.dock.page(tool).form.fields.items():
            widgets = [field.widget, *field.widget.findChildren(QWidget)]
            assert any(one.focusPolicy() & Qt.FocusPolicy.TabFocus for one in widgets), name
            assert field.widget.accessibleName(), name


def test_no_widget_code_names_a_family() -> None:
    folder = Path(__file__).resolve().parents[2] / "ui"
    keys = (*FAMILIES, "das2f", "minec2fnet", "hpclnet")
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        assert not [key for key in keys if key in text], path.name


def test_a_model_file_chooses_family_and_page(panel: Panel, trained_model: Path) -> None:
    panel.dock.show_model(str(trained_model))
    page = panel.dock.page("predict")
    assert panel.dock.tabs.currentWidget() is page
    assert page.card.card.family == "das2f"
    assert page.button.isEnabled(), page.state.text()


def test_without_a_worker_the_first_page_explains(
    provider: TerraweaveProvider,
    qgis_iface: QgisInterface,
    qgis_new_project: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TERRAWEAVE_PYTHON", str(tmp_path / "none"))
    panel = Panel(qgis_iface, provider.id(), "terraweave/python")
    panel.dock.refresh()
    assert panel.dock.stack.currentIndex() == 0
    assert "is no file" in panel.dock.welcome.reason.text()
    panel.close()


def test_enabled_and_disabled_ten_times_leaves_nothing(
    qgis_processing: None, with_worker: Path, qgis_iface: QgisInterface, scene: dict[str, str]
) -> None:
    def widgets() -> Counter[str]:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        return Counter(one.metaObject().className() for one in QgsApplication.allWidgets())

    def once() -> None:
        plugin = TerraweavePlugin(qgis_iface)
        plugin.initGui()
        plugin.unload()

    once()
    before = widgets()
    for _ in range(10):
        once()
    assert widgets() - before == Counter()
    assert QgsApplication.processingRegistry().providerById("terraweave") is None


def test_results_are_grouped_named_and_opened(panel: Panel, scene: dict[str, str]) -> None:
    run = Run(fresh_algorithm("terraweave:diagnose"), {}, "Valley: Apply")
    path = QgsProject.instance().mapLayer(scene["truth"]).source()
    details = QgsProcessingContext.LayerDetails("The map", QgsProject.instance(), "CLASSES")
    run.context.addLayerToLoadOnCompletion(path, details)
    QgsProject.instance().removeMapLayer(scene["truth"])
    loaded = load_layers(run)
    group = QgsProject.instance().layerTreeRoot().findGroup("Valley: Apply")
    assert [layer.name() for layer in loaded] == ["The map"]
    assert [node.name() for node in group.findLayers()] == ["The map"]


def test_model_and_report_are_found_among_results() -> None:
    outcome = outcome_of({"OA": 0.5, "MODEL": "a.safetensors", "REPORT": "b.html"})
    assert (outcome.model, outcome.report) == ("a.safetensors", "b.html")


def test_a_broken_layer_is_not_guessed(panel: Panel, tmp_path: Path) -> None:
    broken = QgsRasterLayer(str(tmp_path / "gone_ms.tif"), "gone ms")
    QgsProject.instance().addMapLayer(broken)
    guesses = guess_layers(panel.dock.family, raster_facts([broken]))
    assert guesses["MS"].layer.name == "valley ms"


def test_a_sample_scene_is_kept_where_it_is_there_tomorrow(panel: Panel, tmp_path: Path) -> None:
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    first, second = (Path(sample_folder(panel.dock.family)) for _ in range(2))
    assert first.parent == second.parent == tmp_path
    assert first != second
    assert first.is_dir()
    assert second.is_dir()


def outlines(name: str, *fields: str) -> QgsVectorLayer:
    """A layer of polygons in the project."""
    columns = "".join(f"&field={field}:string" for field in fields)
    layer = QgsVectorLayer(f"Polygon?crs=EPSG:32632{columns}", name, "memory")
    # The project's order goes by ids, which begin with the file's name.
    layer.setId(f"{fields[0]}_{name}")
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.mark.usefixtures("qgis_new_project")
def test_surveyed_area_is_not_taken_for_labels() -> None:
    area = outlines("Sample: Surveyed area", "name")
    assert likely_labels([]) is None
    labels = outlines("Sample: Labels", "z_class_id", "class_name")
    assert likely_labels([]) == labels
    assert likely_labels([area]) == area
    assert likely_area() == area


@pytest.mark.usefixtures("qgis_new_project")
def test_of_two_surveyed_areas_none_is_guessed() -> None:
    outlines("Surveyed area", "name")
    outlines("Surveyed area, precise labels", "name")
    outlines("study area 2", "name")
    assert likely_area() is None


@pytest.mark.usefixtures("qgis_new_project")
def test_areas_with_classes_may_be_labels_but_come_last() -> None:
    areas = outlines("areas", "a_class")
    assert likely_labels([]) == areas
    assert likely_area() is None
    labels = outlines("my labels", "z_class")
    assert likely_labels([]) == labels


@pytest.mark.usefixtures("qgis_new_project")
def test_labels_may_be_called_after_what_is_mapped() -> None:
    outlines("roads", "a_name")
    slides = outlines("slides 2019", "z_name")
    assert likely_labels([]) is None
    assert likely_labels([], subject={"slide"}) == slides


@pytest.mark.usefixtures("qgis_new_project")
def test_the_only_polygons_are_labels_without_a_name() -> None:
    only = outlines("drawn in May", "name")
    assert likely_labels([]) == only


@pytest.mark.usefixtures("qgis_new_project")
def test_what_a_model_has_mapped_is_no_reference_for_it() -> None:
    mapped = outlines("Relic landslides, areas", "class_value", "class_name", "area_m2")
    assert likely_labels([]) is None
    assert likely_labels([mapped]) == mapped
    mapped.setName("truth?")
    assert likely_reference(None) is None
    truth = outlines("validation", "class_name")
    assert likely_reference(None) == truth


def test_a_field_without_a_guess_does_not_take_the_first_layer(
    panel: Panel, scene: dict[str, str]
) -> None:
    QgsProject.instance().removeMapLayers([scene["labels"], scene["truth"]])
    page = panel.dock.page("train")
    page.guess()
    assert page.form.fields["LABELS"].empty
    assert "Labels" in page.form.missing
    assess = panel.dock.page("assess")
    assert assess.form.fields["CLASSES"].empty
    assert assess.form.fields["REFERENCE"].empty
