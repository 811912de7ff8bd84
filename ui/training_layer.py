"""New layers to draw labels in: a GeoPackage whose form, style and edit mode are ready."""

from collections.abc import Sequence
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsDefaultValue,
    QgsEditFormConfig,
    QgsEditorWidgetSetup,
    QgsField,
    QgsFields,
    QgsFillSymbol,
    QgsProject,
    QgsRendererCategory,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QMetaType

from ..core.classes import MapClass

CLASS_FIELD = "class"


class LayerError(Exception):
    """A new layer could not be written; the message is a sentence for the user."""


def new_training_layer(
    path: str, name: str, classes: Sequence[MapClass], crs: QgsCoordinateReferenceSystem
) -> QgsVectorLayer:
    """An empty polygon layer for `classes`, in the project and in edit mode.

    Raises:
        LayerError: the file is there already or cannot be written.
    """
    fields = QgsFields()
    fields.append(QgsField(CLASS_FIELD, QMetaType.Type.Int))
    layer = _new_layer(path, name, fields, crs)
    place = layer.fields().indexOf(CLASS_FIELD)
    choices = [{one.name: str(one.value)} for one in classes]
    layer.setEditorWidgetSetup(place, QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    layer.setDefaultValueDefinition(place, QgsDefaultValue(str(classes[0].value)))
    form: QgsEditFormConfig = layer.editFormConfig()
    form.setReuseLastValue(place, True)
    layer.setEditFormConfig(form)
    categories = [QgsRendererCategory(one.value, _fill(one.color), one.name) for one in classes]
    layer.setRenderer(QgsCategorizedSymbolRenderer(CLASS_FIELD, categories))
    return _started(layer)


def new_area_layer(path: str, name: str, crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """An empty polygon layer for what was surveyed, in the project and in edit mode.

    Raises:
        LayerError: the file is there already or cannot be written.
    """
    layer = _new_layer(path, name, QgsFields(), crs)
    symbol = QgsFillSymbol.createSimple(
        {"style": "no", "outline_color": "#d55e00", "outline_width": "0.6"}
    )
    layer.renderer().setSymbol(symbol)
    return _started(layer)


def _new_layer(
    path: str, name: str, fields: QgsFields, crs: QgsCoordinateReferenceSystem
) -> QgsVectorLayer:
    if Path(path).exists():
        raise LayerError(f"There is a file “{path}” already; choose another name.")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "labels"
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LayerError(f"The folder of “{path}” cannot be made: {error.strerror}.") from error
    writer = QgsVectorFileWriter.create(
        path,
        fields,
        QgsWkbTypes.multiType(Qgis.WkbType.Polygon),
        crs,
        QgsProject.instance().transformContext(),
        options,
    )
    if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
        raise LayerError(f"“{path}” cannot be written: {writer.errorMessage()}")
    del writer
    layer = QgsVectorLayer(f"{path}|layername=labels", name, "ogr")
    if not layer.isValid():
        raise LayerError(f"“{path}” was written but cannot be opened; choose another folder.")
    return layer


def _started(layer: QgsVectorLayer) -> QgsVectorLayer:
    """Keep the style in the file, and let the user draw at once."""
    complaint = layer.saveStyleToDatabase("terraweave", "", True, "")
    if complaint:
        raise LayerError(f"The style of “{layer.name()}” cannot be kept in its file: {complaint}")
    if QgsProject.instance().addMapLayer(layer) is None or not layer.startEditing():
        raise LayerError(f"“{layer.name()}” cannot be edited; choose another folder.")
    return layer


def _fill(color: str) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple(
        {"color": color, "outline_color": color, "outline_width": "0.5"}
    )
    # The image must stay visible below what is drawn.
    symbol.setOpacity(0.5)
    return symbol
