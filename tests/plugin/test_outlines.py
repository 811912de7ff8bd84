"""Outlines on images: found, drawn, precise and surveyed are told apart at a glance."""

from itertools import combinations
from math import dist
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsRectangle,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor, QImage
from terraweave.core.scene.legend import write_outline_style
from terraweave.plugin.algorithms.samplescene import SampleSceneAlgorithm
from terraweave.plugin.legends import classes_of
from terraweave.plugin.outlines import DRAWN, DRAWN_PRECISELY, FOUND, SURVEYED, Outline, outlined

ALL = {"found": FOUND, "drawn": DRAWN, "precise": DRAWN_PRECISELY, "surveyed": SURVEYED}
# Machado, Oliveira and Fernandes 2009, severity 1, on linear red, green and blue.
SIGHTS = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}


def seen(color: str, sight: str) -> list[float]:
    """Red, green and blue from 0 to 1 as an eye of that `sight` takes them."""
    linear = [part**2.2 for part in QColor(color).getRgbF()[:3]]
    rows = SIGHTS[sight]
    mixed = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in rows]
    return [max(part, 0.0) ** (1 / 2.2) for part in mixed]


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("pair", [*combinations(ALL, 2)], ids="-".join)
def test_colours_differ_for_every_eye(pair: tuple[str, str], sight: str) -> None:
    first, second = (seen(ALL[name].color, sight) for name in pair)
    assert dist(first, second) > 0.3


def drawn(outline: Outline, ground: str) -> QImage:
    """A square in that outline on a ground of one colour."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "square", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(20, 20, 80, 80)))
    assert layer.dataProvider().addFeatures([feature])[0]
    outlined(outline, layer)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(QgsRectangle(0, 0, 100, 100))
    settings.setOutputSize(QSize(200, 200))
    settings.setBackgroundColor(QColor(ground))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


@pytest.mark.parametrize("ground", ["#000000", "#ffffff", "#3c5a32", "#d55e00"])
@pytest.mark.parametrize("name", ALL)
def test_each_outline_stands_out_on_dark_and_on_bright_ground(
    qgis_app: QgsApplication, name: str, ground: str
) -> None:
    picture = drawn(ALL[name], ground)
    below = QColor(ground).getRgb()
    # Several rows, since some lines are dashed.
    pixels = [picture.pixelColor(x, y) for y in range(80, 120, 4) for x in range(30, 50)]
    assert max(dist(one.getRgb(), below) for one in pixels) > 140
    # Inside nothing is covered.
    assert picture.pixelColor(100, 100).name() == ground


@pytest.mark.parametrize(("surveyed", "outline"), [(False, FOUND), (True, SURVEYED)])
def test_files_look_the_same_where_the_plugin_does_not_open_them(
    qgis_app: QgsApplication, tmp_path: Path, surveyed: bool, outline: Outline
) -> None:
    write_outline_style(tmp_path / "areas.gpkg", surveyed=surveyed)
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "areas", "memory")
    layer.loadNamedStyle(str(tmp_path / "areas.qml"))
    hollow, casing, line = layer.renderer().symbol().symbolLayers()
    assert (casing.color().name(), line.color().name()) == (outline.casing, outline.color)
    # The symbol owns its layers.
    symbol = outline.symbol()
    widths = [one.width() for one in symbol.symbolLayers()[1:]]
    assert [casing.width(), line.width()] == pytest.approx(widths)
    assert hollow.brushStyle() == Qt.BrushStyle.NoBrush


@pytest.mark.usefixtures("with_worker")
def test_the_layers_of_a_mining_sample_are_drawn_each_in_its_own_way(
    context: QgsProcessingContext, listener: QgsProcessingFeedback, tmp_path: Path
) -> None:
    algorithm = SampleSceneAlgorithm().create()
    given = {"FAMILY": "minec2fnet", "SIZE": 128, "FOLDER": str(tmp_path / "s")}
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    colors = {}
    for key in ("LABELS", "FINE_LABELS", "AREA"):
        layer = QgsVectorLayer(results[key], key)
        details = context.layerToLoadOnCompletionDetails(results[key])
        details.postProcessor().postProcessLayer(layer, context, listener)
        renderer = layer.renderer()
        single = isinstance(renderer, QgsSingleSymbolRenderer)
        # The category owns its symbol.
        category = None if single else renderer.categories()[0]
        symbol = renderer.symbol() if category is None else category.symbol()
        colors[key] = symbol.symbolLayers()[-1].color().name()
        # A training still finds the name and the colour of the class.
        if key != "AREA":
            assert [(one.name, one.color) for one in classes_of(layer, "class_id")] == [
                ("Mine", "#c0392b")
            ]
    assert colors == {
        "LABELS": DRAWN.color,
        "FINE_LABELS": DRAWN_PRECISELY.color,
        "AREA": SURVEYED.color,
    }
