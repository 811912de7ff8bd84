"""`importcheckpoint`: its parameters, its refusals, its run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsRasterLayer,
)
from terraweave.plugin.algorithms.importcheckpoint import ImportCheckpointAlgorithm


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> ImportCheckpointAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return ImportCheckpointAlgorithm().create()


def test_parameters(algorithm: ImportCheckpointAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    assert names == ["CHECKPOINT", "FAMILY", "MS", "PAN", "CLASS_NAMES", "MODEL"]


@pytest.mark.usefixtures("with_worker")
def test_missing_file_and_output_over_the_input_are_refused(
    algorithm: ImportCheckpointAlgorithm,
    context: QgsProcessingContext,
    tmp_path: Path,
    raster: Callable[..., QgsRasterLayer],
) -> None:
    path = tmp_path / "weights.safetensors"
    given = {"CHECKPOINT": str(path), "FAMILY": "das2f", "MODEL": str(path)}
    assert "There is no checkpoint" in algorithm.checkParameterValues(given, context)[1]
    path.write_bytes(b"x")
    assert "(MS) is missing; choose one like" in algorithm.checkParameterValues(given, context)[1]
    given |= {"MS": raster("ms", bands=4), "PAN": raster("pan", size=64), "CLASS_NAMES": "wood,,"}
    assert "(CLASS_NAMES) “wood,,” is empty" in algorithm.checkParameterValues(given, context)[1]
    given["CLASS_NAMES"] = "wood, lake"
    assert "is the same file as an input" in algorithm.checkParameterValues(given, context)[1]


@pytest.mark.usefixtures("with_worker")
def test_file_that_is_no_checkpoint_is_a_sentence_and_leaves_nothing(
    algorithm: ImportCheckpointAlgorithm,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
    raster: Callable[..., QgsRasterLayer],
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights at all")
    given = {"CHECKPOINT": str(path), "FAMILY": "das2f", "MODEL": str(tmp_path / "m.safetensors")}
    given |= {"MS": raster("ms", bands=4), "PAN": raster("pan", size=64)}
    with pytest.raises(QgsProcessingException, match=r"weights\.pth"):
        algorithm.run(given, context, listener, catchExceptions=False)
    assert not [one for one in tmp_path.iterdir() if "m.safetensors" in one.name]
