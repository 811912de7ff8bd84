"""Small print below a field."""

from qgis.PyQt.QtGui import QPalette
from qgis.PyQt.QtWidgets import QLabel

from .looks import problem_color, quiet_color


class Remark(QLabel):
    """A line of small print that is not there while it has nothing to say."""

    def __init__(self, *, problem: bool = False) -> None:
        """A `problem` is said louder than a remark."""
        super().__init__()
        self._problem = problem
        self.setWordWrap(True)
        self.hide()

    def say(self, text: str) -> None:
        """Show `text`, or nothing."""
        choose = problem_color if self._problem else quiet_color
        palette = self.palette()
        color = choose(self.parentWidget().palette() if self.parentWidget() else palette)
        palette.setColor(QPalette.ColorRole.WindowText, color)
        self.setPalette(palette)
        self.setText(text)
        self.setVisible(bool(text))
