"""The page in QGIS's options: which Python works, and where the network runs."""

from qgis.core import QgsApplication, QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from ..core.settings import DEVICE
from .words import tr

DEVICE_SETTING = "terraweave/device"


class OptionsPage(QgsOptionsPageWidget):
    """Reads the settings when made, writes them when the dialog is accepted."""

    def __init__(self, parent: QWidget | None, python_setting: str) -> None:
        """`python_setting` is the key that the worker's Python is kept under."""
        super().__init__(parent)
        self._python_setting = python_setting
        settings = QgsSettings()
        self.python = QgsFileWidget()
        self.python.setFilePath(str(settings.value(python_setting, "") or ""))
        self.device = QComboBox()
        for choice in DEVICE.choices:
            self.device.addItem(f"{choice.key}: {tr(choice.help)}", choice.key)
        chosen = str(settings.value(DEVICE_SETTING, "") or DEVICE.default)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))
        rows = QFormLayout(self)
        rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows.addRow(tr("Python of the worker"), self.python)
        rows.addRow("", _small(tr("Empty: the environment that Terraweave made itself.")))
        rows.addRow(tr("Device"), self.device)
        rows.addRow("", _small(tr(DEVICE.help)))
        folder = f"{QgsApplication.qgisSettingsDirPath()}terraweave"
        rows.addRow(tr("Kept below"), _small(folder))

    def apply(self) -> None:
        """Called by QGIS when the user accepts the dialog."""
        settings = QgsSettings()
        settings.setValue(self._python_setting, self.python.filePath().strip())
        settings.setValue(DEVICE_SETTING, self.device.currentData())


def _small(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page whenever the options are opened."""

    def __init__(self, icon: QIcon, python_setting: str) -> None:
        """`icon` stands in the list of pages."""
        super().__init__("Terraweave", icon)
        self._icon = icon
        self._python_setting = python_setting

    def icon(self) -> QIcon:
        """The icon in the list of pages."""
        return self._icon

    def createWidget(self, parent: QWidget | None) -> OptionsPage:
        """A new page."""
        return OptionsPage(parent, self._python_setting)
