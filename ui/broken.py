"""Layers that cannot be used any more: why, and what helps."""

from pathlib import Path

from qgis.core import QgsMapLayer, QgsProject, QgsProviderRegistry, QgsRasterLayer, QgsVectorLayer

# Providers whose layers are files of this computer.
_FILES = ("gdal", "ogr", "delimitedtext", "spatialite")


def broken(layer: QgsMapLayer) -> str:
    """Why a layer cannot be used, with the remedy; an empty text where it can.

    A raster stays valid when its file goes, until somebody reads it; so its file is looked for.
    """
    path = missing_file(layer)
    if path:
        return (
            f"“{layer.name()}” cannot be opened: its file “{path}” is not there. Put the file "
            "back, or right-click the layer in the layer tree and choose “Change Data Source…”."
        )
    if layer.isValid():
        return ""
    return (
        f"“{layer.name()}” cannot be opened from “{layer.publicSource(True)}”. Right-click the "
        "layer in the layer tree and choose “Change Data Source…”, or choose another layer."
    )


def missing_file(layer: QgsMapLayer) -> str:
    """The local file that a layer needs and that is not there, or an empty text."""
    if layer.providerType() not in _FILES:
        return ""
    parts = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
    path = Path(str(parts.get("path") or ""))
    # What GDAL reads from archives and servers (/vsi…) or databases is for it to find.
    virtual = parts.get("vsiPrefix") or "".join(path.parts[1:2]).startswith("vsi")
    return str(path) if path.is_absolute() and not virtual and not path.exists() else ""


def broken_layers() -> list[str]:
    """What there is to say of the project's layers that cannot be used."""
    layers = QgsProject.instance().mapLayers().values()
    said = (broken(one) for one in layers if isinstance(one, QgsRasterLayer | QgsVectorLayer))
    return [one for one in said if one]
