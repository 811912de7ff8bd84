"""`samplepoints`: its parameters, its refusals, its run."""

from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsVectorLayer,
)
from terraweave.core.accuracy.facts import SAMPLE_SETTINGS
from terraweave.plugin.algorithms.samplepoints import SamplePointsAlgorithm

Given = dict[str, Any]


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> SamplePointsAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return SamplePointsAlgorithm().create()


@pytest.fixture
def given(with_worker: Path, sample_scene: Path, tmp_path: Path) -> Given:
    """Values that can work."""
    return {
        "CLASSES": str(sample_scene / "truth.tif"),
        "LEAST": 5,
        "POINTS": str(tmp_path / "points.gpkg"),
    }


def test_parameters_are_the_public_ones(algorithm: SamplePointsAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    settings = [one.parameter for one in SAMPLE_SETTINGS]
    assert names == ["CLASSES", "AREA", *settings, "POINTS"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"CLASSES": ""}, "CLASSES"),
        ({"LEAST": 1}, "LEAST"),
        ({"STANDARD_ERROR": 0}, "STANDARD_ERROR"),
        ({"POINTS": __file__ + "/inside/p.gpkg"}, "POINTS cannot be written to the folder"),
    ],
)
def test_bad_values_are_refused(
    algorithm: SamplePointsAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    change: Given,
    sentence: str,
) -> None:
    fits, reason = algorithm.checkParameterValues(given | change, context)
    assert not fits
    assert sentence in reason


def test_image_is_no_class_raster(
    algorithm: SamplePointsAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    sample_scene: Path,
) -> None:
    given["CLASSES"] = str(sample_scene / "ms.tif")
    _, reason = algorithm.checkParameterValues(given, context)
    assert "“ms” has 4 bands; choose a class raster" in reason


def test_points_are_a_layer_ready_for_labelling(
    algorithm: SamplePointsAlgorithm, given: Given, context: QgsProcessingContext, listener: object
) -> None:
    details = QgsProcessingContext.LayerDetails("POINTS", QgsProject.instance(), "POINTS")
    context.addLayerToLoadOnCompletion(given["POINTS"], details)
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    layer = QgsVectorLayer(results["POINTS"], "points")
    assert layer.featureCount() == results["COUNT"] > 20
    assert all(not one["class"] for one in layer.getFeatures())
    widget = layer.editorWidgetSetup(layer.fields().lookupField("class"))
    assert widget.type() == "ValueMap"
    assert "Water" in str(widget.config())
    name = context.layerToLoadOnCompletionDetails(results["POINTS"]).name
    assert name == "Reference points (truth)"


def test_what_only_the_worker_sees_is_a_sentence_too(
    algorithm: SamplePointsAlgorithm, given: Given, context: QgsProcessingContext, listener: object
) -> None:
    given["EXPECTED_ACCURACY"] = "lava=0.5"
    with pytest.raises(QgsProcessingException, match="The map has no class “lava”"):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not Path(given["POINTS"]).exists()
