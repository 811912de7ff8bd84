"""Terraweave: deep models for land cover, mining footprints and relic landslides in QGIS."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .plugin.main import TerraweavePlugin


def classFactory(iface: "QgisInterface | None") -> "TerraweavePlugin":
    """The plugin object that QGIS asks for; `iface` is None in `qgis_process`."""
    from .plugin.main import TerraweavePlugin

    return TerraweavePlugin(iface)
