"""The panel without a mouse: Tab reaches every control, in the order in which they stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qgis.core import QgsApplication
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.panel import Panel
from terraweave.ui.steps import STEPS

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


@pytest.fixture
def panel(
    provider: TerraweaveProvider, with_worker: Path, qgis_iface: QgisInterface, mines: dict
) -> Iterator[Panel]:
    """The panel on the screen, at the family with the most steps."""
    made = Panel(qgis_iface, provider.id(), "terraweave/python")
    made.dock.setFloating(True)
    made.dock.resize(480, 3000)
    made.dock.show()
    made.dock.refresh()
    families = made.dock.task
    families.setCurrentIndex(max(range(families.count()), key=lambda place: steps_of(made, place)))
    QgsApplication.processEvents()
    yield made
    made.close()


def steps_of(panel: Panel, family: int) -> int:
    """How many tabs the panel has for a family."""
    panel.dock.task.setCurrentIndex(family)
    return panel.dock.tabs.count()


def chain_in(page: QWidget) -> list[QWidget]:
    """What Tab goes through on a page, one after the other."""
    found, widget = [], page.nextInFocusChain()
    while widget is not page:
        tabbed = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if tabbed and page.isAncestorOf(widget) and widget.isVisible() and widget.isEnabled():
            found.append(widget)
        widget = widget.nextInFocusChain()
    return found


def reached(control: QWidget, chain: list[QWidget]) -> bool:
    """Whether the control or a part of it, or what it is a part of, is in the chain."""
    return any(one is control or one.isAncestorOf(control) or control.isAncestorOf(one)
               for one in chain)  # fmt: skip


@pytest.mark.parametrize("tool", [step.tool for step in STEPS])
def test_tab_goes_through_all_controls_from_top_to_bottom(panel: Panel, tool: str) -> None:
    page = panel.dock.page(tool)
    panel.dock.tabs.setCurrentWidget(page)
    page.form.advanced.setCollapsed(False)
    QgsApplication.processEvents()
    chain = chain_in(page)
    controls = [
        one
        for kind in CONTROLS
        for one in page.findChildren(kind)
        if one.isVisible() and one.isEnabled() and not isinstance(one, QScrollBar)
    ]
    missed = [one for one in controls if not reached(one, chain)]
    assert not missed, [(type(one).__name__, one.toolTip(), one.objectName()) for one in missed]
    tops = [one.mapTo(page, QPoint(0, 0)).y() for one in chain]
    back = [
        (first, second, type(widget).__name__)
        for first, second, widget in zip(tops, tops[1:], chain[1:], strict=False)
        if second < first - 20
    ]
    assert not back, back
