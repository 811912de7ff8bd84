"""Asks for the classes of a new training layer: a name and a colour each."""

from collections.abc import Sequence

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import (
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..core.classes import MapClass, palette_color
from .words import tr


class ClassListDialog(QDialog):
    """A table of classes that can be added, renamed, recoloured and removed."""

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        """Starts with `names`, in the colours of the palette."""
        super().__init__(parent)
        self.setWindowTitle(tr("New training layer"))
        column = QVBoxLayout(self)
        intro = QLabel(
            tr("Which classes will you draw? Double-click a name or a colour to change it.")
        )
        intro.setWordWrap(True)
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels([tr("Class"), tr("Colour")])
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.cellDoubleClicked.connect(self._recolor)
        self.add = QPushButton(tr("Add class"))
        self.remove = QPushButton(tr("Remove class"))
        self.add.clicked.connect(lambda: self.add_class(tr("New class")))
        self.remove.clicked.connect(lambda: self.table.removeRow(self.table.currentRow()))
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addWidget(self.remove)
        row.addStretch(1)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(intro)
        column.addWidget(self.table)
        column.addLayout(row)
        column.addWidget(self.buttons)
        for name in names:
            self.add_class(name)

    def add_class(self, name: str) -> None:
        """One more row, in the next colour of the palette."""
        row = self.table.rowCount()
        self.table.insertRow(row)
        self.table.setItem(row, 0, QTableWidgetItem(name))
        swatch = QTableWidgetItem()
        swatch.setFlags(swatch.flags() & ~Qt.ItemFlag.ItemIsEditable)
        swatch.setBackground(QColor(palette_color(row)))
        self.table.setItem(row, 1, swatch)

    def classes(self) -> list[MapClass]:
        """The classes with a name, numbered from 1 in the order of the table."""
        rows = range(self.table.rowCount())
        named = [
            (text, self.table.item(row, 1).background().color().name())
            for row in rows
            if (text := self.table.item(row, 0).text().strip())
        ]
        return [MapClass(place, *one) for place, one in enumerate(named, start=1)]

    def _recolor(self, row: int, column: int) -> None:
        if column == 1:
            item = self.table.item(row, 1)
            chosen = QColorDialog.getColor(item.background().color(), self)
            if chosen.isValid():
                item.setBackground(chosen)
