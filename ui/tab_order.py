"""The order in which Tab goes through controls: that of their layouts, from top to bottom."""

from collections.abc import Iterator
from itertools import pairwise

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLayout, QScrollArea, QWidget


def order_tabs(page: QWidget) -> None:
    """Let Tab go through `page` as one reads it, however its parts came to be."""
    for first, second in pairwise(_focusable(page)):
        QWidget.setTabOrder(first, second)


def _focusable(widget: QWidget) -> Iterator[QWidget]:
    """The widget and what is in it, as far as Tab stops there, in the order of the layouts."""
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
        yield widget
    layout = widget.layout()
    if isinstance(widget, QScrollArea) and widget.widget() is not None:
        yield from _focusable(widget.widget())
    elif layout is not None:
        laid_out = list(_widgets_in(layout))
        # The arrow of a folding box is in no layout, and stands above all that is.
        children = widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        for one in [*(child for child in children if child not in laid_out), *laid_out]:
            yield from _focusable(one)


def _widgets_in(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item.widget() is not None:
            yield item.widget()
        elif item.layout() is not None:
            yield from _widgets_in(item.layout())
