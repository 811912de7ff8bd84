"""What the panel needs to know of the layers in the project."""

import re
from collections.abc import Iterable, Sequence

from qgis.core import (
    Qgis,
    QgsDistanceArea,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ..core.classes import NAME_FIELDS
from .layers import LayerFacts

_CLASS_WORDS = re.compile(r"class|klasse|label|train|truth|reference|sample", re.IGNORECASE)
_METRES = Qgis.DistanceUnit.Meters
_LABEL_GEOMETRIES = (Qgis.GeometryType.Polygon, Qgis.GeometryType.Point)


def pixel_metres(layer: QgsRasterLayer) -> float:
    """The edge of a pixel of `layer` at its centre, in metres; 0 where that cannot be told."""
    if not layer.isValid() or not layer.crs().isValid() or layer.width() < 1:
        return 0.0
    measure = QgsDistanceArea()
    measure.setSourceCrs(layer.crs(), QgsProject.instance().transformContext())
    if not measure.setEllipsoid(QgsProject.instance().ellipsoid()):
        return 0.0
    centre = layer.extent().center()
    beside = QgsPointXY(centre.x() + layer.rasterUnitsPerPixelX(), centre.y())
    length = measure.measureLine(centre, beside)
    return measure.convertLengthMeasurement(length, _METRES) if length > 0 else 0.0


def raster_facts(selected: Sequence[QgsMapLayer]) -> list[LayerFacts]:
    """The valid raster layers of the project; `selected` are those selected in the tree."""
    chosen = {layer.id() for layer in selected}
    return [
        LayerFacts(
            id=layer.id(),
            name=layer.name(),
            bands=layer.bandCount(),
            pixel=pixel_metres(layer),
            selected=layer.id() in chosen,
            classes=isinstance(layer.renderer(), QgsPalettedRasterRenderer),
        )
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer) and layer.isValid()
    ]


def likely_labels(selected: Sequence[QgsMapLayer]) -> QgsVectorLayer | None:
    """The layer with training polygons or points: a selected one, or one that is called so."""
    chosen = [layer for layer in selected if _can_be_labels(layer)]
    named = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if _can_be_labels(layer)
        and (_CLASS_WORDS.search(layer.name()) or class_field(layer.fields().names()))
    ]
    return next(iter([*chosen, *named]), None)


def likely_map() -> QgsRasterLayer | None:
    """The topmost raster that is drawn in a palette of classes and is no reference by its name."""
    maps = [
        layer
        for layer in QgsProject.instance().layerTreeRoot().layerOrder()
        if isinstance(layer, QgsRasterLayer)
        and layer.isValid()
        and isinstance(layer.renderer(), QgsPalettedRasterRenderer)
    ]
    return min(maps, key=lambda layer: bool(_CLASS_WORDS.search(layer.name())), default=None)


def class_field(names: Iterable[str]) -> str:
    """The field that is called like one of classes, or an empty text."""
    by_word = {name.lower(): name for name in names}
    for word in ("class", "class_name", *NAME_FIELDS, "klasse", "code"):
        if word in by_word:
            return by_word[word]
    return next((name for word, name in by_word.items() if "class" in word), "")


def _can_be_labels(layer: QgsMapLayer) -> bool:
    if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
        return False
    return layer.geometryType() in _LABEL_GEOMETRIES
