"""Names and styles of results when QGIS loads them: classes in their own names and colours."""

from collections.abc import Callable, Sequence

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsFillSymbol,
    QgsMapLayer,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor, QPainter

from ..core.classes import MapClass
from .attribute_form import add_form

Style = Callable[[QgsMapLayer], None]

# Light where the model hesitates, dark where it is sure; even in lightness, safe for all eyes.
_RAMP = ("#fde725", "#7ad151", "#22a884", "#2a788e", "#414487", "#440154")
# From nothing over yellow to dark red; its first colours are see-through.
_PROBABILITY_RAMP = ("#00ffffb2", "#90ffffb2", "#fffecc5c", "#fffd8d3c", "#fff03b20", "#ffbd0026")
# How strongly a hillshade darkens an image.
_SHADE = 0.7
BELOW = -1
"""The sort key of a backdrop among the layers of a run, which have 0."""
# The field of the worker's polygons that holds the class number.
_VALUE_FIELD = "class_value"

# QGIS keeps only a bare pointer to a post-processor; Python has to keep the object.
_alive: dict[str, "LayerStyler"] = {}


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles one result layer, in the main thread, once it is loaded."""

    def __init__(self, path: str, style: Style) -> None:
        """`path` is the result's file."""
        super().__init__()
        self._path = path
        self._style = style

    def postProcessLayer(
        self,
        layer: QgsMapLayer,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        """Called by QGIS for the loaded layer."""
        self._style(layer)
        add_form(layer)
        layer.triggerRepaint()


def announce_layer(
    context: QgsProcessingContext, path: str, name: str, style: Style, *, below: bool = False
) -> None:
    """Have the result `path` called `name` and drawn in `style`, if it is to be loaded.

    Layers that lie `below` come under all others of the run.
    """
    if not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    details.name = name
    if below:
        details.layerSortKey = BELOW
    _alive[path] = LayerStyler(path, style)
    details.setPostProcessor(_alive[path])


def class_raster_style(classes: Sequence[MapClass]) -> Style:
    """A palette with the names and colours of `classes`."""

    def apply(layer: QgsMapLayer) -> None:
        if isinstance(layer, QgsRasterLayer):
            entries = [
                QgsPalettedRasterRenderer.Class(one.value, QColor(one.color), one.name)
                for one in classes
            ]
            layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))

    return apply


def confidence_style() -> Style:
    """A ramp from 0 (a guess) to 1 (sure)."""
    return _ramp_style(_RAMP, 1.0)


def probability_style() -> Style:
    """A ramp from 0 (no sign of the class) to 1 that lets a hillshade beneath show through."""
    return _ramp_style(_PROBABILITY_RAMP, 0.5)


def shade_style() -> Style:
    """Grey from 1 (dark) to 255 (light), as it is in the file, that shades what lies beneath.

    It comes above the user's own image, which it must not hide.
    """

    def apply(layer: QgsMapLayer) -> None:
        if not isinstance(layer, QgsRasterLayer):
            return
        provider = layer.dataProvider()
        stretch = QgsContrastEnhancement(provider.dataType(1))
        stretch.setMinimumValue(1)
        stretch.setMaximumValue(255)
        stretch.setContrastEnhancementAlgorithm(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
        )
        renderer = QgsSingleBandGrayRenderer(provider, 1)
        renderer.setContrastEnhancement(stretch)
        renderer.setOpacity(_SHADE)
        layer.setRenderer(renderer)
        layer.setBlendMode(QPainter.CompositionMode.CompositionMode_Multiply)

    return apply


def _ramp_style(colors: Sequence[str], opacity: float) -> Style:
    def apply(layer: QgsMapLayer) -> None:
        if not isinstance(layer, QgsRasterLayer):
            return
        ramp = QgsColorRampShader(0.0, 1.0)
        ramp.setColorRampType(Qgis.ShaderInterpolationMethod.Linear)
        last = len(colors) - 1
        ramp.setColorRampItemList(
            [
                QgsColorRampShader.ColorRampItem(number / last, QColor(color), f"{number / last:g}")
                for number, color in enumerate(colors)
            ]
        )
        shader = QgsRasterShader(0.0, 1.0)
        shader.setRasterShaderFunction(ramp)
        renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
        renderer.setClassificationMin(0.0)
        renderer.setClassificationMax(1.0)
        renderer.setOpacity(opacity)
        layer.setRenderer(renderer)

    return apply


def polygon_style(classes: Sequence[MapClass]) -> Style:
    """Polygons in the colours of their classes."""

    def apply(layer: QgsMapLayer) -> None:
        if not isinstance(layer, QgsVectorLayer):
            return
        categories = [QgsRendererCategory(one.value, _fill(one), one.name) for one in classes]
        layer.setRenderer(QgsCategorizedSymbolRenderer(_VALUE_FIELD, categories))

    return apply


def own_style(layer: QgsMapLayer) -> None:
    """The style that lies beside the layer's file."""
    layer.loadDefaultStyle()


def natural_colours(layer: QgsMapLayer) -> None:
    """Show the bands that are called red, green and blue as such; QGIS shows the first three."""
    shown = layer.renderer() if isinstance(layer, QgsRasterLayer) else None
    if not isinstance(shown, QgsMultiBandColorRenderer):
        return
    renderer = shown.clone()
    bands = {
        color: band
        for band in range(1, layer.bandCount() + 1)
        for color in ("red", "green", "blue")
        if color in layer.bandName(band).casefold().split()
    }
    stretches = {
        renderer.redBand(): renderer.redContrastEnhancement(),
        renderer.greenBand(): renderer.greenContrastEnhancement(),
        renderer.blueBand(): renderer.blueContrastEnhancement(),
    }
    if set(bands.values()) != set(stretches) or not all(stretches.values()):
        return
    kept = {band: QgsContrastEnhancement(one) for band, one in stretches.items()}
    renderer.setRedBand(bands["red"])
    renderer.setGreenBand(bands["green"])
    renderer.setBlueBand(bands["blue"])
    renderer.setRedContrastEnhancement(kept[bands["red"]])
    renderer.setGreenContrastEnhancement(kept[bands["green"]])
    renderer.setBlueContrastEnhancement(kept[bands["blue"]])
    # So that the legend follows.
    layer.setRenderer(renderer)


def _fill(one: MapClass) -> QgsFillSymbol:
    outline = QColor(one.color).darker(140).name()
    return QgsFillSymbol.createSimple(
        {"color": one.color, "outline_color": outline, "outline_width": "0.2"}
    )
