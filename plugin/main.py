"""The plugin object that QGIS holds."""

from typing import TYPE_CHECKING

from qgis.core import QgsApplication

from .provider import TerraweaveProvider

if TYPE_CHECKING:
    from qgis.gui import QgisInterface


class TerraweavePlugin:
    """Adds Terraweave's tools to Processing, and takes them away again."""

    def __init__(self, iface: "QgisInterface | None") -> None:
        """`iface` is None where there is no desktop, as in `qgis_process`."""
        self.iface = iface
        self.provider: TerraweaveProvider | None = None

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls this and not `initGui`."""
        if self.provider is None:
            self.provider = TerraweaveProvider()
            QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Called once when the desktop is there."""
        self.initProcessing()

    def unload(self) -> None:
        """Take everything away; also called before the plugin is loaded anew."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
