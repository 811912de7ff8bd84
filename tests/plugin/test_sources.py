"""Layers as the worker gets them: by path where it can read them, as a file of ours elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsFillSymbol,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameters,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QMetaType
from terraweave.core.errors import Cancelled, InputError
from terraweave.plugin.legends import classes_of
from terraweave.plugin.sources import PreparedFeatures, PreparedRaster, image_bands

RasterMaker = Callable[..., QgsRasterLayer]


def source_of(
    layer: QgsVectorLayer, context: QgsProcessingContext, *, selected: bool = False
) -> QgsProcessingFeatureSource:
    """A feature source of the layer, as Processing makes it."""
    definition = QgsProcessingParameterFeatureSource("X")
    value = QgsProcessingFeatureSourceDefinition(layer.id(), selected)
    return QgsProcessingParameters.parameterAsSource(definition, {"X": value}, context)


def features_in(path: str) -> list[dict[str, object]]:
    """The features of a GeoJSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))["features"]


def pixels(layer: QgsRasterLayer) -> bytes:
    """The first band's bytes."""
    provider = layer.dataProvider()
    block = provider.block(1, provider.extent(), provider.xSize(), provider.ySize())
    return bytes(block.data())


def test_file_is_handed_over_by_its_path(
    raster: RasterMaker,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    layer = raster("ms", bands=3)
    source = PreparedRaster.of(layer, context).written(tmp_path / "out", "ms", listener)
    assert (source.path, source.name) == (str(tmp_path / "ms.tif"), "ms")


def test_virtual_raster_becomes_a_file_with_the_same_pixels(
    raster: RasterMaker,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    base = raster("base")
    context.project().addMapLayer(base, False)
    place = "crs=EPSG:32632&extent=500000,4000000,500160,4000160&width=16&height=16"
    formula = "formula=%22base@1%22 * 1"
    text = f"?{place}&{formula}&base:provider=gdal&base:uri={base.source()}"
    virtual = QgsRasterLayer(text, "virtual", "virtualraster")
    assert virtual.isValid()
    source = PreparedRaster.of(virtual, context).written(tmp_path, "copy", listener)
    assert source.path == str(tmp_path / "copy.tif")
    copy = QgsRasterLayer(source.path, "copy")
    assert copy.extent() == base.extent()
    assert copy.crs() == base.crs()
    found = [
        layer.dataProvider().block(1, base.extent(), 16, 16).value(row, 3)
        for layer in (copy, base)
        for row in range(16)
    ]
    assert found[:16] == found[16:]


@pytest.mark.parametrize("change", ["crs", "nodata"])
def test_what_the_user_set_on_the_layer_reaches_the_worker(
    raster: RasterMaker,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
    change: str,
) -> None:
    layer = raster("ms", crs="" if change == "crs" else "EPSG:32632")
    if change == "crs":
        layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    else:
        layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(7, 7)])
    source = PreparedRaster.of(layer, context).written(tmp_path, "copy", listener)
    copy = QgsRasterLayer(source.path, "copy")
    assert source.path == str(tmp_path / "copy.tif")
    assert copy.crs() == layer.crs()
    if change == "nodata":
        assert copy.dataProvider().sourceNoDataValue(1) == 7
        assert not copy.dataProvider().block(1, copy.extent(), 16, 16).isNoData(0, 0)
        assert copy.dataProvider().block(1, copy.extent(), 16, 16).isNoData(0, 5)
    else:
        assert pixels(copy) == pixels(layer)


