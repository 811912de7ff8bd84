"""Small print in the colours of the theme."""

from collections.abc import Iterator

import pytest
from qgis.PyQt.QtGui import QColor, QPalette
from qgis.PyQt.QtWidgets import QApplication
from terraweave.ui.looks import problem_color, quiet_color
from terraweave.ui.remark import Remark


@pytest.fixture
def dark(app: QApplication) -> Iterator[QPalette]:
    """A dark palette, to be set by the test; the old one comes back."""
    before = app.palette()
    made = QPalette(before)
    for role in (QPalette.ColorRole.Window, QPalette.ColorRole.Base):
        made.setColor(role, QColor("#303030"))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text):
        made.setColor(role, QColor("#f0f0f0"))
    yield made
    app.setPalette(before)


def test_a_remark_without_words_is_not_there(app: QApplication) -> None:
    remark = Remark()
    assert remark.isHidden()
    remark.say("Something")
    assert not remark.isHidden()
    remark.say("")
    assert remark.isHidden()


@pytest.mark.parametrize("problem", [False, True])
def test_a_remark_follows_the_theme(app: QApplication, dark: QPalette, problem: bool) -> None:
    remark = Remark(problem=problem)
    remark.say("Something")
    light = remark.styleSheet()
    app.setPalette(dark)
    app.processEvents()
    remark.say("Something")
    expected = (problem_color if problem else quiet_color)(dark).name()
    assert remark.styleSheet() == f"color: {expected}" != light
