"""Class names and colours that a layer's style already has."""

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from ..core.classes import MapClass

_LARGEST = 65535


def classes_of(layer: QgsMapLayer, field: str) -> tuple[MapClass, ...]:
    """The classes that the style of `layer` names, or none where it names none.

    For vector layers the style must be categorised by `field`; a raster must be paletted.
    """
    if isinstance(layer, QgsVectorLayer):
        return _vector_classes(_styled(layer), field)
    return _raster_classes(layer) if isinstance(layer, QgsRasterLayer) else ()


def _styled(layer: QgsVectorLayer) -> QgsVectorLayer:
    """The layer, with the style saved beside it where Processing opened it without.

    Layers of the project are left as the user has them.
    """
    plain = not isinstance(layer.renderer(), QgsCategorizedSymbolRenderer)
    if plain and QgsProject.instance().mapLayer(layer.id()) is None:
        layer.loadDefaultStyle()
    return layer


def _vector_classes(layer: QgsVectorLayer, field: str) -> tuple[MapClass, ...]:
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        return ()
    if renderer.classAttribute().strip('"') != field:
        return ()
    categories = [one for one in renderer.categories() if _names_a_class(one)]
    if all(_class_number(one.value()) is not None for one in categories):
        return tuple(
            MapClass(int(one.value()), one.label() or str(one.value()), _color(one))
            for one in categories
        )
    # Classes with words for values are numbered in the order of the legend.
    return tuple(
        MapClass(number, str(one.value()), _color(one))
        for number, one in enumerate(categories[:_LARGEST], start=1)
    )


def _names_a_class(category: QgsRendererCategory) -> bool:
    """Whether a category stands for one value, as “all other values” does not."""
    value = category.value()
    if value is None or isinstance(value, list) or category.symbol() is None:
        return False
    if hasattr(value, "isNull") and value.isNull():
        return False
    return str(value) != "" and _class_number(value) != 0


def _class_number(value: object) -> int | None:
    """`value` as the number of a class, 0 for unlabelled, or None where it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == int(value) and 0 <= value <= _LARGEST else None


def _color(category: QgsRendererCategory) -> str:
    return category.symbol().color().name(QColor.NameFormat.HexRgb)


def _raster_classes(layer: QgsRasterLayer) -> tuple[MapClass, ...]:
    renderer = layer.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return ()
    named: dict[int, MapClass] = {}
    for one in renderer.classes():
        number = _class_number(one.value)
        if number:
            label = one.label or f"Class {number}"
            named[number] = MapClass(number, label, one.color.name(QColor.NameFormat.HexRgb))
    return tuple(named.values())
