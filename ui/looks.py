"""Colours that suit the theme in use, light or dark."""

from qgis.PyQt.QtCore import QEvent
from qgis.PyQt.QtGui import QColor, QPalette

# What a widget hears when the theme changes; QGIS's themes are style sheets and a palette.
THEME_EVENTS = (
    QEvent.Type.ApplicationPaletteChange,
    QEvent.Type.PaletteChange,
    QEvent.Type.StyleChange,
)

# Lightness goes from 0 to 255; text that differs less from its ground is hard to read.
_MIDDLE, _LEGIBLE = 128, 60
# Line colours that are told apart by all eyes, for light and for dark ground.
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f", "#e69f00")
_LINES_ON_DARK = ("#56b4e9", "#ff9e57", "#4fd1a5", "#e6a5c9", "#b5b5b5", "#f0e442")


def is_dark(palette: QPalette) -> bool:
    """Whether the ground of `palette` is dark."""
    return palette.color(QPalette.ColorRole.Base).lightness() < _MIDDLE


def text_color(palette: QPalette) -> QColor:
    """For text on the ground of `palette`, which under a style sheet may keep another theme's."""
    text = palette.color(QPalette.ColorRole.Text)
    ground = palette.color(QPalette.ColorRole.Base)
    if abs(text.lightness() - ground.lightness()) >= _LEGIBLE:
        return text
    return QColor("#e6e6e6" if is_dark(palette) else "#1d2a2e")


def faint_color(palette: QPalette) -> QColor:
    """For small print on the ground of `palette`."""
    return _between(text_color(palette), palette.color(QPalette.ColorRole.Base))


def line_colors(palette: QPalette) -> tuple[QColor, ...]:
    """Colours for curves on the ground of `palette`."""
    return tuple(QColor(code) for code in (_LINES_ON_DARK if is_dark(palette) else _LINES))


def problem_color(palette: QPalette) -> QColor:
    """For a sentence about what does not fit."""
    return QColor("#ff9d8a" if is_dark(palette) else "#a62a12")


def quiet_color(palette: QPalette) -> QColor:
    """For remarks that should not draw the eye: between text and ground."""
    text = palette.color(QPalette.ColorRole.WindowText)
    ground = palette.color(QPalette.ColorRole.Window)
    return _between(text, ground)


def _between(text: QColor, ground: QColor) -> QColor:
    # On dark ground the same step is harder to read.
    share = 0.65 if ground.lightness() >= _MIDDLE else 0.8
    return QColor(
        *(round(share * a + (1 - share) * b) for a, b in zip(_rgb(text), _rgb(ground), strict=True))
    )


def _rgb(color: QColor) -> tuple[int, int, int]:
    return color.red(), color.green(), color.blue()
