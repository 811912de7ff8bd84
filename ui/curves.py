"""Curves of a training, drawn live with nothing but Qt."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qgis.PyQt.QtCore import QPointF, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qgis.PyQt.QtWidgets import QSizePolicy, QWidget

from .looks import faint_color, line_colors, text_color
from .words import tr

Point = tuple[float, float]
# Numbers of an epoch that are neither a loss nor a score.
_NO_CURVES = {"epoch", "epochs", "event", "threshold"}
# Names of scores that are no plain words.
_WORDS = {"iou": "IoU", "f1": "F1", "oa": "OA", "aa": "AA", "mean_iou": "mean IoU"}


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: its name, and points of epoch and value."""

    name: str
    points: tuple[Point, ...]


def series_of(epochs: Sequence[Mapping[str, object]]) -> tuple[list[Series], list[Series]]:
    """The losses and the scores among the numbers of `epochs`; undefined numbers leave gaps out."""
    names: dict[str, list[Point]] = {}
    for place, numbers in enumerate(epochs, start=1):
        epoch = numbers.get("epoch", place)
        for name, value in numbers.items():
            if name in _NO_CURVES or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if isinstance(epoch, int | float) and math.isfinite(value):
                names.setdefault(name, []).append((float(epoch), float(value)))
    made = [Series(name, tuple(points)) for name, points in names.items()]
    losses = [one for one in made if "loss" in one.name]
    return losses, [one for one in made if "loss" not in one.name]


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


class CurvesWidget(QWidget):
    """A chart of some series over epochs; follows the theme, the font and the scaling."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        """`title` stands above the curves."""
        super().__init__(parent)
        self._title = title
        self._series: list[Series] = []
        self._last_epoch = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)

    def show_series(self, series: Sequence[Series], epochs: float = 0.0) -> None:
        """Draw `series`; the axis reaches to `epochs` where that is more than there is."""
        self._series = list(series)
        reached = max((point[0] for one in series for point in one.points), default=1.0)
        self._last_epoch = max(epochs, reached, 1.0)
        self.setAccessibleDescription(self.description())
        self.setToolTip(self.description())
        self.update()

    def description(self) -> str:
        """The newest numbers in words, for the tooltip and for screen readers."""
        newest = (f"{_spoken(one.name)} {one.points[-1][1]:.4g}" for one in self._series)
        return ", ".join(newest)

    def sizeHint(self) -> QSize:
        """Nine lines of text high."""
        line = self.fontMetrics().height()
        return QSize(18 * line, 9 * line)

    def minimumSizeHint(self) -> QSize:
        """As high as it wants to be, but narrower."""
        return QSize(10 * self.fontMetrics().height(), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Ground, grid, curves, names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        line = self.fontMetrics().height()
        self._paint_legend(painter, line)
        left = self.fontMetrics().horizontalAdvance("0.000") + line * 0.8
        field = QRectF(
            left, line * 1.9, self.width() - left - line * 0.7, self.height() - 3.6 * line
        )
        low, high = self._bounds()
        self._paint_grid(painter, field, low, high)
        for one, color in zip(self._series, self._colors(), strict=False):
            self._paint_curve(painter, field, one, color, (low, high))
        painter.end()

    def _colors(self) -> list[QColor]:
        colors = line_colors(self.palette())
        return [colors[place % len(colors)] for place in range(len(self._series))]

    def _bounds(self) -> tuple[float, float]:
        values = [point[1] for one in self._series for point in one.points]
        if not values:
            return 0.0, 1.0
        low, high = min(values), max(values)
        room = (high - low) * 0.08 or max(abs(high) * 0.1, 0.05)
        return max(0.0, low - room) if low >= 0 else low - room, high + room

    def _paint_legend(self, painter: QPainter, line: int) -> None:
        place = line * 0.5
        painter.setPen(text_color(self.palette()))
        painter.drawText(QPointF(place, line * 1.2), self._title)
        place += self.fontMetrics().horizontalAdvance(self._title) + line
        for one, color in zip(self._series, self._colors(), strict=False):
            name = tr(_spoken(one.name))
            width = self.fontMetrics().horizontalAdvance(name)
            if place + width + line > self.width():
                break
            painter.setPen(QPen(color, max(2.0, line / 8)))
            painter.drawLine(QPointF(place, line * 0.85), QPointF(place + line * 0.7, line * 0.85))
            painter.setPen(text_color(self.palette()))
            painter.drawText(QPointF(place + line * 0.9, line * 1.2), name)
            place += width + line * 1.6

    def _paint_grid(self, painter: QPainter, field: QRectF, low: float, high: float) -> None:
        line = self.fontMetrics().height()
        faint = faint_color(self.palette())
        faint.setAlpha(70)
        text = faint_color(self.palette())
        for value in nice_ticks(low, high, 5):
            height = _mapped((0.0, value), field, self._last_epoch, low, high).y()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(field.left(), height), QPointF(field.right(), height))
            painter.setPen(text)
            box = QRectF(0, height - line / 2, field.left() - line * 0.3, line)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:g}"
            )
        if not self._series:
            painter.setPen(text)
            words = tr("The first numbers come after the first epoch.")
            painter.drawText(field, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        for epoch in nice_ticks(1.0, self._last_epoch, 5):
            if epoch == round(epoch):
                centre = _mapped((epoch, low), field, self._last_epoch, low, high).x()
                box = QRectF(centre - 2 * line, field.bottom() + line * 0.2, 4 * line, line)
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, f"{epoch:g}")

    def _paint_curve(
        self,
        painter: QPainter,
        field: QRectF,
        series: Series,
        color: QColor,
        bounds: tuple[float, float],
    ) -> None:
        points = [_mapped(point, field, self._last_epoch, *bounds) for point in series.points]
        width = max(1.5, self.fontMetrics().height() / 9)
        painter.setPen(QPen(color, width))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(color)
        for point in points[-1:]:
            painter.drawEllipse(point, width * 1.6, width * 1.6)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _mapped(point: Point, field: QRectF, last_epoch: float, low: float, high: float) -> QPointF:
    """The place of an epoch's value in the chart."""
    across = (point[0] - 1.0) / (last_epoch - 1.0) if last_epoch > 1.0 else 0.5
    up = (point[1] - low) / (high - low) if high > low else 0.5
    return QPointF(field.left() + across * field.width(), field.bottom() - up * field.height())


def _spoken(name: str) -> str:
    return _WORDS.get(name) or name.replace("_", " ")
