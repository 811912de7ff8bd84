"""`rerun`: its parameters, its refusals, its run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
)
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms.predict import PredictAlgorithm
from terraweave.plugin.algorithms.rerun import RerunAlgorithm

RasterMaker = Callable[..., QgsRasterLayer]
Given = dict[str, Any]


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> RerunAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return RerunAlgorithm().create()


@pytest.fixture(scope="session")
def _predictions() -> dict[str, Path]:
    """Where the one prediction of the session lies."""
    return {}


@pytest.fixture
def given(
    with_worker: Path,
    trained_model: Path,
    sample_scene: Path,
    tmp_path: Path,
    context: QgsProcessingContext,
    listener: object,
    _predictions: dict[str, Path],
) -> Given:
    """A prediction, and all it was made from."""
    files = {
        "MODEL": str(trained_model),
        "MS": str(sample_scene / "ms.tif"),
        "PAN": str(sample_scene / "pan.tif"),
    }
    if "first" not in _predictions:
        _predictions["first"] = sample_scene / "first.tif"
        short = {"MODE": "stride", "STRIDE": 16, "DEVICE": "cpu"}
        predict = PredictAlgorithm(FAMILIES["das2f"]).create()
        predict.run(
            {**files, **short, "CLASSES": str(_predictions["first"])},
            context,
            listener,
            catchExceptions=False,
        )
    return {
        **files,
        "RESULT": str(_predictions["first"]),
        "CLASSES": str(tmp_path / "again.tif"),
    }


def pixels(layer: QgsRasterLayer) -> bytes:
    """The pixels of the only band."""
    # The bytes are the block's own, and go with it.
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    return bytes(block.data())


def refusal(algorithm: RerunAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence that the values are refused with, or an empty string."""
    fits, reason = algorithm.checkParameterValues(given, context)
    return "" if fits else reason


def test_parameters_are_those_of_every_family(algorithm: RerunAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    roles = dict.fromkeys(role.key for one in FAMILIES.values() for role in one.roles)
    assert names == ["RESULT", "MODEL", *roles, "DEVICE", "CLASSES"]


def test_good_values_are_accepted(
    algorithm: RerunAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    assert refusal(algorithm, given, context) == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PAN": ""}, "Panchromatic image (PAN) is missing"),
        ({"MODEL": "/nowhere.safetensors"}, "MODEL"),
        ({"DEVICE": "abacus"}, "DEVICE"),
        ({"CLASSES": __file__ + "/inside/c.tif"}, "CLASSES cannot be written to the folder"),
    ],
)
def test_bad_values_are_refused(
    algorithm: RerunAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    change: Given,
    sentence: str,
) -> None:
    assert sentence in refusal(algorithm, given | change, context)


def test_result_is_never_written_over(
    algorithm: RerunAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    given["CLASSES"] = given["RESULT"]
    assert "CLASSES is the same file as an input" in refusal(algorithm, given, context)


def test_map_is_made_again_pixel_for_pixel(
    algorithm: RerunAlgorithm, given: Given, context: QgsProcessingContext, listener: object
) -> None:
    details = QgsProcessingContext.LayerDetails("CLASSES", QgsProject.instance(), "CLASSES")
    context.addLayerToLoadOnCompletion(given["CLASSES"], details)
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    assert results["IDENTICAL"] is True
    assert (results["PIXELS"], results["DIFFERENT"]) == (64 * 64, 0)
    old, new = QgsRasterLayer(given["RESULT"]), QgsRasterLayer(results["CLASSES"])
    assert pixels(old) == pixels(new)
    assert context.layerToLoadOnCompletionDetails(results["CLASSES"]).name == "first, run again"


def test_changed_image_is_refused_by_name(
    algorithm: RerunAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    tmp_path: Path,
) -> None:
    other = tmp_path / "ms.tif"
    whole = bytearray(Path(given["MS"]).read_bytes())
    whole[-1] ^= 1
    other.write_bytes(whole)
    given["MS"] = str(other)
    with pytest.raises(QgsProcessingException, match="MS “ms” is not the file that the result was"):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not Path(given["CLASSES"]).exists()


def test_raster_without_a_record_is_refused(
    algorithm: RerunAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: object,
    sample_scene: Path,
) -> None:
    given["RESULT"] = str(sample_scene / "truth.tif")
    with pytest.raises(QgsProcessingException, match="truth does not say how it was made"):
        algorithm.run(given, context, listener, catchExceptions=False)
