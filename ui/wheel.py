"""Keeps the mouse wheel from changing values while someone scrolls past them."""

from qgis.PyQt.QtCore import QEvent, QObject, Qt
from qgis.PyQt.QtWidgets import QAbstractSpinBox, QComboBox, QWidget


class WheelGuard(QObject):
    """Lets combo boxes and number fields turn only when they have the focus."""

    def __init__(self, parent: QWidget) -> None:
        """Guards what `parent` contains now."""
        super().__init__(parent)
        for kind in (QComboBox, QAbstractSpinBox):
            for widget in parent.findChildren(kind):
                # PyQt takes a new object for the dead widget whose place in memory it got, as long
                # as Python remembers that one; only the object itself knows what it is.
                if not widget.inherits(kind.__name__):
                    continue
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Swallow the wheel, so that the page scrolls instead."""
        turned = event is not None and event.type() == QEvent.Type.Wheel
        if turned and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
