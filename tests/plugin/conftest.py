"""Fixtures of the host's tests: the provider, layers, a feedback that listens."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# QGIS reads these when pytest-qgis starts it; never the user's own profile, never a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QGIS_CUSTOM_CONFIG_PATH", tempfile.mkdtemp(prefix="terraweave-profile-"))

import pytest
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterBlock,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRectangle,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QByteArray
from terraweave.plugin.interpreter import SETTING, VARIABLE
from terraweave.plugin.provider import TerraweaveProvider

RasterMaker = Callable[..., QgsRasterLayer]


class Listener(QgsProcessingFeedback):
    """Keeps what it is told, and cancels at the word in `cancel_at`."""

    def __init__(self, cancel_at: str = "") -> None:
        super().__init__(False)
        self.said: list[tuple[str, str]] = []
        self._cancel_at = cancel_at

    def _hear(self, kind: str, text: str) -> None:
        self.said.append((kind, text))
        if self._cancel_at and self._cancel_at in text:
            self.cancel()

    def texts(self, kind: str) -> list[str]:
        """What was said of one kind."""
        return [text for told, text in self.said if told == kind]

    def setProgressText(self, text: str) -> None:
        self._hear("stage", text)

    def pushInfo(self, info: str) -> None:
        self._hear("info", info)

    def pushWarning(self, warning: str) -> None:
        self._hear("warning", warning)

    def reportError(self, error: str, fatalError: bool = False) -> None:
        self._hear("error", error)

    def pushDebugInfo(self, info: str) -> None:
        self._hear("debug", info)


@pytest.fixture
def listener() -> Listener:
    """A feedback that keeps what it is told."""
    return Listener()


@pytest.fixture
def listener_cancelling_at() -> Callable[[str], Listener]:
    """Makes a feedback that cancels at a word."""
    return Listener


@pytest.fixture
def provider(qgis_processing: None) -> Iterator[TerraweaveProvider]:
    """Terraweave's provider in QGIS's registry."""
    made = TerraweaveProvider()
    QgsApplication.processingRegistry().addProvider(made)
    yield made
    QgsApplication.processingRegistry().removeProvider(made)


@pytest.fixture
def context(qgis_new_project: None) -> Iterator[QgsProcessingContext]:
    """A Processing context on an empty project; layers it opened must not outlive QGIS."""
    made = QgsProcessingContext()
    made.setProject(QgsProject.instance())
    yield made
    made.temporaryLayerStore().removeAllMapLayers()


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither setting nor variable names a worker, and the profile has none."""
    monkeypatch.delenv(VARIABLE, raising=False)
    QgsSettings().remove(SETTING)
    yield
    QgsSettings().remove(SETTING)


@pytest.fixture
def with_worker(worker_python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment variable names the worker's Python, which uses one core."""
    monkeypatch.setenv(VARIABLE, str(worker_python))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return worker_python


@pytest.fixture
def raster(qgis_new_project: None, tmp_path: Path) -> RasterMaker:
    """Makes a GeoTIFF of bytes 1, 2, 3… and loads it."""

    def make(
        name: str = "image",
        bands: int = 1,
        box: tuple[float, float, float, float] = (500000, 4000000, 500160, 4000160),
        size: int = 16,
        crs: str = "EPSG:32632",
    ) -> QgsRasterLayer:
        path = tmp_path / f"{name}.tif"
        writer = QgsRasterFileWriter(str(path))
        system = QgsCoordinateReferenceSystem(crs) if crs else QgsCoordinateReferenceSystem()
        provider = writer.createMultiBandRaster(
            Qgis.DataType.Byte, size, size, QgsRectangle(*box), system, bands
        )
        provider.setEditable(True)
        for band in range(1, bands + 1):
            values = bytes((pixel + band) % 200 + 1 for pixel in range(size * size))
            block = QgsRasterBlock(Qgis.DataType.Byte, size, size)
            block.setData(QByteArray(values))
            assert provider.writeBlock(block, band, 0, 0)
        provider.setEditable(False)
        del provider
        layer = QgsRasterLayer(str(path), name)
        # Python keeps a test's fixtures until after QGIS has ended, and layers must not live
        # that long: the project takes them with it.
        QgsProject.instance().addMapLayer(layer, False)
        return layer

    return make


@pytest.fixture
def fields_layer(qgis_new_project: None) -> QgsVectorLayer:
    """A memory layer with four squares of three classes inside the usual raster's box."""
    layer = QgsVectorLayer(
        "Polygon?crs=EPSG:32632&field=class:string(20)&field=number:integer", "fields", "memory"
    )
    rows = (("wheat", 1), ("wheat", 1), ("wood", 2), ("lake", 7))
    features = []
    for place, (name, number) in enumerate(rows):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([name, number])
        west = 500010 + 35 * place
        box = QgsRectangle(west, 4000010, west + 30, 4000100)
        feature.setGeometry(QgsGeometry.fromRect(box))
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    QgsProject.instance().addMapLayer(layer)
    return layer
