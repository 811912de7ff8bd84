"""Layers and files that are gone: each is named with its path and the remedy, before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms.assess import AssessAlgorithm
from terraweave.plugin.algorithms.base import TerraweaveAlgorithm
from terraweave.plugin.algorithms.train import TrainAlgorithm

Given = dict[str, Any]
RasterMaker = Callable[..., QgsRasterLayer]
REMEDY = "Put the file back, or right-click the layer in the layer tree and choose “Change Data"


@pytest.fixture
def training(qgis_app: object) -> TerraweaveAlgorithm:
    """A training of one image and labels."""
    return TrainAlgorithm(FAMILIES["minec2fnet"]).create()


@pytest.fixture
def given(
    raster: RasterMaker, fields_layer: QgsVectorLayer, tmp_path: Path, with_worker: Path
) -> Given:
    """Values that are accepted, with the image in the project."""
    image = raster("scene", bands=3)
    QgsProject.instance().addMapLayer(image)
    return {
        "IMAGE": [image.id()],
        "LABELS": fields_layer,
        "MODEL": str(tmp_path / "out" / "m.safetensors"),
        "REPORT": "",
    }


def refusal(algorithm: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence with which values are refused; "" where they are not."""
    return algorithm.checkParameterValues(given, context)[1]


def test_what_is_there_is_accepted(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    assert refusal(training, given, context) == ""


def test_layer_whose_file_went_since_it_was_loaded_is_named_with_its_path(
    training: TerraweaveAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    layer = QgsProject.instance().mapLayer(given["IMAGE"][0])
    path = Path(layer.source())
    path.unlink()
    # QGIS itself has not noticed.
    assert layer.isValid()
    said = refusal(training, given, context)
    assert f"(IMAGE): “scene” cannot be opened: its file “{path}” is not there." in said
    assert REMEDY in said
    _, done = training.run(given, context, listener, catchExceptions=False)
    assert not done
    assert f"its file “{path}” is not there" in listener.texts("error")[0]


def test_one_broken_layer_among_several_is_named(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    gone = QgsRasterLayer(str(tmp_path / "gone.tif"), "old scene")
    QgsProject.instance().addMapLayer(gone)
    # QGIS would leave it out without a word.
    given["IMAGE"].append(gone.id())
    said = refusal(training, given, context)
    assert f"“old scene” cannot be opened: its file “{tmp_path / 'gone.tif'}” is not there" in said


def test_layer_that_cannot_be_opened_although_its_file_is_there(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    (tmp_path / "broken.tif").write_text("no image at all")
    broken = QgsRasterLayer(str(tmp_path / "broken.tif"), "broken scene")
    QgsProject.instance().addMapLayer(broken)
    given["IMAGE"] = broken.id()
    said = refusal(training, given, context)
    assert "“broken scene” cannot be opened from" in said
    assert "broken.tif" in said
    assert "“Change Data Source…”" in said


@pytest.mark.parametrize("selected", [False, True])
def test_labels_that_are_gone_are_named(
    training: TerraweaveAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    tmp_path: Path,
    selected: bool,
) -> None:
    gone = QgsVectorLayer(f"{tmp_path / 'gone.gpkg'}|layername=a", "old labels", "ogr")
    QgsProject.instance().addMapLayer(gone)
    value = QgsProcessingFeatureSourceDefinition(gone.id(), True) if selected else gone.id()
    said = refusal(training, given | {"LABELS": value}, context)
    assert f"(LABELS): “old labels” cannot be opened: its file “{tmp_path / 'gone.gpkg'}”" in said


def test_optional_area_that_is_gone_is_not_silently_left_out(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    said = refusal(training, given | {"AREA": str(tmp_path / "area.gpkg")}, context)
    assert f"(AREA): there is neither a layer nor a file “{tmp_path / 'area.gpkg'}”" in said


@pytest.mark.parametrize("value", ["nowhere/scene.tif", "/nowhere/scene.tif", "scene_of_may"])
def test_path_or_name_of_nothing_is_refused_with_itself(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext, value: str
) -> None:
    said = refusal(training, given | {"IMAGE": value}, context)
    assert f"(IMAGE): there is neither a layer nor a file “{value}”; check the path" in said


def test_file_of_another_kind_is_refused(
    training: TerraweaveAlgorithm, given: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no layer")
    said = refusal(training, given | {"IMAGE": str(tmp_path / "notes.txt")}, context)
    assert "notes.txt” is there, but QGIS cannot read it as a raster layer" in said


def test_vector_in_place_of_a_map_is_refused_by_name(
    given: Given, fields_layer: QgsVectorLayer, context: QgsProcessingContext
) -> None:
    values = {"CLASSES": fields_layer, "REFERENCE": fields_layer, "REPORT": ""}
    said = refusal(AssessAlgorithm().create(), values, context)
    assert "(CLASSES): “fields” is a vector layer; choose a raster layer." in said
