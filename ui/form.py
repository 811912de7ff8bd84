"""A tool's form made of QGIS's own parameter widgets, essentials first."""

import re
from collections.abc import Sequence
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterField,
    QgsProcessingParameterMapLayer,
    QgsProject,
)
from qgis.gui import (
    QgisInterface,
    QgsCollapsibleGroupBox,
    QgsGui,
    QgsProcessingContextGenerator,
    QgsProcessingGui,
    QgsProcessingParameterWidgetContext,
)
from qgis.PyQt.QtCore import QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QVBoxLayout, QWidget

from .field import Field
from .titles import titled, titles_of
from .words import tr

_CHECK_MILLISECONDS = 250


class _Context(QgsProcessingContextGenerator):
    """Hands the form's context to the widgets that ask for one."""

    def __init__(self, context: QgsProcessingContext) -> None:
        super().__init__()
        self._context = context

    def processingContext(self) -> QgsProcessingContext:
        """The one context of the form."""
        return self._context


class ParameterForm(QWidget):
    """The fields of one tool; checks itself a moment after every change."""

    checked = pyqtSignal()

    def __init__(self, algorithm: QgsProcessingAlgorithm, iface: QgisInterface) -> None:
        """`algorithm` must be the form's own copy."""
        super().__init__()
        self.algorithm = algorithm
        self.missing: list[str] = []
        self.problem = ""
        self._context = QgsProcessingContext()
        self._context.setProject(QgsProject.instance())
        self._titles = titles_of(algorithm)
        # QGIS keeps bare pointers to both.
        self._generator = _Context(self._context)
        self._widget_context = _widget_context(iface)
        self.fields = {
            definition.name(): self._field(definition)
            for definition in algorithm.parameterDefinitions()
            if not definition.flags() & Qgis.ProcessingParameterFlag.Hidden
        }
        self._lay_out()
        self._connect_fields()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_CHECK_MILLISECONDS)
        self._later.timeout.connect(self.check)

    def values(self) -> dict[str, Any]:
        """The value of every field, as a tool's run takes them."""
        return {name: _loaded(field) for name, field in self.fields.items()}

    def fill(self, name: str, value: Any, guess: str = "") -> None:  # noqa: ANN401 - any type
        """Set a field where the form has it."""
        if name in self.fields:
            self.fields[name].fill(value, guess)
            self._later.start()

    def check(self) -> bool:
        """Say beside the fields what does not fit; whether the tool could run.

        Fields that simply are not filled in yet are no reproach; they are kept in `missing`.
        """
        self._later.stop()
        self.missing = [
            tr(field.definition.description())
            for field in self.fields.values()
            if field.required and not field.definition.isDestination() and field.empty
        ]
        self.problem = "" if self.missing else self._refusal()
        beside = self._field_of(self.problem)
        for name, field in self.fields.items():
            field.problem.say(self.titled(self.problem) if name == beside else "")
        self.checked.emit()
        return not self.missing and not self.problem

    def say_beside(self, sentences: Sequence[str]) -> list[str]:
        """Put each sentence beside the field that it is about; those about none come back."""
        beside: dict[str, list[str]] = {}
        for sentence in sentences:
            beside.setdefault(self._field_of(sentence), []).append(sentence)
        for name, field in self.fields.items():
            field.notice.say(self.titled("\n".join(beside.get(name, []))))
        return [self.titled(one) for one in beside.get("", [])]

    def titled(self, sentence: str) -> str:
        """A sentence with the titles of fields in the places of their ids."""
        return titled(sentence, self._titles)

    @property
    def problem_is_beside_a_field(self) -> bool:
        """Whether the sentence stands where it belongs, so that it need not be repeated."""
        return bool(self._field_of(self.problem))

    def _refusal(self) -> str:
        fits, sentence = self.algorithm.checkParameterValues(self.values(), self._context)
        return "" if fits else str(sentence)

    def _field_of(self, sentence: str) -> str:
        """The first field that a sentence names by its id, else by a layer's or file's name."""
        places = {
            name: found.start()
            for name in self.fields
            if (found := re.search(rf"\b{re.escape(name)}\b", sentence))
        }
        if places:
            return min(places, key=lambda name: places[name])
        for quoted in ("“{}”", "{}"):
            for name, field in self.fields.items():
                if any(quoted.format(layer.name()) in sentence for layer in field.layers()):
                    return name
        models = (name for name, field in self.fields.items() if field.takes_model)
        return next((name for name in models if "model" in sentence.lower()), "")

    def _field(self, definition: Any) -> Field:  # noqa: ANN401 - sip types have no stubs
        wrapper = QgsGui.processingGuiRegistry().createParameterWidgetWrapper(
            definition, QgsProcessingGui.WidgetType.Standard
        )
        wrapper.setWidgetContext(self._widget_context)
        wrapper.registerProcessingContextGenerator(self._generator)
        field = Field(wrapper, self._context)
        field.changed.connect(lambda: self._later.start())
        return field

    def _connect_fields(self) -> None:
        """Let fields follow their layers.

        QGIS 3.40 crashes when a field parameter's parent may be any map layer and a raster is
        chosen in it; such fields follow their parent here and not by QGIS's own connection.
        """
        wrappers = [field.wrapper for field in self.fields.values()]
        for field in self.fields.values():
            parent = self._any_layer_parent(field)
            others = [one for one in wrappers if parent is None or one is not parent.wrapper]
            field.wrapper.postInitialize(others)
            if parent is not None:
                parent.changed.connect(lambda field=field, parent=parent: field.follow(parent))
                field.follow(parent)

    def _any_layer_parent(self, field: Field) -> Field | None:
        if not isinstance(field.definition, QgsProcessingParameterField):
            return None
        parent = self.fields.get(field.definition.parentLayerParameterName())
        kind = parent.definition.type() if parent is not None else ""
        return parent if kind == QgsProcessingParameterMapLayer.typeName() else None

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.advanced = QgsCollapsibleGroupBox(tr("Advanced"))
        self.advanced.setCollapsed(True)
        self.results = QgsCollapsibleGroupBox(tr("Results"))
        folded, results = QVBoxLayout(self.advanced), QVBoxLayout(self.results)
        for field in self.fields.values():
            if field.advanced:
                folded.addWidget(field)
            elif field.definition.isDestination():
                results.addWidget(field)
            else:
                column.addWidget(field)
        for box, inner in ((self.results, results), (self.advanced, folded)):
            inner.setSpacing(8)
            column.addWidget(box)
            if not inner.count():
                box.hide()
        column.addStretch(1)


def _loaded(field: Field) -> Any:  # noqa: ANN401 - whatever the parameter's type takes
    """A field's value; a layer that is to be opened afterwards says so."""
    value = field.value()
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        wanted = field.wrapper.customProperties().get("OPEN_AFTER_RUNNING")
        value.destinationProject = QgsProject.instance() if wanted else None
    return value


def _widget_context(iface: QgisInterface) -> QgsProcessingParameterWidgetContext:
    made = QgsProcessingParameterWidgetContext()
    made.setProject(QgsProject.instance())
    made.setMapCanvas(iface.mapCanvas())
    made.setMessageBar(iface.messageBar())
    return made
