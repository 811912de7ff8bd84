"""The plugin object that QGIS holds."""

from typing import TYPE_CHECKING

from qgis.core import QgsApplication

from ..ui.words import use_language
from .interpreter import SETTING
from .provider import TerraweaveProvider

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from ..ui.panel import Panel


class TerraweavePlugin:
    """Adds Terraweave's tools to Processing and its panel to the desktop; takes both away."""

    def __init__(self, iface: "QgisInterface | None") -> None:
        """`iface` is None where there is no desktop, as in `qgis_process`."""
        self.iface = iface
        self.provider: TerraweaveProvider | None = None
        self.panel: Panel | None = None

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls this and not `initGui`."""
        if self.provider is None:
            use_language(QgsApplication.locale())
            self.provider = TerraweaveProvider()
            QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Called once when the desktop is there."""
        from ..ui.panel import Panel  # qgis_process has no use for widgets

        self.initProcessing()
        if self.panel is None and self.iface is not None and self.provider is not None:
            self.panel = Panel(self.iface, self.provider.id(), SETTING)

    def unload(self) -> None:
        """Take everything away; also called before the plugin is loaded anew."""
        if self.panel is not None:
            self.panel.close()
            self.panel = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
