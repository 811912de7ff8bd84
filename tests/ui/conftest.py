"""Fixtures of the panel's tests: the provider, a worker, a sample scene in the project."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# QGIS reads these when pytest-qgis starts it; never the user's own profile, never a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QGIS_CUSTOM_CONFIG_PATH", tempfile.mkdtemp(prefix="terraweave-profile-"))

import pytest
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from terraweave.plugin.interpreter import VARIABLE
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.panel import Panel


@pytest.fixture
def provider(qgis_processing: None) -> Iterator[TerraweaveProvider]:
    """Terraweave's provider in QGIS's registry."""
    made = TerraweaveProvider()
    QgsApplication.processingRegistry().addProvider(made)
    yield made
    QgsApplication.processingRegistry().removeProvider(made)


@pytest.fixture
def with_worker(worker_python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment variable names the worker's Python, which uses one core."""
    monkeypatch.setenv(VARIABLE, str(worker_python))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return worker_python


@pytest.fixture
def panel(
    provider: TerraweaveProvider, with_worker: Path, qgis_iface: QgisInterface, scene: dict
) -> Iterator[Panel]:
    """The panel over an unsaved project with a scene; nobody sees it, so nothing is estimated."""
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    yield made
    made.close()


@pytest.fixture
def scene(qgis_new_project: None, sample_scene: Path) -> Iterator[dict[str, str]]:
    """The sample scene in the project: the ids of its layers by name."""
    layers = {
        "ms": QgsRasterLayer(str(sample_scene / "ms.tif"), "valley ms"),
        "pan": QgsRasterLayer(str(sample_scene / "pan.tif"), "valley pan"),
        "truth": QgsRasterLayer(str(sample_scene / "truth.tif"), "valley truth"),
        "labels": QgsVectorLayer(str(sample_scene / "labels.gpkg"), "valley labels"),
    }
    QgsProject.instance().addMapLayers(list(layers.values()))
    yield {name: layer.id() for name, layer in layers.items()}
    QgsProject.instance().removeAllMapLayers()


@pytest.fixture(autouse=True)
def swept(qgis_app: QgsApplication) -> Iterator[None]:
    """Widgets that were thrown away are gone before QGIS ends."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def mines(qgis_new_project: None, mining_scene: Path) -> Iterator[dict[str, str]]:
    """A scene with coarse and precise outlines in the project, under the names of a sample."""
    layers = {
        "image": QgsRasterLayer(str(mining_scene / "image.tif"), "Sample: Image"),
        "truth": QgsRasterLayer(str(mining_scene / "truth.tif"), "Sample: Truth"),
        "labels": QgsVectorLayer(str(mining_scene / "coarse.gpkg"), "Sample: Labels"),
        "area": QgsVectorLayer(str(mining_scene / "area.gpkg"), "Sample: Surveyed area"),
        "fine": QgsVectorLayer(str(mining_scene / "fine.gpkg"), "Sample: Labels, precise"),
        "fine_area": QgsVectorLayer(
            str(mining_scene / "fine_area.gpkg"), "Sample: Surveyed area, precise labels"
        ),
    }
    QgsProject.instance().addMapLayers(list(layers.values()))
    yield {name: layer.id() for name, layer in layers.items()}
    QgsProject.instance().removeAllMapLayers()


@pytest.fixture
def until(qgis_app: QgsApplication) -> Callable[[Callable[[], object]], None]:
    """Lets QGIS go on until a condition holds; fails where it never does."""

    def wait(condition: Callable[[], object], milliseconds: int = 240000) -> None:
        loop = QEventLoop()
        timer = QTimer()
        timer.timeout.connect(lambda: loop.quit() if condition() else None)
        timer.start(5)
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()
        timer.stop()
        assert condition()

    return wait
