"""What the panel needs to know of the layers in the project."""

import re
from collections.abc import Collection, Iterable, Sequence

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateTransform,
    QgsCsException,
    QgsDistanceArea,
    QgsFeatureRequest,
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
_AREA_WORDS = re.compile(
    r"survey|study.?area|\baoi\b|untersuchung|kartierung|gebiet|\bareas?\b", re.IGNORECASE
)
_PRECISE_WORDS = re.compile(r"precise|accurate|\bfine\b|detailed|genau|\bfein", re.IGNORECASE)
_REFERENCE_WORDS = re.compile(
    r"truth|referen[cz]|validation|\btest|ground.?check|wahrheit|pr(ü|ue)f", re.IGNORECASE
)
_MAPPED_FIELDS = {"class_value", "area_m2"}
_SAMPLE = re.compile(r"^sample: ", re.IGNORECASE)
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


def raster_facts(
    selected: Sequence[QgsMapLayer], labels: QgsVectorLayer | None = None
) -> list[LayerFacts]:
    """The valid raster layers of the project; `selected` are those selected in the tree.

    With `labels`, whether some of them lie on each.
    """
    chosen = {layer.id() for layer in selected}
    return [
        LayerFacts(
            id=layer.id(),
            name=layer.name(),
            bands=layer.bandCount(),
            pixel=pixel_metres(layer),
            selected=layer.id() in chosen,
            classes=isinstance(layer.renderer(), QgsPalettedRasterRenderer),
            unlabelled=labels is not None and not lies_on(labels, layer),
        )
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer) and layer.isValid()
    ]


def lies_on(labels: QgsVectorLayer, image: QgsRasterLayer) -> bool:
    """Whether a feature of `labels` lies on `image`, by rectangles; true where nobody can tell."""
    into = QgsCoordinateTransform(image.crs(), labels.crs(), QgsProject.instance())
    try:
        ground = into.transformBoundingBox(image.extent())
    except QgsCsException:
        return True
    request = QgsFeatureRequest(ground).setLimit(1).setNoAttributes()
    return any(True for _ in labels.getFeatures(request))


def likely_labels(
    selected: Sequence[QgsMapLayer],
    *,
    subject: Collection[str] = (),
    precise: bool = False,
) -> QgsVectorLayer | None:
    """The layer with training polygons or points: a selected one, or one that is called so.

    The words of the `subject` are names for labels, too. One that is called like a surveyed area
    comes after all others, and only with a class field; of several, one that is called precise
    comes first where `precise` ones are wanted, else last. The only layer of polygons needs no
    name. What a model has mapped is never labels unless it is selected.
    """
    chosen = [layer for layer in selected if _can_be_labels(layer)]
    able = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if _can_be_labels(layer)
        and not _is_mapped(layer)
        and not (_is_area(layer) and not _has_classes(layer))
    ]
    named = [
        layer
        for layer in able
        if _CLASS_WORDS.search(_own_name(layer))
        or class_field(layer.fields().names())
        or any(word in _own_name(layer).lower() for word in subject)
    ]
    named.sort(key=lambda layer: (_is_area(layer), _is_precise(layer) != precise))
    return next(iter([*chosen, *named, *(able if len(able) == 1 else ())]), None)


def likely_reference(beside: QgsMapLayer | None) -> QgsMapLayer | None:
    """What a map may be compared with: polygons, points or a class raster that are called so.

    `beside` is the map itself, which is none.
    """
    found = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if layer is not beside
        and not _is_mapped(layer)
        and _REFERENCE_WORDS.search(_own_name(layer))
        and (_can_be_labels(layer) or _is_class_raster(layer))
    ]
    return found[0] if len(found) == 1 else None


def likely_area(*, precise: bool = False) -> QgsVectorLayer | None:
    """The one layer that is called like a surveyed area and holds no classes, if it is one.

    Where there are several, the one of the `precise` labels, or the one of the others.
    """
    found = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if _can_be_labels(layer)
        and layer.geometryType() == Qgis.GeometryType.Polygon
        and _is_area(layer)
        and not _has_classes(layer)
    ]
    if len(found) > 1:
        found = [layer for layer in found if _is_precise(layer) == precise]
    return found[0] if len(found) == 1 else None


def likely_map() -> QgsRasterLayer | None:
    """The topmost raster that is drawn in a palette of classes and is no reference by its name."""
    maps = [
        layer
        for layer in QgsProject.instance().layerTreeRoot().layerOrder()
        if _is_class_raster(layer)
    ]
    return min(maps, key=lambda layer: bool(_CLASS_WORDS.search(layer.name())), default=None)


def label_field(layer: QgsVectorLayer) -> str:
    """The field with the class: the one that the layer is drawn by, else by its name.

    With the former, a training takes over names and colours of the style.
    """
    renderer = layer.renderer()
    if isinstance(renderer, QgsCategorizedSymbolRenderer):
        drawn_by = renderer.classAttribute().strip('"')
        if drawn_by in layer.fields().names():
            return drawn_by
    return class_field(layer.fields().names())


def class_field(names: Iterable[str]) -> str:
    """The field that is called like one of classes, or an empty text."""
    by_word = {name.lower(): name for name in names}
    for word in ("class", "class_name", *NAME_FIELDS, "klasse", "code"):
        if word in by_word:
            return by_word[word]
    return next((name for word, name in by_word.items() if "class" in word), "")


def is_sample(layer: QgsMapLayer) -> bool:
    """Whether the layer is of a sample scene, by its name."""
    return bool(_SAMPLE.search(layer.name()))


def _own_name(layer: QgsMapLayer) -> str:
    """The layer's name without what all layers of a sample scene begin with."""
    return _SAMPLE.sub("", layer.name())


def _is_area(layer: QgsMapLayer) -> bool:
    """Whether the name speaks of a surveyed area and not of labels, before any comma."""
    name = _own_name(layer).split(",")[0]
    return bool(_AREA_WORDS.search(name)) and not _CLASS_WORDS.search(name)


def _is_precise(layer: QgsMapLayer) -> bool:
    return bool(_PRECISE_WORDS.search(_own_name(layer)))


def _is_class_raster(layer: QgsMapLayer) -> bool:
    """Whether the layer is drawn in a palette of classes."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        return False
    return isinstance(layer.renderer(), QgsPalettedRasterRenderer)


def _has_classes(layer: QgsVectorLayer) -> bool:
    """Whether a field is called after classes; a mere name may be anything's."""
    names = [name.lower() for name in layer.fields().names()]
    return any("class" in name or "klasse" in name for name in names)


def _is_mapped(layer: QgsMapLayer) -> bool:
    """Whether the layer has the fields of polygons that a model has mapped: no labels."""
    return isinstance(layer, QgsVectorLayer) and set(layer.fields().names()) >= _MAPPED_FIELDS


def _can_be_labels(layer: QgsMapLayer) -> bool:
    if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
        return False
    return layer.geometryType() in _LABEL_GEOMETRIES
