"""Where the panel keeps maps: in a file with a name of its own, unless somebody says otherwise."""

from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import QgsProcessing, QgsProject, QgsRasterLayer
from terraweave.ui.map_files import destination_file, map_folder, suggested_maps
from terraweave.ui.panel import Panel
from terraweave.ui.run import State
from terraweave.ui.step_page import StepPage

Until = Callable[[Callable[[], object]], None]
ENDINGS = {"CLASSES": ".tif", "POLYGONS": "-polygons.gpkg"}


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    """A model file of this test's own."""
    copy = tmp_path / "models" / "valley.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(trained_model.read_bytes())
    return copy


@pytest.fixture
def page(panel: Panel, model: Path) -> StepPage:
    """The page that applies the model, quickly."""
    panel.dock.show_model(str(model))
    found = panel.dock.page("predict")
    for name, value in {"MODE": "stride", "STRIDE": 8, "DEVICE": "cpu"}.items():
        found.form.fill(name, value)
    assert found.form.check(), found.form.problem
    return found


def place(page: StepPage) -> Path:
    """Where the map goes."""
    return Path(destination_file(page.form.fields["CLASSES"].value()))


def test_a_map_is_named_after_image_and_model_beside_the_model(page: StepPage, model: Path) -> None:
    assert place(page) == model.parent / "valley_ms-valley.tif"
    assert f"Kept in “{model.parent}”" in page.kept_where.text()
    assert "nothing there is written over" in page.kept_where.text()


def test_a_saved_project_has_its_maps_beside_it(
    panel: Panel, page: StepPage, tmp_path: Path
) -> None:
    QgsProject.instance().write(str(tmp_path / "project.qgz"))
    assert place(page) == tmp_path / "valley_ms-valley.tif"
    assert f"Kept in “{tmp_path}”" in page.kept_where.text()


def test_the_name_follows_the_image_that_is_chosen(page: StepPage, scene: dict[str, str]) -> None:
    QgsProject.instance().mapLayer(scene["ms"]).setName("März 2026: Tal/Süd")
    page.form.check()
    assert place(page).name == "März_2026_Tal_Süd-valley.tif"


def test_a_second_map_is_not_written_over_the_first(
    panel: Panel, page: StepPage, until: Until
) -> None:
    first = place(page)
    page.run()
    run = panel.queue.runs[-1]
    # Already while the first one is on its way.
    assert place(page).name == "valley_ms-valley-2.tif"
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    until(lambda: run.layers)
    assert QgsRasterLayer(str(first)).isValid()
    assert QgsProject.instance().mapLayer(run.layers[0]).source() == str(first)
    assert place(page).name == "valley_ms-valley-2.tif"
    assert list(first.parent.glob("*.lock")) == []


def test_a_cancelled_map_gives_its_name_back(panel: Panel, page: StepPage, until: Until) -> None:
    first = place(page)
    page.run()
    run = panel.queue.runs[-1]
    run.cancel()
    until(lambda: run.state.over)
    assert run.state is State.CANCELLED
    assert place(page) == first


def test_who_chooses_a_temporary_layer_keeps_it_and_is_told(page: StepPage) -> None:
    field = page.form.fields["CLASSES"]
    # As the button beside the field does it, which has no focus.
    field.wrapper.setParameterValue(QgsProcessing.TEMPORARY_OUTPUT, page.form._context)
    assert page.form.check()
    page.renew_files(())
    assert destination_file(field.value()) == QgsProcessing.TEMPORARY_OUTPUT
    assert page.kept_where.text() == "Temporary layers are lost when QGIS is closed."


def test_a_name_that_was_chosen_is_kept(page: StepPage, tmp_path: Path) -> None:
    field = page.form.fields["CLASSES"]
    field.wrapper.setParameterValue(str(tmp_path / "mine.tif"), page.form._context)
    assert page.form.check()
    page.renew_files(())
    assert place(page) == tmp_path / "mine.tif"
    assert page.kept_where.isHidden()


def test_all_layers_of_a_map_have_one_number(qgis_new_project: None, tmp_path: Path) -> None:
    model = str(tmp_path / "m.safetensors")
    (tmp_path / "a-m-polygons.gpkg").write_text("")
    second = suggested_maps("a", model, ENDINGS)
    assert [Path(one).name for one in second.values()] == ["a-m-2.tif", "a-m-2-polygons.gpkg"]
    third = suggested_maps("a", model, ENDINGS, taken={second["CLASSES"]})
    assert Path(third["CLASSES"]).name == "a-m-3.tif"


def test_without_project_and_model_folder_it_is_one_of_the_documents(
    qgis_new_project: None, tmp_path: Path
) -> None:
    assert map_folder(str(tmp_path / "m.safetensors")) == tmp_path
    assert map_folder(str(tmp_path / "gone" / "m.safetensors")).name == "Terraweave"