def test_names_of_bands_survive_the_copy(
    raster: RasterMaker,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    layer = raster("ms", bands=2, crs="")
    companion = Path(layer.source() + ".aux.xml")
    bands = "".join(
        f'<PAMRasterBand band="{number}"><Description>{name}</Description></PAMRasterBand>'
        for number, name in enumerate(("red", "near <infrared>"), start=1)
    ).replace("<infrared>", "&lt;infrared&gt;")
    companion.write_text(f"<PAMDataset>{bands}</PAMDataset>")
    named = QgsRasterLayer(layer.source(), "named")
    named.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    source = PreparedRaster.of(named, context).written(tmp_path, "copy", listener)
    copy = QgsRasterLayer(source.path, "copy")
    assert [copy.dataProvider().bandDescription(band) for band in (1, 2)] == [
        "red",
        "near <infrared>",
    ]


def test_picture_from_a_server_is_refused_with_the_way_out(
    context: QgsProcessingContext,
) -> None:
    address = "type=xyz&url=file:///nowhere/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=18&zmin=0"
    layer = QgsRasterLayer(address, "aerial", "wms")
    with pytest.raises(InputError, match="“aerial” is a picture from a server.*save it as a Geo"):
        PreparedRaster.of(layer, context)


def test_bands_are_counted(raster: RasterMaker) -> None:
    assert image_bands(raster(bands=3)) == 3


def test_cancel_while_a_raster_is_copied(
    raster: RasterMaker,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    layer = raster(crs="")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    prepared = PreparedRaster.of(layer, context)
    listener.cancel()
    with pytest.raises(Cancelled):
        prepared.written(tmp_path, "copy", listener)


def test_memory_layer_becomes_geojson_with_the_class_alone(
    fields_layer: QgsVectorLayer,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    prepared = PreparedFeatures.of_vector(source_of(fields_layer, context), "class", fields_layer)
    written = prepared.written(tmp_path, "labels", listener)
    features = features_in(written.path)
    assert [one["properties"] for one in features] == [
        {"class": name} for name in ("wheat", "wheat", "wood", "lake")
    ]
    assert (written.name, written.field) == ("fields", "class")
    assert QgsCoordinateReferenceSystem.fromWkt(written.crs).authid() == "EPSG:32632"
    original = next(fields_layer.getFeatures()).geometry()
    corners = features[0]["geometry"]["coordinates"][0]
    assert [tuple(corner) for corner in corners] == [
        (point.x(), point.y()) for point in original.vertices()
    ]


@pytest.mark.parametrize(("selected", "count"), [(False, 4), (True, 2)])
def test_a_layer_removed_before_its_features_are_written_is_not_missed(
    fields_layer: QgsVectorLayer,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
    selected: bool,
    count: int,
) -> None:
    layer = fields_layer.clone()
    QgsProject.instance().addMapLayer(layer)
    layer.selectByIds(layer.allFeatureIds()[:2])
    source = source_of(layer, context, selected=selected)
    prepared = PreparedFeatures.of_vector(source, "class", layer)
    QgsProject.instance().removeMapLayer(layer.id())
    assert sip.isdeleted(layer)
    assert len(features_in(prepared.written(tmp_path, "labels", listener).path)) == count


def test_selected_features_only(
    fields_layer: QgsVectorLayer,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    fields_layer.selectByExpression("\"class\" = 'wood'")
    source = source_of(fields_layer, context, selected=True)
    written = PreparedFeatures.of_vector(source, "class").written(tmp_path, "labels", listener)
    assert [one["properties"]["class"] for one in features_in(written.path)] == ["wood"]


def test_filter_virtual_field_and_unsaved_edits_are_seen(
    fields_layer: QgsVectorLayer,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    fields_layer.setSubsetString('"number" < 5')
    fields_layer.addExpressionField('upper("class")', QgsField("loud", QMetaType.Type.QString))
    fields_layer.startEditing()
    fields_layer.changeAttributeValue(next(fields_layer.getFeatures()).id(), 0, "barley")
    source = source_of(fields_layer, context)
    written = PreparedFeatures.of_vector(source, "loud").written(tmp_path, "labels", listener)
    found = sorted(one["properties"]["loud"] for one in features_in(written.path))
    fields_layer.rollBack()
    assert found == ["BARLEY", "WHEAT", "WOOD"]


def test_empty_values_and_geometries_are_written_as_null(
    fields_layer: QgsVectorLayer,
    context: QgsProcessingContext,
    tmp_path: Path,
    listener: QgsProcessingFeedback,
) -> None:
    nothing = QgsFeature(fields_layer.fields())
    fields_layer.dataProvider().addFeatures([nothing])
    source = source_of(fields_layer, context)
    written = PreparedFeatures.of_vector(source, "number").written(tmp_path, "labels", listener)
    assert features_in(written.path)[-1] == {
        "type": "Feature", "properties": {"number": None}, "geometry": None,
    }  # fmt: skip


def test_names_beside_class_numbers_are_kept(
    context: QgsProcessingContext, tmp_path: Path, listener: QgsProcessingFeedback
) -> None:
    layer = QgsVectorLayer("Point?crs=EPSG:4326&field=id:int&field=label:string", "x", "memory")
    feature = QgsFeature(layer.fields())
    feature.setAttributes([3, "heath"])
    feature.setGeometry(QgsGeometry.fromWkt("POINT (9 50)"))
    layer.dataProvider().addFeatures([feature])
    context.project().addMapLayer(layer)
    source = source_of(layer, context)
    written = PreparedFeatures.of_vector(source, "id").written(tmp_path, "labels", listener)
    assert features_in(written.path)[0]["properties"] == {"id": 3, "label": "heath"}


def categorised(layer: QgsVectorLayer, field: str, rows: list[tuple[object, str, str]]) -> None:
    """Style the layer by values, with labels and colours."""
    categories = [
        QgsRendererCategory(value, QgsFillSymbol.createSimple({"color": color}), label)
        for value, label, color in rows
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))


def test_numbered_classes_take_labels_and_colours_from_the_style(
    fields_layer: QgsVectorLayer, context: QgsProcessingContext
) -> None:
    rows = [(1, "Wheat field", "#aa0000"), (7, "Lake", "#0000aa"), (None, "others", "#777777")]
    categorised(fields_layer, "number", rows)
    prepared = PreparedFeatures.of_vector(source_of(fields_layer, context), "number", fields_layer)
    assert [(one.value, one.name, one.color) for one in prepared.features.classes] == [
        (1, "Wheat field", "#aa0000"),
        (7, "Lake", "#0000aa"),
    ]


def test_named_classes_keep_the_name_that_the_field_has(
    fields_layer: QgsVectorLayer, context: QgsProcessingContext
) -> None:
    categorised(fields_layer, "class", [("wood", "Forest", "#00aa00"), ("", "", "#777777")])
    prepared = PreparedFeatures.of_vector(source_of(fields_layer, context), "class", fields_layer)
    assert [(one.name, one.color) for one in prepared.features.classes] == [("wood", "#00aa00")]


def test_style_by_another_field_says_nothing_about_the_classes(
    fields_layer: QgsVectorLayer, context: QgsProcessingContext
) -> None:
    categorised(fields_layer, "number", [(1, "Wheat", "#aa0000")])
    prepared = PreparedFeatures.of_vector(source_of(fields_layer, context), "class", fields_layer)
    assert prepared.features.classes == ()


def test_style_saved_beside_a_file_counts_where_processing_opens_it_without(
    sample_scene: Path,
) -> None:
    options = QgsVectorLayer.LayerOptions()
    options.loadDefaultStyle = False
    layer = QgsVectorLayer(str(sample_scene / "labels.gpkg"), "labels", "ogr", options)
    assert not isinstance(layer.renderer(), QgsCategorizedSymbolRenderer)
    names = [one.name for one in classes_of(layer, "class_id")]
    assert "Water" in names
