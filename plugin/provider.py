"""The Processing provider `terraweave`."""

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms import all_algorithms

ICON = Path(__file__).resolve().parents[1] / "resources" / "icons" / "terraweave.svg"


class TerraweaveProvider(QgsProcessingProvider):
    """Terraweave's tools in the toolbox, in graphical models and in `qgis_process`."""

    def id(self) -> str:
        """Part of the id of every tool, for ever."""
        return "terraweave"

    def name(self) -> str:
        """The name in the toolbox."""
        return "Terraweave"

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:
        """The icon where QGIS wants a path."""
        return str(ICON)

    def loadAlgorithms(self) -> None:
        """Called by QGIS whenever the list of tools is needed anew."""
        for algorithm in all_algorithms():
            self.addAlgorithm(algorithm)

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """Class rasters carry palette and attribute table, which GeoTIFF does."""
        return ["tif", "tiff"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        """What the worker writes polygons to, best first."""
        return ["gpkg", "fgb", "geojson", "shp"]

    def supportsNonFileBasedOutput(self) -> bool:
        """The worker writes files; a memory layer or database table cannot be its target."""
        return False
