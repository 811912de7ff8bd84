"""A run on the screen."""

from collections.abc import Iterator

import pytest
from qgis.PyQt.QtCore import QEvent
from qgis.PyQt.QtGui import QColor, QPalette
from qgis.PyQt.QtWidgets import QApplication
from terraweave.ui.run_view import RunView, stage_line, time_left
from terraweave.ui.story import Story


@pytest.fixture
def view(app: QApplication) -> Iterator[RunView]:
    """An empty view."""
    made = RunView()
    yield made
    made.deleteLater()


def show(view: RunView, story: Story, *, running: bool = True, epochs: int = 3) -> None:
    view.show_story("A <run>", "Running", story, running=running, epochs=epochs)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 1 s left"), (42, "about 42 s left"), (600, "about 10 min left"),
     (7300, "about 2 h left")],
)  # fmt: skip
def test_time_left_is_said_in_fitting_units(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_stage_and_time_stand_together() -> None:
    story = Story(stage="Reading", seconds_left=5)
    assert stage_line("Running", story, running=True) == "Reading: about 5 s left"
    assert stage_line("Finished", story, running=False) == "Finished"


def test_bar_shows_the_fraction(view: RunView) -> None:
    show(view, Story(fraction=0.25))
    assert view.bar.value() == view.bar.maximum() // 4


def test_log_grows_by_what_is_new(view: RunView) -> None:
    story = Story(lines=[("info", "first")])
    show(view, story)
    story.lines.append(("warning", "second"))
    show(view, story)
    show(view, story)
    assert view.log.toPlainText() == "first\nWarning: second"


def test_curves_are_there_for_trainings_only(view: RunView) -> None:
    show(view, Story(), epochs=0)
    assert view.losses.isHidden()
    show(view, Story(epochs=[{"epoch": 1, "loss": 1.0, "kappa": 0.5}]))
    assert not view.losses.isHidden()
    assert not view.scores.isHidden()


def test_an_ended_run_cannot_be_cancelled(view: RunView) -> None:
    show(view, Story(error="The disk is full."), running=False)
    assert view.cancel.isHidden()
    assert view.error.text() == "The disk is full."


def test_the_cancel_button_asks(view: RunView) -> None:
    asked: list[bool] = []
    view.cancel_wanted.connect(lambda: asked.append(True))
    show(view, Story())
    view.cancel.click()
    assert asked == [True]


def test_title_is_no_markup(view: RunView) -> None:
    show(view, Story())
    assert view.title.text() == "<b>A &lt;run&gt;</b>"


def test_figures_are_shown_as_a_table_and_are_no_markup(view: RunView) -> None:
    view.show_figures([("IoU <of the class>", "0.500")])
    assert "IoU &lt;of the class&gt;" in view.figures.text()
    assert not view.figures.isHidden()
    view.clear()
    assert view.figures.isHidden()


def test_figures_follow_the_theme(app: QApplication, view: RunView) -> None:
    view.show_figures([("IoU", "0.500")])
    before, light = view.figures.text(), QApplication.palette()
    dark = QPalette(QColor("#202020"))
    QApplication.setPalette(dark)
    QApplication.sendEvent(view, QEvent(QEvent.Type.PaletteChange))
    assert view.figures.text() != before
    QApplication.setPalette(light)


def test_warnings_are_said_once_and_outside_the_log(view: RunView) -> None:
    story = Story(lines=[("info", "first"), ("warning", "Careful."), ("warning", "Careful.")])
    show(view, story)
    assert view.warnings.text() == "Careful."
    assert not view.warnings.isHidden()
    view.clear()
    assert view.warnings.isHidden()
