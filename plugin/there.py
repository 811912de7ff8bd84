"""Whether the layers that a tool was given are there, before QGIS drops or merely refuses them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
    QgsProcessingUtils,
    QgsProject,
    QgsProperty,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ..core.errors import InputError
from ..ui.broken import broken

_RASTER, _VECTOR = "raster", "vector"


def check_layers_there(
    definitions: list[QgsProcessingParameterDefinition],
    parameters: Mapping[str, object],
    context: QgsProcessingContext,
) -> None:
    """Refuse layers and files that are gone or cannot be opened, each by its name and path.

    Raises:
        InputError: one is.
    """
    for one in definitions:
        kinds = _kinds(one)
        if not kinds:
            continue
        for given in _given(parameters.get(one.name()), context):
            _check(f"{one.description()} ({one.name()})", given, kinds, context)


def _kinds(definition: QgsProcessingParameterDefinition) -> tuple[str, ...]:
    """What kinds of layers a parameter takes; none where it takes no layer."""
    if isinstance(definition, QgsProcessingParameterRasterLayer):
        return (_RASTER,)
    if isinstance(
        definition, QgsProcessingParameterVectorLayer | QgsProcessingParameterFeatureSource
    ):
        return (_VECTOR,)
    if isinstance(definition, QgsProcessingParameterMultipleLayers):
        raster = definition.layerType() == QgsProcessing.SourceType.TypeRaster
        return (_RASTER,) if raster else (_VECTOR,)
    if isinstance(definition, QgsProcessingParameterMapLayer):
        return (_VECTOR, _RASTER)
    return ()


def _given(value: object, context: QgsProcessingContext) -> Iterator[QgsMapLayer | str]:
    """The layers and texts in a parameter's value; folders are looked into elsewhere."""
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source
    if isinstance(value, QgsProperty):
        value = value.valueAsString(context.expressionContext())[0]
    if isinstance(value, list | tuple):
        for one in value:
            yield from _given(one, context)
    elif isinstance(value, QgsMapLayer | str) and value and not _is_folder(value):
        yield value


def _is_folder(value: QgsMapLayer | str) -> bool:
    return isinstance(value, str) and Path(value).is_dir()


def _check(
    name: str, given: QgsMapLayer | str, kinds: tuple[str, ...], context: QgsProcessingContext
) -> None:
    layer = given if isinstance(given, QgsMapLayer) else _of_project(given, context)
    if layer is not None and (why := broken(layer)):
        raise InputError(f"{name}: {why}")
    if layer is None and isinstance(given, str):
        layer = QgsProcessingUtils.mapLayerFromString(given, context, True, _hint(kinds))
    if layer is None:
        raise InputError(f"{name}: {_unknown(str(given), kinds)}")
    wrong = {_RASTER: QgsVectorLayer, _VECTOR: QgsRasterLayer}
    if len(kinds) == 1 and isinstance(layer, wrong[kinds[0]]):
        other = _VECTOR if kinds[0] == _RASTER else _RASTER
        raise InputError(f"{name}: “{layer.name()}” is a {other} layer; choose a {kinds[0]} layer.")


def _hint(kinds: tuple[str, ...]) -> QgsProcessingUtils.LayerHint:
    """What a file is to be opened as; one file may hold both."""
    hints = QgsProcessingUtils.LayerHint
    if len(kinds) > 1:
        return hints.UnknownType
    return hints.Raster if kinds[0] == _RASTER else hints.Vector


def _of_project(text: str, context: QgsProcessingContext) -> QgsMapLayer | None:
    """The project's layer with that id or name, also where it cannot be opened."""
    project: QgsProject | None = context.project()
    if project is None:
        return None
    named = project.mapLayersByName(text)
    return project.mapLayer(text) or (named[0] if named else None)


def _unknown(text: str, kinds: tuple[str, ...]) -> str:
    path = text.split("|")[0]
    if Path(path).is_file():
        return (
            f"“{text}” is there, but QGIS cannot read it as a {' or '.join(kinds)} layer; choose "
            "another file, or try to open it in QGIS, which says more."
        )
    return (
        f"there is neither a layer nor a file “{text}”; check the path, put the file back, or "
        "choose another layer."
    )
