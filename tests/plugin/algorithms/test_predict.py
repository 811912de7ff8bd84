"""`predictdas2f`: its parameters, its refusals, its run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from terraweave.core.card import read_card
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms.predict import PredictAlgorithm

RasterMaker = Callable[..., QgsRasterLayer]
Given = dict[str, Any]


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> PredictAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return PredictAlgorithm(FAMILIES["das2f"]).create()


@pytest.fixture
def given(with_worker: Path, trained_model: Path, sample_scene: Path, tmp_path: Path) -> Given:
    """Values that can work, and end soon."""
    return {
        "MODEL": str(trained_model),
        "MS": str(sample_scene / "ms.tif"),
        "PAN": str(sample_scene / "pan.tif"),
        "MODE": "stride",
        "STRIDE": 16,
        "DEVICE": "cpu",
        "CLASSES": str(tmp_path / "classes.tif"),
    }


def refusal(algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence that the values are refused with, or an empty string."""
    fits, reason = algorithm.checkParameterValues(given, context)
    return "" if fits else reason


def test_parameters_are_the_public_ones(algorithm: PredictAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    settings = [one.parameter for one in algorithm.family.predict_settings]
    fixed = ["MODEL", "MS", "PAN", "EXTENT"]
    assert names == [*fixed, *settings, "CLASSES", "CONFIDENCE", "POLYGONS"]


@pytest.mark.parametrize("name", ["CONFIDENCE", "POLYGONS"])
def test_extra_outputs_are_made_on_demand_only(algorithm: PredictAlgorithm, name: str) -> None:
    parameter = algorithm.parameterDefinition(name)
    assert parameter.flags() & Qgis.ProcessingParameterFlag.Optional
    assert not parameter.createByDefault()


def test_good_values_are_accepted(
    algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    assert refusal(algorithm, given, context) == ""


def test_damaged_model_is_refused(
    algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    whole = Path(given["MODEL"]).read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "cut.safetensors is cut off or damaged" in refusal(
        algorithm, given | {"MODEL": str(cut)}, context
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'\\"terraweave_card\\":', b'\\"terraweave_card\\": 99, \\"x\\":', "update Terraweave"),
        (b'\\"das2f\\"', b'\\"other\\"', "is a model of the family other, and this tool is for"),
    ],
)
def test_model_of_another_kind_is_refused(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    tmp_path: Path,
    old: bytes,
    new: bytes,
    sentence: str,
) -> None:
    whole = Path(given["MODEL"]).read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = whole[8 : 8 + length]
    assert old in header
    changed = header.replace(old, new)
    other = tmp_path / "other.safetensors"
    other.write_bytes(len(changed).to_bytes(8, "little") + changed + whole[8 + length :])
    assert sentence in refusal(algorithm, given | {"MODEL": str(other)}, context)


def test_too_few_bands_are_refused_by_name(
    algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext, raster: RasterMaker
) -> None:
    box = QgsRasterLayer(given["MS"], "ms").extent()
    sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
    given["MS"] = raster("two", bands=2, box=sides)
    reason = refusal(algorithm, given, context)
    assert "“two” (MS) has 2 bands, the model “model” needs 4 (blue, green, red, nir)" in reason


def test_extent_off_the_scene_is_refused(
    algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    given["EXTENT"] = "0,10,0,10 [EPSG:32632]"
    assert "does not touch “ms”" in refusal(algorithm, given, context)


def test_output_over_an_input_is_refused(
    algorithm: PredictAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    given["CLASSES"] = given["MS"]
    assert "CLASSES is the same file as an input" in refusal(algorithm, given, context)


def test_map_lies_on_the_ms_grid_and_is_in_the_classes_of_the_model(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    made, scene = QgsRasterLayer(results["CLASSES"]), QgsRasterLayer(given["MS"])
    assert made.extent() == scene.extent()
    assert (made.width(), made.height()) == (scene.width(), scene.height())
    classes = read_card(given["MODEL"]).classes
    entries = made.renderer().classes()
    assert {(int(one.value), one.label) for one in entries if one.value} == {
        (one.value, one.name) for one in classes
    }
    assert results["PIXELS"] == 64 * 64
    assert "CONFIDENCE" not in results


def test_extent_maps_a_part(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    scene = QgsRasterLayer(given["MS"])
    west, north = scene.extent().xMinimum(), scene.extent().yMaximum()
    given["EXTENT"] = f"{west},{west + 32},{north - 16},{north} [EPSG:32632]"
    results, _ = algorithm.run(given, context, listener, catchExceptions=False)
    made = QgsRasterLayer(results["CLASSES"])
    assert (made.width(), made.height()) == (16, 8)


def test_existing_output_is_replaced(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    Path(given["CLASSES"]).write_text("old")
    results, _ = algorithm.run(given, context, listener, catchExceptions=False)
    assert QgsRasterLayer(results["CLASSES"]).isValid()


def test_results_are_named_and_styled_like_a_person_would(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    project = QgsProject.instance()
    given |= {
        "CONFIDENCE": str(tmp_path / "confidence.tif"),
        "POLYGONS": str(tmp_path / "polygons.gpkg"),
    }
    for name in ("CLASSES", "CONFIDENCE", "POLYGONS"):
        details = QgsProcessingContext.LayerDetails(name, project, name)
        context.addLayerToLoadOnCompletion(given[name], details)
    results, _ = algorithm.run(given, context, listener, catchExceptions=False)
    layers = {
        "CLASSES": QgsRasterLayer(results["CLASSES"]),
        "CONFIDENCE": QgsRasterLayer(results["CONFIDENCE"]),
        "POLYGONS": QgsVectorLayer(results["POLYGONS"]),
    }
    names = {}
    for name, layer in layers.items():
        details = context.layerToLoadOnCompletionDetails(results[name])
        names[name] = details.name
        details.postProcessor().postProcessLayer(layer, context, listener)
    assert names == {
        "CLASSES": "Land cover (ms)",
        "CONFIDENCE": "Land cover, confidence (ms)",
        "POLYGONS": "Land cover, polygons (ms)",
    }
    colors = {one.value: one.color for one in read_card(given["MODEL"]).classes}
    palette, ramp, categories = (layers[name].renderer() for name in layers)
    assert isinstance(palette, QgsPalettedRasterRenderer)
    assert {int(one.value): one.color.name() for one in palette.classes()} == colors
    assert isinstance(ramp, QgsSingleBandPseudoColorRenderer)
    assert isinstance(categories, QgsCategorizedSymbolRenderer)
    drawn = {one.value(): one.symbol().color().name() for one in categories.categories()}
    assert drawn == colors
    field = categories.classAttribute()
    assert {one[field] for one in layers["POLYGONS"].getFeatures()} <= set(colors)


def test_what_only_the_worker_sees_is_a_sentence_too(
    algorithm: PredictAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    whole = bytearray(Path(given["MODEL"]).read_bytes())
    whole[-len(whole) // 4 :] = b"\xff" * (len(whole) // 4)
    bad = tmp_path / "nan.safetensors"
    bad.write_bytes(whole)
    given["MODEL"] = str(bad)
    with pytest.raises(QgsProcessingException, match=r"^nan\.safetensors holds weights that"):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not Path(given["CLASSES"]).exists()
