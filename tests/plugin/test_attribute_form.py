"""The attribute form of mapped polygons."""

from pathlib import Path

import pytest
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from terraweave.core.classes import MapClass
from terraweave.plugin.attribute_form import add_form
from terraweave.plugin.styling import LayerStyler, polygon_style

FIELDS = (
    "field=class_value:integer&field=class_name:string&field=area_m2:double&field=confidence:double"
)


@pytest.fixture
def polygons(qgis_new_project: None, tmp_path: Path) -> QgsVectorLayer:
    """Polygons as the worker writes them, in a GeoPackage."""
    memory = QgsVectorLayer(f"Polygon?crs=EPSG:32632&{FIELDS}", "made", "memory")
    feature = QgsFeature(memory.fields())
    feature.setAttributes([3, "Wood", 12345.678, 0.8765])
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000, 4000000, 500100, 4000100)))
    memory.dataProvider().addFeatures([feature])
    options = QgsVectorFileWriter.SaveVectorOptions()
    transforms = QgsProject.instance().transformContext()
    path = str(tmp_path / "polygons.gpkg")
    QgsVectorFileWriter.writeAsVectorFormatV3(memory, path, transforms, options)
    layer = QgsVectorLayer(path, "polygons")
    QgsProject.instance().addMapLayer(layer, False)
    return layer


def test_fields_speak_and_numbers_have_units(polygons: QgsVectorLayer) -> None:
    add_form(polygons)
    fields = polygons.fields()
    aliases = {one.name(): one.alias() for one in fields if one.alias()}
    assert aliases == {
        "class_value": "Class number",
        "class_name": "Class",
        "area_m2": "Area",
        "confidence": "Confidence",
    }
    area = polygons.editorWidgetSetup(fields.indexOf("area_m2"))
    assert (area.type(), area.config()["Suffix"]) == ("Range", " m²")
    assert polygons.editFormConfig().readOnly(fields.indexOf("class_name"))


def test_a_polygon_is_called_by_its_class_and_area(polygons: QgsVectorLayer) -> None:
    add_form(polygons)
    assert "class_name" in polygons.displayExpression()
    assert "12,346 m²" in polygons_title(polygons)


def polygons_title(layer: QgsVectorLayer) -> str:
    """What the form of the first polygon is called."""
    from qgis.core import QgsExpression, QgsExpressionContext, QgsExpressionContextUtils

    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    context.setFeature(next(layer.getFeatures()))
    return str(QgsExpression(layer.displayExpression()).evaluate(context))


def test_form_and_style_are_there_tomorrow(polygons: QgsVectorLayer) -> None:
    style = polygon_style([MapClass(3, "Wood", "#117733")])
    LayerStyler(polygons.source(), style).postProcessLayer(polygons, None, None)
    polygons.saveDefaultStyle(QgsMapLayer.StyleCategory.AllStyleCategories)
    again = QgsVectorLayer(polygons.source(), "again")
    QgsProject.instance().addMapLayer(again, False)
    assert again.fields().field("area_m2").alias() == "Area"
    assert [one.label() for one in again.renderer().categories()] == ["Wood"]


def test_rasters_and_foreign_fields_stay_as_they_are(polygons: QgsVectorLayer) -> None:
    add_form(QgsRasterLayer())
    foreign = QgsVectorLayer("Polygon?field=name:string", "foreign", "memory")
    QgsProject.instance().addMapLayer(foreign, False)
    before = foreign.displayExpression()
    add_form(foreign)
    assert foreign.fields()[0].alias() == ""
    assert foreign.displayExpression() == before
