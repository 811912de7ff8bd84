"""`samplescene`: its parameters, its refusals, its run."""

from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from terraweave.plugin.algorithms.samplescene import SampleSceneAlgorithm
from terraweave.plugin.styling import own_style


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> SampleSceneAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return SampleSceneAlgorithm().create()


def test_parameters_and_outputs(algorithm: SampleSceneAlgorithm) -> None:
    assert [one.name() for one in algorithm.parameterDefinitions()] == [
        "FAMILY", "SIZE", "SEED", "LOAD", "FOLDER",
    ]  # fmt: skip
    outputs = {one.name() for one in algorithm.outputDefinitions()}
    assert outputs >= {"MS", "PAN", "TRUTH", "LABELS", "FOLDER"}


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SIZE": 8}, "SIZE"),
        ({"FAMILY": "nobody"}, "FAMILY"),
        ({"--SIZE": 64}, "write SIZE=…"),
        ({"FOLDER": __file__ + "/inside"}, "cannot be written to the folder"),
    ],
)
def test_bad_values_are_refused(
    algorithm: SampleSceneAlgorithm,
    context: QgsProcessingContext,
    tmp_path: Path,
    change: dict[str, object],
    sentence: str,
) -> None:
    given = {"FAMILY": "das2f", "FOLDER": str(tmp_path)} | change
    fits, reason = algorithm.checkParameterValues(given, context)
    assert not fits
    assert sentence in reason


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize("load", [True, False])
def test_scene_is_made_and_loaded_on_demand(
    algorithm: SampleSceneAlgorithm,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
    load: bool,
) -> None:
    given = {"FAMILY": "das2f", "SIZE": 64, "SEED": 3, "LOAD": load, "FOLDER": str(tmp_path / "s")}
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    assert QgsRasterLayer(results["MS"]).width() == 64
    assert QgsRasterLayer(results["PAN"]).bandCount() == 1
    assert QgsVectorLayer(results["LABELS"]).featureCount() > 0
    assert QgsRasterLayer(results["TRUTH"]).isValid()
    assert len(context.layersToLoadOnCompletion()) == (4 if load else 0)


@pytest.mark.usefixtures("with_worker")
def test_surveyed_area_lets_the_image_be_seen(
    algorithm: SampleSceneAlgorithm,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    given = {"FAMILY": "hpclnet", "SIZE": 64, "FOLDER": str(tmp_path / "s")}
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    area, labels = QgsVectorLayer(results["AREA"]), QgsVectorLayer(results["LABELS"])
    for layer in (area, labels):
        own_style(layer)
    assert area.renderer().symbol().symbolLayer(0).brushStyle() == Qt.BrushStyle.NoBrush
    assert [one.label() for one in labels.renderer().categories()] == ["Landslide"]
