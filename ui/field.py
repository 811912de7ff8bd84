"""One field of a form: QGIS's own widget for a parameter, with remarks below it."""

from collections.abc import Sequence
from typing import Any

from qgis.core import (
    Qgis,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.gui import (
    QgsAbstractProcessingParameterWidgetWrapper,
    QgsFieldComboBox,
    QgsMapLayerComboBox,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QVBoxLayout, QWidget

from .project import pixel_metres
from .remark import Remark
from .words import spoken, tr

MODEL_SUFFIX = ".safetensors"


class Field(QWidget):
    """A parameter's label, widget, remark and problem, one below the other."""

    changed = pyqtSignal()

    def __init__(
        self,
        wrapper: QgsAbstractProcessingParameterWidgetWrapper,
        context: QgsProcessingContext,
    ) -> None:
        """`wrapper` must know its widget context by now."""
        super().__init__()
        self.wrapper = wrapper
        self.definition: QgsProcessingParameterDefinition = wrapper.parameterDefinition()
        self._context = context
        self._guess = ""
        self._filling = False
        self._filled: object = None
        self.touched = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.widget = wrapper.createWrappedWidget(context)
        self.label = wrapper.createWrappedLabel()
        if self.label is not None:
            self.label.setText(tr(self.definition.description()) + self._suffix())
            self.label.setToolTip(self._tip())
            self.label.setBuddy(self.widget)
            column.addWidget(self.label)
        self.widget.setToolTip(self._tip())
        self.widget.setAccessibleName(tr(self.definition.description()))
        column.addWidget(self.widget)
        self.remark = Remark()
        self.problem = Remark(problem=True)
        # What the worker found when it looked into the files.
        self.notice = Remark(problem=True)
        for line in (self.remark, self.problem, self.notice):
            column.addWidget(line)
        wrapper.widgetValueHasChanged.connect(self._value_changed)

    @property
    def name(self) -> str:
        """The parameter's id."""
        return self.definition.name()

    @property
    def advanced(self) -> bool:
        """Whether the field is folded away."""
        return bool(self.definition.flags() & Qgis.ProcessingParameterFlag.Advanced)

    @property
    def required(self) -> bool:
        """Whether the tool cannot do without a value."""
        return not self.definition.flags() & Qgis.ProcessingParameterFlag.Optional

    @property
    def takes_model(self) -> bool:
        """Whether the field asks for an existing model file."""
        definition = self.definition
        return (
            isinstance(definition, QgsProcessingParameterFile)
            and MODEL_SUFFIX in definition.fileFilter()
        )

    def value(self) -> Any:  # noqa: ANN401 - whatever the parameter's type takes
        """The value as a tool takes it."""
        return self.wrapper.parameterValue()

    @property
    def empty(self) -> bool:
        """Whether nothing was chosen."""
        value = self.value()
        is_null = getattr(value, "isNull", None)
        return value in (None, "", []) or bool(is_null and is_null())

    @property
    def guessed(self) -> bool:
        """Whether the value is a guess that the user has not changed."""
        return bool(self._guess)

    def fill(self, value: Any, guess: str = "") -> None:  # noqa: ANN401 - see `value`
        """Set the value; `guess` says in words why, until the user chooses another one."""
        self._filling = True
        self.wrapper.setParameterValue(value, self._context)
        self._filling = False
        self._filled = self.value()
        self._guess = guess
        self._say_remark()

    def drop_layer_by_chance(self) -> None:
        """Empty a field that shows the project's first layer because QGIS begins with it."""
        if self.touched or self.empty or self.value() == self._filled:
            return
        self._filling = True
        for box in self.widget.findChildren(QComboBox):
            # A required layer cannot be set to nothing otherwise.
            if box.metaObject().className() == QgsMapLayerComboBox.__name__:
                box.setCurrentIndex(-1)
        self._filling = False
        self._say_remark()

    def add_below(self, widget: QWidget) -> None:
        """Put more about this field below it."""
        self.layout().addWidget(widget)

    def layers(self) -> list[QgsMapLayer]:
        """The layers that the value names."""
        value = self.value()
        texts = value if isinstance(value, list) else [value]
        project = self._context.project()
        found = (
            project.mapLayer(text)
            or QgsProcessingUtils.mapLayerFromString(text, self._context, False)
            for text in texts
            if isinstance(text, str) and text
        )
        return [layer for layer in found if layer is not None]

    def follow(self, parent: "Field") -> None:
        """Offer the fields of the vector layer that `parent` names; none for a raster."""
        layer = next(iter(parent.layers()), None)
        is_vector = isinstance(layer, QgsVectorLayer)
        self.setEnabled(is_vector)
        for box in (self.widget, *self.widget.findChildren(QComboBox)):
            # Python sees the plain combo box that QGIS's own is made of.
            if box.metaObject().className() == QgsFieldComboBox.__name__:
                fields_box = sip.cast(box, QgsFieldComboBox)
                if fields_box.layer() is not layer:
                    fields_box.setLayer(layer if is_vector else None)

    def _suffix(self) -> str:
        return "" if self.required or self.definition.isDestination() else tr(" (optional)")

    def _tip(self) -> str:
        return f"<p>{spoken(self.definition.help())}</p>" if self.definition.help() else ""

    def _value_changed(self) -> None:
        if not self._filling:
            self._guess = ""
            # QGIS's combos also follow the project by themselves; that is no choice of the user.
            # Destinations follow nothing, and their menus take the focus away.
            own = self.definition.isDestination() or self._has_focus()
            self.touched = self.touched or own
        self._say_remark()
        self.changed.emit()

    def _has_focus(self) -> bool:
        focus = QApplication.focusWidget()
        return focus is not None and self.isAncestorOf(focus)

    def _say_remark(self) -> None:
        if self.definition.type() in _IMAGE_TYPES:
            words = described(self.layers())
            self.remark.say(f"{tr('Guessed')}: {words}" if self._guess and words else words)
        else:
            self.remark.say(f"{tr('Guessed')}: {self._guess}" if self._guess else "")


# Parameters that take images, whose layers are described below the field.
_IMAGE_TYPES = ("multilayer", "raster")


def described(layers: Sequence[QgsMapLayer]) -> str:
    """Name, bands and pixel size of each layer."""
    return "; ".join(describe_layer(layer) for layer in layers)


def describe_layer(layer: QgsMapLayer) -> str:
    """Name, bands and pixel size of a layer."""
    parts = [layer.name()]
    if isinstance(layer, QgsRasterLayer):
        bands = layer.bandCount()
        parts.append(tr("1 band") if bands == 1 else f"{bands} {tr('bands')}")
        edge = pixel_metres(layer)
        if edge:
            parts.append(f"{edge:.3g} m")
    elif isinstance(layer, QgsVectorLayer) and layer.isEditable():
        parts.append(tr("being edited"))
    return ", ".join(parts)
