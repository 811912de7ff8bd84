"""The form's widget for a class field whose parent may be a raster, or nothing any more.

QGIS's own widget for fields crashes when its parent parameter holds a raster layer, or a layer
that was removed (seen in 3.40.6); this one follows vector layers and is empty for all else.
"""

from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsFieldProxyModel,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterField,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorLayer,
)
from qgis.gui import (
    QgsAbstractProcessingParameterWidgetWrapper,
    QgsFieldComboBox,
    QgsGui,
    QgsProcessingGui,
)
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QWidget

_MODELER_DIALOG = "ModelerParametersDialog"


def following_field(field: QgsProcessingParameterField) -> QgsProcessingParameterField:
    """`field` with the widget of this module instead of QGIS's own."""
    field.setMetadata({"widget_wrapper": {"class": f"{__name__}.WidgetChoice"}})
    return field


class WidgetChoice:
    """What QGIS's factory calls like a class: the widget that suits the dialog."""

    def __new__(
        cls,
        definition: QgsProcessingParameterDefinition,
        dialog: Any = None,  # noqa: ANN401 - several dialogs, without a common class
        row: int = 0,
        col: int = 0,
    ) -> QgsAbstractProcessingParameterWidgetWrapper:
        """A model's own widget in the model designer, where no layer is known; else ours."""
        if type(dialog).__name__ != _MODELER_DIALOG:
            return FieldWidget(definition)
        wrapper = QgsGui.processingGuiRegistry().createModelerParameterWidget(
            dialog.model, dialog.childId, definition, dialog.context
        )
        wrapper.setDialog(dialog)
        return wrapper


class FieldWidget(QgsAbstractProcessingParameterWidgetWrapper):
    """A list of the fields of the parent parameter's layer."""

    def __init__(self, definition: QgsProcessingParameterDefinition) -> None:
        """A widget for the field parameter `definition`."""
        super().__init__(definition, QgsProcessingGui.WidgetType.Standard)
        self._parent: QgsAbstractProcessingParameterWidgetWrapper | None = None
        self._layer: QgsVectorLayer | None = None
        self._context = QgsProcessingContext()

    def createWidget(self) -> QWidget:
        """The list."""
        listed = QgsFieldComboBox()
        listed.setFilters(QgsFieldProxyModel.Filter.AllTypes)
        listed.setAllowEmptyFieldName(True)
        listed.fieldChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
        return listed

    def postInitialize(
        self, wrappers: Sequence[QgsAbstractProcessingParameterWidgetWrapper]
    ) -> None:
        """Follow the widget of the parent parameter."""
        wanted = self.parameterDefinition().parentLayerParameterName()
        for wrapper in wrappers:
            if wrapper.parameterDefinition().name() == wanted:
                self._parent = wrapper
                wrapper.widgetValueHasChanged.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Show the fields of the parent's layer, none where it has none."""
        listed = self._list()
        if self._parent is None or listed is None:
            return
        kept = listed.currentField()
        self._layer = self._parent_layer()
        listed.setLayer(self._layer)
        listed.setField(kept)

    def _list(self) -> QgsFieldComboBox | None:
        """The list of fields, None before QGIS has made it.

        Asked for anew each time: the object that `createWidget` returned passes to QGIS, and
        Python takes its own reference to it for dead.
        """
        widget = self.wrappedWidget()
        if widget is None or not widget.inherits("QgsFieldComboBox"):
            return None
        return sip.cast(widget, QgsFieldComboBox)

    def _parent_layer(self) -> QgsVectorLayer | None:
        value = self._parent.parameterValue() if self._parent else None
        if isinstance(value, QgsProcessingFeatureSourceDefinition):
            value = value.source.staticValue()
        if isinstance(value, str) and value:
            self._context.setProject(QgsProject.instance())
            value = QgsProcessingUtils.mapLayerFromString(value, self._context)
        return value if isinstance(value, QgsVectorLayer) else None

    def setWidgetValue(self, value: object, context: QgsProcessingContext) -> None:
        """Choose the field named `value`."""
        listed = self._list()
        if listed is not None:
            listed.setField("" if value is None else str(value))

    def widgetValue(self) -> str | None:
        """The chosen field's name, None where nothing is chosen."""
        listed = self._list()
        return (listed.currentField() or None) if listed is not None else None
