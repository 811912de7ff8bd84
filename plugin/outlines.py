"""How outlines look on images: what a model found, what was drawn, where somebody looked.

The four differ in hue (Okabe and Ito's colours, safe for all eyes), in lightness and in their
dashes; each has a casing of the other lightness, so that it shows on dark and on bright ground.
"""

from dataclasses import dataclass

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFillSymbol,
    QgsMapLayer,
    QgsRendererCategory,
    QgsSimpleLineSymbolLayer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

# On either side of the line, in millimetres.
_CASING = 0.3


@dataclass(frozen=True, slots=True)
class Outline:
    """A line around what is not filled; widths and dashes (line, gap, …) in millimetres."""

    color: str
    casing: str
    width: float
    dashes: tuple[float, ...] = ()

    def symbol(self, legend: QColor | None = None) -> QgsFillSymbol:
        """The symbol; `legend` is the colour that others take for that of its class."""
        name = (legend or QColor(self.color)).name()
        made = QgsFillSymbol.createSimple({"color": name, "style": "no", "outline_style": "no"})
        casing = QgsSimpleLineSymbolLayer(QColor(self.casing), self.width + 2 * _CASING)
        line = QgsSimpleLineSymbolLayer(QColor(self.color), self.width)
        for one in (casing, line):
            one.setPenJoinStyle(Qt.PenJoinStyle.RoundJoin)
        if self.dashes:
            line.setUseCustomDashPattern(True)
            line.setCustomDashVector(list(self.dashes))
            line.setPenCapStyle(Qt.PenCapStyle.FlatCap)
        made.appendSymbolLayer(casing)
        made.appendSymbolLayer(line)
        return made


FOUND = Outline("#d55e00", "#ffffff", 0.7)
"""What a model has mapped."""

DRAWN = Outline("#56b4e9", "#1a1a1a", 0.6, (2.4, 1.2))
"""Labels to learn from; where there are precise ones beside them, the coarse ones."""

DRAWN_PRECISELY = Outline("#f0e442", "#1a1a1a", 0.5)
"""Precise labels."""

SURVEYED = Outline("#ffffff", "#1a1a1a", 0.3, (5.0, 1.5, 0.8, 1.5))
"""Ground that somebody has looked at."""


def outlined(outline: Outline, layer: QgsMapLayer) -> None:
    """Draw polygons as outlines; names and colours of classes stay in the legend's categories."""
    if not isinstance(layer, QgsVectorLayer):
        return
    known = layer.renderer()
    if not isinstance(known, QgsCategorizedSymbolRenderer):
        layer.setRenderer(QgsSingleSymbolRenderer(outline.symbol()))
        return
    categories = [
        QgsRendererCategory(one.value(), outline.symbol(one.symbol().color()), one.label())
        for one in known.categories()
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer(known.classAttribute(), categories))
