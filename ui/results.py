"""What a run leaves behind: layers in a group of the project, a report, a model file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qgis.core import (
    QgsLayerTreeGroup,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)

from .amounts import number
from .field import MODEL_SUFFIX
from .run import Run
from .words import tr


@dataclass(frozen=True, slots=True)
class Outcome:
    """The files among a run's results that the panel can do something with, or empty texts."""

    model: str = ""
    report: str = ""


def outcome_of(results: Mapping[str, object]) -> Outcome:
    """The model file and the report among `results`."""
    paths = [value for value in results.values() if isinstance(value, str)]
    model = next((path for path in paths if path.endswith(MODEL_SUFFIX)), "")
    report = next((path for path in paths if path.endswith((".html", ".htm"))), "")
    return Outcome(model, report)


def figures_of(run: Run) -> list[tuple[str, str]]:
    """The numbers that a finished run gave back: what each is called, and its value in words."""
    return [
        (tr(one.description()), number(run.results[one.name()]))
        for one in run.algorithm.outputDefinitions()
        if isinstance(one, QgsProcessingOutputNumber) and one.name() in run.results
    ]


def load_layers(run: Run) -> list[QgsMapLayer]:
    """Add a finished run's layers to the project, in a group that has the run's title.

    To be called in the main thread. A layer that cannot be loaded is named in the run's log.
    """
    pending = run.context.layersToLoadOnCompletion()
    loaded = [
        (layer, details)
        for path, details in pending.items()
        if (layer := _taken(run, path)) is not None
    ]
    if not loaded:
        return []
    order = list(run.results.values())
    loaded.sort(key=lambda pair: (-pair[1].layerSortKey, *_place(pair[0], order)))
    root = QgsProject.instance().layerTreeRoot()
    group = root.insertGroup(0, run.title)
    for layer, details in loaded:
        details.setOutputLayerName(layer)
        if QgsProject.instance().addMapLayer(layer, False) is not None:
            group.addLayer(layer)
        _style(layer, details, run)
    _hide_what_is_outlined(group, [layer for layer, _ in loaded])
    run.layers = [layer.id() for layer, _ in loaded]
    return [layer for layer, _ in loaded]


def _hide_what_is_outlined(group: QgsLayerTreeGroup, layers: Sequence[QgsMapLayer]) -> None:
    """Leave a map of one class off where the same run brought its outlines and probability.

    It would cover both; the box in the layer tree switches it on.
    """
    outlined = any(isinstance(layer, QgsVectorLayer) for layer in layers)
    ramp = any(_is_drawn_by(layer, QgsSingleBandPseudoColorRenderer) for layer in layers)
    if not (outlined and ramp):
        return
    for layer in layers:
        if _is_drawn_by(layer, QgsPalettedRasterRenderer) and len(layer.renderer().classes()) == 1:
            group.findLayer(layer).setItemVisibilityChecked(False)


def _is_drawn_by(layer: QgsMapLayer, renderer: type) -> bool:
    return isinstance(layer, QgsRasterLayer) and isinstance(layer.renderer(), renderer)


def _taken(run: Run, path: str) -> QgsMapLayer | None:
    layer = QgsProcessingUtils.mapLayerFromString(path, run.context, True)
    if layer is None or not layer.isValid():
        run.story.lines.append(("warning", f"The result “{path}” could not be opened as a layer."))
        return None
    # The context owns what it has loaded; a file that was open already belongs to the project.
    return run.context.takeResultLayer(layer.id()) or layer


def _style(layer: QgsMapLayer, details: QgsProcessingContext.LayerDetails, run: Run) -> None:
    styler = details.postProcessor()
    if styler is not None:
        styler.postProcessLayer(layer, run.context, run.feedback)
    if isinstance(layer, QgsRasterLayer) or styler is not None:
        # So that the map looks the same tomorrow, in another project too.
        layer.saveDefaultStyle(QgsMapLayer.StyleCategory.AllStyleCategories)


def _place(layer: QgsMapLayer, order: list[object]) -> tuple[int, int]:
    """Vectors on top, then images, then maps; among equals as the tool lists them."""
    kind = 0 if isinstance(layer, QgsVectorLayer) else 1
    if isinstance(layer, QgsRasterLayer) and layer.bandCount() == 1:
        kind = 2
    listed = [place for place, value in enumerate(order) if value == layer.source()]
    return kind, listed[0] if listed else len(order)
