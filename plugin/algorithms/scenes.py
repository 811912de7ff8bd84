"""Several images as one parameter: layers, files, and whole folders of files."""

from collections.abc import Iterable
from pathlib import Path

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterMultipleLayers,
    QgsRasterLayer,
)

from ...core.job import rasters_in
from .base import Parameters


class ImagesParameter(QgsProcessingParameterMultipleLayers):
    """A parameter for several rasters, whose value may be a folder of them.

    QGIS would try to open a folder as every kind of layer, and print what its drivers think of it.
    """

    def __init__(self, name: str, title: str, *, optional: bool = False) -> None:
        """An empty list of rasters."""
        raster = QgsProcessing.SourceType.TypeRaster
        super().__init__(name, title, raster, optional=optional)

    def checkValueIsAcceptable(
        self, value: object, context: QgsProcessingContext | None = None
    ) -> bool:
        """Whether QGIS accepts it, or it holds folders, which are looked into later."""
        return bool(_folders(value)) or bool(super().checkValueIsAcceptable(value, context))

    def valueAsJsonObject(self, value: object, context: QgsProcessingContext) -> object:
        """The value in a record of the run."""
        return value if _folders(value) else super().valueAsJsonObject(value, context)

    def valueAsPythonString(self, value: object, context: QgsProcessingContext) -> str:
        """The value as code."""
        return repr(value) if _folders(value) else super().valueAsPythonString(value, context)


def _folders(value: object) -> list[str]:
    given = value if isinstance(value, list | tuple) else [value]
    return [one for one in given if isinstance(one, str) and one and Path(one).is_dir()]


def without_folders(parameters: Parameters, names: Iterable[str]) -> Parameters:
    """The parameters with the rasters of folders in the folders' places.

    Raises:
        InputError: a folder holds no raster.
    """
    found = dict(parameters)
    for name in names:
        value = found.get(name)
        if _folders(value):
            given = value if isinstance(value, list | tuple) else [value]
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
