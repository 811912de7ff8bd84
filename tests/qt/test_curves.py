"""Curves: what is drawn for what a worker reported."""

import math

import pytest
from qgis.PyQt.QtGui import QColor, QPalette
from qgis.PyQt.QtWidgets import QApplication
from terraweave.ui.curves import CurvesWidget, Series, nice_ticks, series_of

EPOCHS = [
    {"event": "epoch", "epoch": 1, "epochs": 3, "loss": 1.5, "validation_loss": 1.7, "kappa": 0.2},
    {"event": "epoch", "epoch": 2, "epochs": 3, "loss": 1.0, "validation_loss": None, "kappa": 0.5},
    {"event": "epoch", "epoch": 3, "epochs": 3, "loss": math.nan, "validation_loss": 1.1},
]


def test_losses_and_scores_are_told_apart() -> None:
    losses, scores = series_of(EPOCHS)
    assert [one.name for one in losses] == ["loss", "validation_loss"]
    assert scores == [Series("kappa", ((1.0, 0.2), (2.0, 0.5)))]


def test_a_threshold_is_no_score() -> None:
    assert series_of([{"epoch": 1, "iou": 0.4, "threshold": 0.6}])[1] == [
        Series("iou", ((1.0, 0.4),))
    ]


def test_undefined_numbers_are_left_out() -> None:
    losses, _ = series_of(EPOCHS)
    assert losses[0].points == ((1.0, 1.5), (2.0, 1.0))
    assert losses[1].points == ((1.0, 1.7), (3.0, 1.1))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.013, 0.87), (1, 40), (-3, 1e6), (1e-9, 2e-9)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_an_empty_range_has_one_tick() -> None:
    assert nice_ticks(2.0, 2.0) == [2.0]


@pytest.mark.parametrize("ground", ["#ffffff", "#202020"])
def test_a_falling_curve_is_drawn_from_top_left_to_bottom_right(
    app: QApplication, ground: str
) -> None:
    widget = CurvesWidget("Loss")
    palette = QPalette(QColor(ground))
    palette.setColor(QPalette.ColorRole.Base, QColor(ground))
    text = "#000000" if ground == "#ffffff" else "#ffffff"
    palette.setColor(QPalette.ColorRole.Text, QColor(text))
    widget.setPalette(palette)
    widget.resize(400, 200)
    empty = widget.grab().toImage()
    widget.show_series([Series("loss", tuple((float(e), 10.0 - e) for e in range(1, 10)))])
    drawn = widget.grab().toImage()
    ink = [
        (x, y)
        for x in range(80, 380)
        for y in range(50, 150)
        if drawn.pixelColor(x, y).saturation() > 120 and empty.pixelColor(x, y).saturation() < 60
    ]
    left = [y for x, y in ink if x < 140]
    right = [y for x, y in ink if x > 320]
    assert left
    assert right
    assert max(left) < min(right)
    widget.deleteLater()


def test_the_newest_numbers_are_spoken(app: QApplication) -> None:
    widget = CurvesWidget("Loss")
    widget.show_series(series_of(EPOCHS)[0])
    assert widget.accessibleDescription() == "loss 1, validation loss 1.1"
    widget.deleteLater()
