"""The page in QGIS's options: which Python works, and where the network runs."""

from qgis.core import QgsApplication, QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import QThread
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QLabel, QSpinBox, QWidget

from ..core.settings import DEVICE
from .preferences import (
    CACHE_SETTING,
    DEVICE_SETTING,
    LEAST_CACHE,
    MOST_CACHE,
    THREADS_SETTING,
    cache_megabytes,
    threads,
)
from .words import tr


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
        self.threads = QSpinBox()
        self.threads.setRange(0, max(QThread.idealThreadCount(), threads()))
        self.threads.setSpecialValueText(tr("All"))
        self.threads.setValue(threads())
        self.cache = QSpinBox()
        self.cache.setRange(LEAST_CACHE, MOST_CACHE)
        self.cache.setSuffix(" MB")
        self.cache.setSingleStep(64)
        self.cache.setValue(cache_megabytes())
        rows = QFormLayout(self)
        rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows.addRow(tr("Python of the worker"), self.python)
        rows.addRow("", _small(tr("Empty: the environment that Terraweave made itself.")))
        rows.addRow(tr("Device"), self.device)
        rows.addRow("", _small(tr(DEVICE.help)))
        rows.addRow(tr("Threads"), self.threads)
        rows.addRow(
            "",
            _small(
                tr(
                    "How many cores of the processor a run may keep busy. Fewer leave more for "
                    "other programs; the map is the same."
                )
            ),
        )
        rows.addRow(tr("Raster cache"), self.cache)
        rows.addRow(
            "",
            _small(
                tr(
                    "How much memory reading and writing rasters may take for itself. More helps "
                    "with images of many bands or on slow disks."
                )
            ),
        )
        folder = f"{QgsApplication.qgisSettingsDirPath()}terraweave"
        rows.addRow(tr("Kept below"), _small(folder))

    def apply(self) -> None:
        """Called by QGIS when the user accepts the dialog."""
        settings = QgsSettings()
        settings.setValue(self._python_setting, self.python.filePath().strip())
        settings.setValue(DEVICE_SETTING, self.device.currentData())
        settings.setValue(THREADS_SETTING, self.threads.value())
        settings.setValue(CACHE_SETTING, self.cache.value())


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
