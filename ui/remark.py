"""Small print below a field."""

from qgis.PyQt.QtCore import QEvent
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import QApplication, QLabel

from .looks import THEME_EVENTS, problem_color, quiet_color


class Remark(QLabel):
    """A line of small print that is not there while it has nothing to say."""

    def __init__(self, *, problem: bool = False) -> None:
        """A `problem` is said louder than a remark."""
        super().__init__()
        self._problem = problem
        self._color = ""
        self.setWordWrap(True)
        self.hide()

    def say(self, text: str) -> None:
        """Show `text`, or nothing."""
        self._paint_words()
        self.setText(text)
        self.setVisible(bool(text))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme; what says nothing looks it up when it is shown."""
        super().changeEvent(event)
        if event is not None and event.type() in THEME_EVENTS and not self.isHidden():
            self._paint_words()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow a theme that QGIS has changed in between: its palette comes after its events."""
        super().showEvent(event)
        self._paint_words()

    def _paint_words(self) -> None:
        # The themes of QGIS are style sheets, which go before a palette.
        choose = problem_color if self._problem else quiet_color
        color = choose(QApplication.palette()).name()
        # A new style sheet is a change of style itself.
        if color != self._color:
            self._color = color
            self.setStyleSheet(f"color: {color}")
