"""A class raster and the area around it, as the tools that judge maps take them."""

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ...core.classes import MapClass
from ...core.errors import InputError
from ..checks import check_crs, check_overlap
from ..legends import classes_of
from ..sources import PreparedFeatures, image_bands
from .forms import with_help

AREA = "AREA"


def class_raster_parameter(
    name: str, title: str, help_text: str
) -> QgsProcessingParameterRasterLayer:
    """The parameter for a class raster."""
    return with_help(QgsProcessingParameterRasterLayer(name, title), help_text)


def area_parameter() -> QgsProcessingParameterFeatureSource:
    """The optional parameter for what was surveyed."""
    made = QgsProcessingParameterFeatureSource(
        AREA, "Surveyed area", [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
    )
    return with_help(made, "What was surveyed; pixels outside it do not count.", advanced=True)


def class_raster(
    algorithm: QgsProcessingAlgorithm,
    name: str,
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
) -> QgsRasterLayer:
    """The class raster given as `name`.

    Raises:
        InputError: it is missing, has several bands, or has no coordinate system.
    """
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None or not layer.isValid():
        raise InputError(f"The class map ({name}) is missing; choose a class raster.")
    check_class_raster(layer)
    check_crs(layer)
    return layer


def check_class_raster(layer: QgsRasterLayer) -> None:
    """Refuse a raster with more than a band of class numbers."""
    bands = image_bands(layer)
    if bands != 1:
        raise InputError(
            f"“{layer.name()}” has {bands} bands; choose a class raster, which has a single band "
            "of class numbers."
        )


def area_of(
    algorithm: QgsProcessingAlgorithm,
    on: QgsRasterLayer,
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
) -> PreparedFeatures | None:
    """What was surveyed on the raster `on`, or None where nobody said.

    Raises:
        InputError: it has no coordinate system, or lies elsewhere.
    """
    source = algorithm.parameterAsSource(parameters, AREA, context)
    if source is None:
        return None
    layer = algorithm.parameterAsVectorLayer(parameters, AREA, context)
    if isinstance(layer, QgsVectorLayer):
        check_crs(layer)
        check_overlap(on, layer, context.transformContext())
    return PreparedFeatures.of_vector(source, layer=layer)


def spoken_classes(layer: QgsRasterLayer) -> tuple[MapClass, ...]:
    """The classes that the style of `layer` calls by more than their numbers."""
    found = classes_of(layer, "")
    return tuple(one for one in found if one.name not in (str(one.value), f"Class {one.value}"))
