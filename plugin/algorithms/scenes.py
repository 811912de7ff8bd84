"""Several images as one parameter: layers, files, and whole folders of files."""

from collections.abc import Iterable
from pathlib import Path

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsRasterLayer,
)

from ...core.job import rasters_in
from .base import Parameters


def without_folders(parameters: Parameters, names: Iterable[str]) -> Parameters:
    """The parameters with the rasters of folders in the folders' places.

    Raises:
        InputError: a folder holds no raster.
    """
    found = dict(parameters)
    for name in names:
        value = found.get(name)
        given = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, str) and Path(one).is_dir() for one in given if one):
            each = [rasters_in(one) if isinstance(one, str) else [one] for one in given]
            found[name] = [one for some in each for one in some]
    return found


def raster_layers(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> list[QgsRasterLayer]:
    """The raster layers of a parameter for several; a folder stands for the rasters in it.

    Raises:
        InputError: a folder holds no raster.
    """
    spread = without_folders(parameters, [name])
    layers: list[QgsMapLayer] = algorithm.parameterAsLayerList(spread, name, context)
    return [one for one in layers if isinstance(one, QgsRasterLayer)]
