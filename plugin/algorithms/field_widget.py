"""The form's widget for a class field whose parent may be a raster, or nothing any more.

QGIS's own widget for fields crashes when its parent parameter holds a raster layer, or a layer
that was removed (seen in 3.40.6); this one follows vector layers and is empty for all else.
"""

from collections.abc import Sequence

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
    QgsProcessingGui,
)
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QLineEdit, QWidget

_MODELER_DIALOG = "ModelerParametersDialog"


def following_field(field: QgsProcessingParameterField) -> QgsProcessingParameterField:
    """`field` with the widget of this module instead of QGIS's own."""
    field.setMetadata({"widget_wrapper": {"class": f"{__name__}.FieldWidget"}})
    return field


class FieldWidget(QgsAbstractProcessingParameterWidgetWrapper):
    """A list of the fields of the parent parameter's layer; a line of text in a model."""

    def __init__(
        self,
        definition: QgsProcessingParameterDefinition,
        dialog: QWidget | None = None,
        row: int = 0,
        col: int = 0,
    ) -> None:
        """QGIS's factory says which `dialog` the widget is for; `row` and `col` are its own."""
        super().__init__(definition, QgsProcessingGui.WidgetType.Standard)
        self._as_text = type(dialog).__name__ == _MODELER_DIALOG
        self._parent: QgsAbstractProcessingParameterWidgetWrapper | None = None
        self._layer: QgsVectorLayer | None = None
        self._context = QgsProcessingContext()

    def createWidget(self) -> QWidget:  # noqa: N802
        """The list, or the line of text."""
        if self._as_text:
            line = QLineEdit()
            line.textChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
            return line
        listed = QgsFieldComboBox()
        listed.setFilters(QgsFieldProxyModel.Filter.AllTypes)
        listed.setAllowEmptyFieldName(True)
        listed.fieldChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
        return listed

    def postInitialize(  # noqa: N802
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
        """The list of fields, None in a model.

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

    def setWidgetValue(self, value: object, context: QgsProcessingContext) -> None:  # noqa: N802
        """Choose the field named `value`."""
        text = "" if value is None else str(value)
        listed, line = self._list(), self.wrappedWidget()
        if listed is not None:
            listed.setField(text)
        elif line is not None:
            line.setText(text)

    def widgetValue(self) -> str | None:  # noqa: N802
        """The chosen field's name, None where nothing is chosen."""
        listed, line = self._list(), self.wrappedWidget()
        if listed is not None:
            return listed.currentField() or None
        return (line.text() or None) if line is not None else None
