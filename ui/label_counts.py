"""Labelled pixels per class, counted while the user draws, a few features at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsDistanceArea,
    QgsFeature,
    QgsFeatureRequest,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from .words import tr

# A class with fewer labelled pixels can hardly be learnt, nor its score trusted.
FEW_PIXELS = 50
# The labels of a class are in one place where they span less than this part of all labels.
_ONE_PLACE = 0.15
_AT_ONCE = 100
_WAIT_MILLISECONDS = 300


@dataclass(slots=True)
class ClassCount:
    """How much of one class is labelled; `box` is where."""

    name: str
    features: int = 0
    pixels: float = 0.0
    box: QgsRectangle = field(default_factory=QgsRectangle)


def count_warnings(counts: Sequence[ClassCount]) -> list[str]:
    """A sentence for every class that is too small or all in one place."""
    everything = QgsRectangle()
    for one in counts:
        everything.combineExtentWith(one.box)
    warnings = []
    for one in counts:
        if one.pixels < FEW_PIXELS:
            text = tr("“{}” has only {} labelled pixels; draw at least {}.")
            warnings.append(text.format(one.name, int(one.pixels), FEW_PIXELS))
        elif len(counts) > 1 and _span(one.box) < _ONE_PLACE * _span(everything):
            text = tr("All labels of “{}” are in one place; draw some elsewhere too.")
            warnings.append(text.format(one.name))
    return warnings


def _span(box: QgsRectangle) -> float:
    return 0.0 if box.isNull() else max(box.width(), box.height())


class LabelCounter(QObject):
    """Counts anew a moment after every change of its layer, without holding up QGIS."""

    counted = pyqtSignal(object)

    def __init__(self, parent: QObject) -> None:
        """Watches nothing yet."""
        super().__init__(parent)
        self._layer: QgsVectorLayer | None = None
        self._field = ""
        self._pixel = 0.0
        self._pending: list[int] = []
        self._counts: dict[str, ClassCount] = {}
        self._later = self._timer(_WAIT_MILLISECONDS, self._begin)
        self._next = self._timer(0, self._count_some)

    def watch(self, layer: QgsVectorLayer | None, field: str, pixel: float) -> None:
        """Count the classes in `field` of `layer`, in pixels with an edge of `pixel` metres."""
        if layer is not self._layer:
            self._leave()
            self._layer = layer
            for signal in self._signals():
                signal.connect(self._changed)
            if layer is not None:
                layer.willBeDeleted.connect(self._leave)
        self._field, self._pixel = field, pixel
        self._later.start()

    def _signals(self) -> list:
        layer = self._layer
        if layer is None:
            return []
        return [
            layer.featureAdded,
            layer.featuresDeleted,
            layer.geometryChanged,
            layer.attributeValueChanged,
            layer.afterRollBack,
            layer.afterCommitChanges,
        ]

    def _leave(self) -> None:
        # A layer that is gone has taken its connections along.
        if self._layer is not None and not sip.isdeleted(self._layer):
            for signal in self._signals():
                signal.disconnect(self._changed)
            self._layer.willBeDeleted.disconnect(self._leave)
        self._layer, self._pending = None, []
        self._next.stop()

    def _changed(self) -> None:
        self._later.start()

    def _timer(self, milliseconds: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(slot)
        return timer

    def _begin(self) -> None:
        self._counts = {}
        layer = self._layer
        if layer is None or self._pixel <= 0 or layer.fields().indexOf(self._field) < 0:
            self.counted.emit([])
            return
        self._names = _category_names(layer, self._field)
        self._measure = QgsDistanceArea()
        self._measure.setSourceCrs(layer.crs(), QgsProject.instance().transformContext())
        ellipsoid = QgsProject.instance().ellipsoid()
        self._pending = layer.allFeatureIds() if self._measure.setEllipsoid(ellipsoid) else []
        self._next.start()

    def _count_some(self) -> None:
        layer = self._layer
        if layer is None:
            return
        some, self._pending = self._pending[:_AT_ONCE], self._pending[_AT_ONCE:]
        for feature in layer.getFeatures(QgsFeatureRequest().setFilterFids(some)):
            self._count(feature)
        if self._pending:
            self._next.start()
        else:
            self.counted.emit(sorted(self._counts.values(), key=lambda one: one.name))

    def _count(self, feature: QgsFeature) -> None:
        value, shape = feature[self._field], feature.geometry()
        if value is None or str(value) in ("", "NULL") or shape.isNull():
            return
        name = self._names.get(str(value), str(value))
        one = self._counts.setdefault(name, ClassCount(name))
        one.features += 1
        one.pixels += self._pixels(shape)
        one.box.combineExtentWith(shape.boundingBox())

    def _pixels(self, shape: object) -> float:
        if shape.type() != Qgis.GeometryType.Polygon:
            return 1.0
        area = self._measure.measureArea(shape)
        metres = self._measure.convertAreaMeasurement(area, Qgis.AreaUnit.SquareMeters)
        return metres / self._pixel**2


def _category_names(layer: QgsVectorLayer, field: str) -> dict[str, str]:
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        return {}
    if renderer.classAttribute().strip('"') != field:
        return {}
    return {str(one.value()): one.label() for one in renderer.categories() if one.label()}
