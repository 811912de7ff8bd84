"""One run as the user sees it: stage, time left, curves, log, and what to do with the result."""

from collections.abc import Mapping, Sequence
from html import escape

from qgis.PyQt.QtCore import QEvent, Qt, pyqtSignal
from qgis.PyQt.QtGui import QShowEvent, QTextCursor
from qgis.PyQt.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .curves import CurvesWidget, series_of
from .looks import THEME_EVENTS, quiet_color
from .remark import Remark
from .story import Story
from .titles import titled
from .words import spoken, tr

_MOST_LINES = 5000
_MOST_WARNINGS = 5
_BAR_STEPS = 1000


class RunView(QWidget):
    """Shows a story, and asks for what its buttons say."""

    cancel_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """With nothing to show yet."""
        super().__init__(parent)
        self._lines_shown = 0
        self._epochs_shown = -1
        self._figures: list[tuple[str, str]] = []
        # What the form calls the parameters that a sentence may name by their ids.
        self.titles: Mapping[str, str] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.stage = QLabel()
        self.stage.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setAccessibleName(tr("Progress"))
        self.cancel = QPushButton(tr("Cancel"))
        self.cancel.clicked.connect(self.cancel_wanted)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        self.error = Remark(problem=True)
        # What may spoil the result is no matter for a folded log.
        self.warnings = Remark(problem=True)
        self.figures = QLabel()
        self.figures.setTextFormat(Qt.TextFormat.RichText)
        self.figures.setWordWrap(True)
        self.figures.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.losses = CurvesWidget(tr("Loss"))
        self.scores = CurvesWidget(tr("Held-out scores"))
        self.toggle = QToolButton()
        self.toggle.setText(tr("Log"))
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setArrowType(Qt.ArrowType.RightArrow)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.toggled.connect(self._show_log)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MOST_LINES)
        self.log.setAccessibleName(tr("Log"))
        self.log.hide()
        self.below = QVBoxLayout()
        for item in (self.title, self.stage):
            column.addWidget(item)
        column.addLayout(row)
        for item in (self.error, self.warnings, self.losses, self.scores, self.figures):
            column.addWidget(item)
        column.addLayout(self.below)
        column.addWidget(self.toggle)
        column.addWidget(self.log, 1)
        column.addStretch(0)
        self.clear()

    def clear(self) -> None:
        """Forget the run that was shown."""
        self._lines_shown, self._epochs_shown = 0, -1
        self.log.clear()
        self.losses.hide()
        self.scores.hide()
        self.error.say("")
        self.warnings.say("")
        self.show_figures([])

    def show_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Show what the run gave back in numbers: name and value of each."""
        self._figures = list(figures)
        quiet = quiet_color(QApplication.palette()).name()
        rows = "".join(
            f'<tr><td style="color:{quiet}">{escape(name)}&nbsp;&nbsp;</td>'
            f'<td align="right">{escape(value)}</td></tr>'
            for name, value in figures
        )
        self.figures.setText(f'<table cellspacing="0">{rows}</table>' if rows else "")
        self.figures.setVisible(bool(rows))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event is not None and event.type() in THEME_EVENTS and self._figures:
            self.show_figures(self._figures)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow a theme that QGIS has changed in between: its palette comes after its events."""
        super().showEvent(event)
        self.show_figures(self._figures)

    def show_story(
        self, title: str, state: str, story: Story, *, running: bool, epochs: int
    ) -> None:
        """Show what is new; `epochs` are those asked for, 0 where the run is no training."""
        self.title.setText(f"<b>{escape(title)}</b>")
        self.stage.setText(stage_line(state, story, running=running))
        self.bar.setValue(round(_BAR_STEPS * story.fraction))
        self.cancel.setVisible(running)
        self.bar.setVisible(running)
        self.error.say(titled(spoken(story.error), self.titles))
        warned = dict.fromkeys(text for kind, text in story.lines if kind == "warning")
        said = spoken("\n".join(list(warned)[-_MOST_WARNINGS:]))
        self.warnings.say(titled(said, self.titles))
        self._show_curves(story, epochs)
        self._show_lines(story)

    def _show_curves(self, story: Story, epochs: int) -> None:
        if len(story.epochs) == self._epochs_shown:
            return
        self._epochs_shown = len(story.epochs)
        losses, scores = series_of(story.epochs)
        self.losses.show_series(losses, epochs)
        self.scores.show_series(scores, epochs)
        self.losses.setVisible(epochs > 0 or bool(losses))
        self.scores.setVisible(bool(scores))

    def _show_lines(self, story: Story) -> None:
        if self._lines_shown > len(story.lines):
            self._lines_shown = 0
            self.log.clear()
        for kind, text in story.lines[self._lines_shown :]:
            self.log.appendPlainText(text if kind == "info" else f"{tr(kind.capitalize())}: {text}")
        if self._lines_shown != len(story.lines):
            self._lines_shown = len(story.lines)
            self.log.moveCursor(QTextCursor.MoveOperation.End)

    def _show_log(self, wanted: bool) -> None:
        self.log.setVisible(wanted)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)


def stage_line(state: str, story: Story, *, running: bool) -> str:
    """The stage and the time left in words, or how the run ended."""
    if not running:
        return tr(state)
    stage = spoken(story.stage) if story.stage else tr(state)
    if story.seconds_left is None:
        return stage
    return f"{stage}: {time_left(story.seconds_left)}"


def time_left(seconds: float) -> str:
    """A duration in words, such as “about 3 minutes left”."""
    if seconds < 90:
        return tr("about {} s left").format(max(1, round(seconds)))
    if seconds < 90 * 60:
        return tr("about {} min left").format(round(seconds / 60))
    return tr("about {} h left").format(round(seconds / 3600))
