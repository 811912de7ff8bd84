"""Maps of a single class let what lies beneath show through."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsMapLayer,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterBlock,
    QgsRasterLayer,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QByteArray, QSize, Qt
from qgis.PyQt.QtGui import QImage
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms.predict import PredictAlgorithm
from terraweave.plugin.outlines import FOUND
from terraweave.plugin.styling import (
    BELOW,
    confidence_style,
    natural_colours,
    shade_style,
)

RasterMaker = Callable[..., QgsRasterLayer]
CARD = Card(
    "scars", "scars", (CardInput("MS", (Band("band 1"),), (0.0,), (1.0,), 1.0),),
    (MapClass(1, "scar", "#d55e00"),), 16, 8, {},
)  # fmt: skip


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> PredictAlgorithm:
    """A prediction of a family that maps a single class."""
    facts = FAMILIES["das2f"]
    family = replace(facts, key="scars", purpose="Scars from an image", binary=True)
    return PredictAlgorithm(family).create()


def test_class_map_has_no_entry_for_the_background(
    algorithm: PredictAlgorithm, raster: RasterMaker
) -> None:
    title, style = algorithm._looks(CARD)["CLASSES"]
    layer = raster("map", bands=1)
    style(layer)
    assert title == "Scars"
    assert isinstance(layer.renderer(), QgsPalettedRasterRenderer)
    assert [(one.value, one.label) for one in layer.renderer().classes()] == [(1, "scar")]


def test_probability_is_half_transparent_and_begins_with_nothing(
    algorithm: PredictAlgorithm, raster: RasterMaker
) -> None:
    title, style = algorithm._looks(CARD)["CONFIDENCE"]
    layer = raster("map", bands=1)
    style(layer)
    assert title == "Scars, probability"
    renderer = layer.renderer()
    assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
    assert renderer.opacity() == 0.5
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    assert (items[0].value, items[0].color.alpha()) == (0, 0)
    assert (items[-1].value, items[-1].color.name()) == (1, "#bd0026")


def test_confidence_of_several_classes_stays_opaque(
    qgis_app: QgsApplication, raster: RasterMaker
) -> None:
    layer = raster("map", bands=1)
    confidence_style()(layer)
    assert layer.renderer().opacity() == 1


def test_areas_are_hollow_outlines_with_a_casing(algorithm: PredictAlgorithm) -> None:
    title, style = algorithm._looks(CARD)["POLYGONS"]
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "areas", "memory")
    style(layer)
    assert title == "Scars, areas"
    assert isinstance(layer.renderer(), QgsSingleSymbolRenderer)
    hollow, casing, line = layer.renderer().symbol().symbolLayers()
    assert hollow.brushStyle() == Qt.BrushStyle.NoBrush
    assert hollow.strokeStyle() == Qt.PenStyle.NoPen
    assert line.color().name() == FOUND.color
    assert casing.color().name() == FOUND.casing
    assert casing.width() > line.width()


def test_hillshade_is_grey_and_lies_below_the_probability(
    qgis_app: QgsApplication, raster: RasterMaker
) -> None:
    algorithm = PredictAlgorithm(FAMILIES["hpclnet"]).create()
    parameter = algorithm.parameterDefinition("HILLSHADE")
    assert parameter.flags() & Qgis.ProcessingParameterFlag.Optional
    assert not parameter.createByDefault()
    layers = {name: raster(name) for name in ("CONFIDENCE", "HILLSHADE")}
    paths = {name: layer.source() for name, layer in layers.items()}
    context = QgsProcessingContext()
    for name, path in paths.items():
        details = QgsProcessingContext.LayerDetails(name, QgsProject.instance(), name)
        context.addLayerToLoadOnCompletion(path, details)
    algorithm._scene_name = "valley"
    algorithm._announce(paths, CARD, context)
    found = {name: context.layerToLoadOnCompletionDetails(path) for name, path in paths.items()}
    assert found["HILLSHADE"].name == "Hillshade (valley)"
    assert found["HILLSHADE"].layerSortKey == BELOW < found["CONFIDENCE"].layerSortKey
    found["HILLSHADE"].postProcessor().postProcessLayer(
        layers["HILLSHADE"], context, QgsProcessingFeedback()
    )
    renderer = layers["HILLSHADE"].renderer()
    assert isinstance(renderer, QgsSingleBandGrayRenderer)
    stretch = renderer.contrastEnhancement()
    assert (stretch.minimumValue(), stretch.maximumValue()) == (1, 255)


def drawn(layers: list[QgsMapLayer]) -> QImage:
    """What QGIS draws of some layers, the first on top, over the ground of the last."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setExtent(layers[-1].extent())
    settings.setOutputSize(QSize(120, 120))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def test_hillshade_does_not_hide_the_image_below_it(
    qgis_app: QgsApplication, raster: RasterMaker
) -> None:
    image, shade = raster("image", bands=3), raster("shade", bands=1)
    # A picture of two halves, red and blue, on which the shade is the same everywhere.
    left, right = (80, 200, 30), (30, 60, 200)
    for band in range(3):
        paint(image, band + 1, left[band], right[band])
    paint(shade, 1, 180, 180)
    shade_style()(shade)
    picture = drawn([shade, image])
    west, east = picture.pixelColor(30, 60), picture.pixelColor(90, 60)
    alone = drawn([image])
    assert west.hslHue() == pytest.approx(alone.pixelColor(30, 60).hslHue(), abs=2)
    assert east.hslHue() == pytest.approx(alone.pixelColor(90, 60).hslHue(), abs=2)
    # It does shade, and without an image it is seen, too.
    assert west.lightness() < alone.pixelColor(30, 60).lightness()
    assert drawn([shade]).pixelColor(60, 60).lightness() < 230


def paint(layer: QgsRasterLayer, band: int, west: int, east: int) -> None:
    """Set the values of the halves of a band."""
    provider = layer.dataProvider()
    assert provider.setEditable(True)
    columns, rows = layer.width(), layer.height()
    values = bytes([*[west] * (columns // 2), *[east] * (columns - columns // 2)] * rows)
    block = QgsRasterBlock(Qgis.DataType.Byte, columns, rows)
    block.setData(QByteArray(values))
    assert provider.writeBlock(block, band)
    provider.setEditable(False)


def test_other_families_have_no_hillshade(algorithm: PredictAlgorithm) -> None:
    assert algorithm.parameterDefinition("HILLSHADE") is None


def test_area_of_the_class_is_a_number_output(algorithm: PredictAlgorithm) -> None:
    assert algorithm.outputDefinition("AREA_HA") is not None
    assert PredictAlgorithm(FAMILIES["das2f"]).create().outputDefinition("AREA_HA") is None


def test_bands_called_red_green_and_blue_are_shown_as_such(sample_scene: Path) -> None:
    layer = QgsRasterLayer(str(sample_scene / "ms.tif"), "ms")
    assert "red" in layer.bandName(3)
    before = layer.renderer()
    third = before.blueContrastEnhancement().maximumValue()
    assert (before.redBand(), before.greenBand(), before.blueBand()) == (1, 2, 3)
    natural_colours(layer)
    after = layer.renderer()
    assert (after.redBand(), after.greenBand(), after.blueBand()) == (3, 2, 1)
    assert after.redContrastEnhancement().maximumValue() == third
    assert after.blueContrastEnhancement().maximumValue() != third
