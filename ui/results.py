"""What a run leaves behind: layers in a group of the project, a report, a model file."""

from collections.abc import Iterator, Mapping, Sequence
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
from qgis.PyQt import sip

from .amounts import number
from .field import MODEL_SUFFIX
from .run import Run
from .words import tr

# What one asks first, in this order; scores of a single class go before those of all.
_LEADING = (
    "IOU", "F1", "PRECISION", "RECALL", "AREA_HA", "AREA_BIAS", "DETECTION_RATE",
    "FALSE_PARTS_PER_KM2", "GAIN",
)  # fmt: skip
_MOST = 12


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
    """The first numbers that a finished run gave back: what each is called, and its value.

    The scores of a single class, where there are some, come first.
    """
    found = [
        one
        for one in run.algorithm.outputDefinitions()
        if isinstance(one, QgsProcessingOutputNumber) and one.name() in run.results
    ]
    rank = {name: place for place, name in enumerate(_LEADING)}
    found.sort(key=lambda one: rank.get(one.name(), len(rank)))
    return [_figure(one, run.results[one.name()]) for one in found[:_MOST]]


def _figure(output: QgsProcessingOutputNumber, value: object) -> tuple[str, str]:
    """What a number is called, and the number as one says it."""
    if output.name() == "AREA_BIAS" and isinstance(value, int | float):
        much = tr("{} % too much") if value >= 0 else tr("{} % too little")
        return tr("Mapped area"), much.format(number(round(100 * abs(value), 1)))
    return tr(output.description()), number(value)


def load_layers(run: Run) -> list[QgsMapLayer]:
    """Add a finished run's layers to the project, in a group that has the run's title.

    To be called in the main thread. A layer that cannot be loaded is named in the run's log.
    """
    for _ in loading(run):
        pass
    found = (QgsProject.instance().mapLayer(one) for one in run.layers)
    return [layer for layer in found if layer is not None]


def loading(run: Run) -> Iterator[None]:
    """`load_layers` in small steps, between which QGIS may do something else.

    The project may change in between, and layers may go; what is loaded is listed at the end.
    """
    taken = []
    for path, details in run.context.layersToLoadOnCompletion().items():
        layer = _taken(run, path)
        if layer is not None:
            details.setOutputLayerName(layer)
            taken.append((layer, details))
        yield
    order = list(run.results.values())
    taken.sort(key=lambda pair: (-pair[1].layerSortKey, *_place(pair[0], order)))
    added: list[QgsMapLayer] = []
    for layer, details in taken:
        if QgsProject.instance().addMapLayer(layer, False) is None:
            continue
        _group_of(run, added).addLayer(layer)
        _style(layer, details, run)
        added.append(layer)
        yield
    here = [layer for layer in added if not sip.isdeleted(layer)]
    if not here:
        return
    _hide_what_is_outlined(_group_of(run, here), here)
    run.layers = [layer.id() for layer in here]


def _group_of(run: Run, added: Sequence[QgsMapLayer]) -> QgsLayerTreeGroup:
    """The group that those `added` so far are in, or a new one above all others."""
    root = QgsProject.instance().layerTreeRoot()
    nodes = (root.findLayer(layer) for layer in added if not sip.isdeleted(layer))
    groups = (node.parent() for node in nodes if node is not None)
    return next(groups, None) or root.insertGroup(0, run.title)


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
        run.story.lines.append(
            ("warning", tr("The result “{}” could not be opened as a layer.").format(path))
        )
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
