"""`assess`: its parameters, its refusals, its run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor
from terraweave.core.accuracy.facts import ASSESS_SETTINGS
from terraweave.plugin.algorithms.assess import AssessAlgorithm

RasterMaker = Callable[..., QgsRasterLayer]
Given = dict[str, Any]


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> AssessAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return AssessAlgorithm().create()


@pytest.fixture
def given(with_worker: Path, sample_scene: Path, tmp_path: Path) -> Given:
    """The sample scene's truth as a map, its training polygons as the reference."""
    return {
        "CLASSES": str(sample_scene / "truth.tif"),
        "REFERENCE": str(sample_scene / "labels.gpkg"),
        "CLASS_FIELD": "class_name",
        "REPORT": str(tmp_path / "report.html"),
    }


def refusal(algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence that the values are refused with, or an empty string."""
    fits, reason = algorithm.checkParameterValues(given, context)
    return "" if fits else reason


def polygons(crs: str, box: tuple[float, ...] = (500010, 4000010, 500060, 4000060)) -> str:
    """The id of a memory layer with one polygon."""
    layer = QgsVectorLayer(f"Polygon?crs={crs}&field=class:string(20)", "footprints", "memory")
    if not crs:
        layer.setCrs(QgsCoordinateReferenceSystem())
    feature = QgsFeature(layer.fields())
    feature.setAttributes(["wheat"])
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(*box)))
    layer.dataProvider().addFeatures([feature])
    QgsProject.instance().addMapLayer(layer)
    return layer.id()


def test_parameters_are_the_public_ones(algorithm: AssessAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    settings = [one.parameter for one in ASSESS_SETTINGS]
    fixed = ["CLASSES", "REFERENCE", "REFERENCE_SELECTED_ONLY", "CLASS_FIELD", "AREA"]
    assert names == [*fixed, *settings, "REPORT", "TABLE", "DISAGREEMENT", "WORST"]
    numbers = {one.name() for one in algorithm.outputDefinitions()}
    assert numbers >= {"OA", "AA", "KAPPA", "MACRO_F1", "MEAN_IOU", "OA_LOW", "BOUNDARY_F1"}


@pytest.mark.parametrize("name", ["TABLE", "DISAGREEMENT", "WORST"])
def test_extra_outputs_are_made_on_demand_only(algorithm: AssessAlgorithm, name: str) -> None:
    parameter = algorithm.parameterDefinition(name)
    assert parameter.flags() & Qgis.ProcessingParameterFlag.Optional
    assert not parameter.createByDefault()


def test_good_values_are_accepted(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    assert refusal(algorithm, given, context) == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"CLASS_FIELD": "crop"}, "has no field “crop”; choose one of"),
        ({"CLASS_FIELD": ""}, "No class field (CLASS_FIELD) was given; choose one of the fields"),
        ({"REPORT": __file__ + "/inside/r.html"}, "REPORT cannot be written to the folder"),
        ({"REPORT": "r.pdf"}, "“r.pdf”, ends in none of .html, .htm"),
        ({"TABLE": "t.xlsx"}, "“t.xlsx”, ends in none of .json, .csv"),
        ({"UNMARKED": "maybe"}, "UNMARKED"),
        ({"SEED": -3}, "SEED"),
        ({"REFERENCE": ""}, "REFERENCE"),
    ],
)
def test_bad_values_are_refused(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    change: Given,
    sentence: str,
) -> None:
    assert sentence in refusal(algorithm, given | change, context)


def test_footprints_need_no_field_where_the_rest_is_background(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    without = given | {"CLASS_FIELD": "", "UNMARKED": "background"}
    assert refusal(algorithm, without, context) == ""


def test_reference_without_a_coordinate_system_is_refused(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext, raster: RasterMaker
) -> None:
    given |= {"CLASSES": raster("map"), "REFERENCE": polygons(""), "CLASS_FIELD": "class"}
    assert "“footprints” has no coordinate system" in refusal(algorithm, given, context)


def test_reference_elsewhere_is_refused_with_both_places(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext, raster: RasterMaker
) -> None:
    far = polygons("EPSG:32632", (700000, 4000010, 700060, 4000060))
    given |= {"CLASSES": raster("map"), "REFERENCE": far, "CLASS_FIELD": "class"}
    reason = refusal(algorithm, given, context)
    assert "“map” (500000–500160" in reason
    assert "“footprints” (700000–700060" in reason
    assert "do not overlap" in reason


def test_area_elsewhere_is_refused(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    given["AREA"] = polygons("EPSG:32632", (100000, 100, 100010, 110))
    reason = refusal(algorithm, given, context)
    assert "“footprints”" in reason
    assert "do not overlap" in reason


@pytest.mark.parametrize("name", ["CLASSES", "REFERENCE"])
def test_image_is_no_class_raster(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    sample_scene: Path,
    name: str,
) -> None:
    reason = refusal(algorithm, given | {name: str(sample_scene / "ms.tif")}, context)
    assert "has 4 bands; choose a class raster" in reason


def test_output_over_an_input_is_refused(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    given["DISAGREEMENT"] = given["CLASSES"]
    assert "DISAGREEMENT is the same file as an input" in refusal(algorithm, given, context)


def test_empty_selection_is_refused(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    layer = QgsVectorLayer(given["REFERENCE"], "labels")
    QgsProject.instance().addMapLayer(layer)
    given["REFERENCE"] = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    assert "No features of “labels” are selected" in refusal(algorithm, given, context)


def run(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext, listener: object
) -> dict[str, Any]:
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    return results


def test_truth_against_its_own_polygons_scores_one(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    tmp_path: Path,
) -> None:
    given |= {
        "TABLE": str(tmp_path / "new" / "table.json"),
        "DISAGREEMENT": str(tmp_path / "where.tif"),
        "WORST": str(tmp_path / "worst.gpkg"),
    }
    results = run(algorithm, given, context, listener)
    table = json.loads(Path(results["TABLE"]).read_text(encoding="utf-8"))
    assert results["OA"] == table["scores"]["overall_accuracy"]
    assert results["OA"] > 0.9
    assert results["PIXELS"] == sum(map(sum, table["scores"]["confusion_matrix"]["counts"]))
    assert Path(results["REPORT"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "BOUNDARY_IOU" not in results, "an undefined score is left out"
    where = QgsRasterLayer(results["DISAGREEMENT"])
    assert isinstance(where.renderer(), QgsPalettedRasterRenderer)
    assert {one.value: one.label for one in where.renderer().classes()}[1] == "agrees"
    worst = QgsVectorLayer(results["WORST"])
    assert worst.isValid()
    assert worst.labelsEnabled(), "the ranks are drawn"


def test_layers_are_named_like_a_person_would(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    tmp_path: Path,
) -> None:
    given |= {"DISAGREEMENT": str(tmp_path / "a.tif"), "WORST": str(tmp_path / "b.gpkg")}
    for name in ("DISAGREEMENT", "WORST"):
        details = QgsProcessingContext.LayerDetails(name, QgsProject.instance(), name)
        context.addLayerToLoadOnCompletion(given[name], details)
    results = run(algorithm, given, context, listener)
    names = [
        context.layerToLoadOnCompletionDetails(results[name]).name
        for name in ("DISAGREEMENT", "WORST")
    ]
    assert names == ["Disagreement (truth)", "Worst places (truth)"]


def test_names_in_the_style_of_a_map_meet_the_names_of_the_reference(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    raster: RasterMaker,
    fields_layer: QgsVectorLayer,
) -> None:
    on = raster("map")
    # Sorted, the reference's texts would be lake, wheat, wood; the style says which is which.
    names = {number: f"crop {number}" for number in range(1, 201)}
    names |= {80: "Wheat", 81: "wood", 82: "lake"}
    entries = [
        QgsPalettedRasterRenderer.Class(number, QColor("#ff0000"), name)
        for number, name in names.items()
    ]
    on.setRenderer(QgsPalettedRasterRenderer(on.dataProvider(), 1, entries))
    given |= {"CLASSES": on, "REFERENCE": fields_layer, "CLASS_FIELD": "class"}
    results = run(algorithm, given, context, listener)
    assert results["PIXELS"] > 0
    page = Path(results["REPORT"]).read_text(encoding="utf-8")
    assert "Wheat" in page
    assert "mapped as Wheat" in page or "Wheat mapped as" in page


def test_selected_features_alone_are_compared(
    algorithm: AssessAlgorithm, given: Given, context: QgsProcessingContext, listener: object
) -> None:
    layer = QgsVectorLayer(given["REFERENCE"], "labels")
    QgsProject.instance().addMapLayer(layer)
    every = run(algorithm, dict(given), context, listener)["PIXELS"]
    kinds: dict[str, int] = {}
    for feature in layer.getFeatures():
        kinds.setdefault(feature["class_name"], feature.id())
    layer.selectByIds(list(kinds.values()))
    given["REFERENCE"] = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    some = AssessAlgorithm().create()
    assert 0 < run(some, given, context, listener)["PIXELS"] < every


def test_what_only_the_worker_sees_is_a_sentence_too(
    algorithm: AssessAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    raster: RasterMaker,
) -> None:
    given |= {"CLASSES": raster("map"), "REFERENCE": polygons("EPSG:32632")}
    given["CLASS_FIELD"] = "class"
    with pytest.raises(QgsProcessingException, match="only the class “wheat”"):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not Path(given["REPORT"]).exists()
