"""Colours that can be read on the ground they are on."""

import pytest
from qgis.PyQt.QtGui import QColor, QPalette
from terraweave.ui.looks import faint_color, is_dark, line_colors, problem_color, text_color

# Ground and text; under a style sheet a palette may keep the text of another theme.
THEMES = [("#ffffff", "#000000"), ("#202020", "#f0f0f0"), ("#323232", "#000000")]


def contrast(first: QColor, second: QColor) -> float:
    """The contrast ratio of WCAG 2, from 1 (the same) to 21 (black on white)."""

    def luminance(color: QColor) -> float:
        parts = (color.redF(), color.greenF(), color.blueF())
        linear = [
            one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palette_of(ground: str, text: str) -> QPalette:
    made = QPalette(QColor(ground))
    for role in (QPalette.ColorRole.Base, QPalette.ColorRole.Window):
        made.setColor(role, QColor(ground))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText):
        made.setColor(role, QColor(text))
    return made


@pytest.mark.parametrize(("ground", "text"), THEMES)
def test_words_and_lines_can_be_read(ground: str, text: str) -> None:
    palette = palette_of(ground, text)
    assert is_dark(palette) == (ground != "#ffffff")
    for color in (text_color(palette), faint_color(palette), problem_color(palette)):
        assert contrast(color, QColor(ground)) >= 4.5, color.name()
    for color in line_colors(palette):
        assert contrast(color, QColor(ground)) >= 2.0, color.name()


def test_a_readable_palette_keeps_its_own_text() -> None:
    assert text_color(palette_of("#202020", "#dddd00")).name() == "#dddd00"
