"""One step of a family: its form, what was guessed for it, its model's card, its button."""

from collections.abc import Collection

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsSettings,
)
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QHideEvent, QShowEvent
from qgis.PyQt.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..core.family import Family
from .broken import broken_layers
from .card_view import CardView
from .estimate_view import EstimateView
from .estimator import Asking, Estimator
from .field import MODEL_SUFFIX, Field
from .form import ParameterForm
from .guesses import fill_guesses, model_field
from .labelling import Labelling
from .map_files import LAYER_DESTINATIONS, MapFiles
from .models import recent_models, remember_model, suggested_path
from .preferences import DEVICE_SETTING
from .remark import Remark
from .resuming import GoingOn, has_kept
from .run import Run, RunQueue
from .steps import Step
from .tab_order import order_tabs
from .wheel import WheelGuard
from .words import spoken, tr


class StepPage(QWidget):
    """Asks for a run of its tool with the values of its form."""

    run_wanted = pyqtSignal(object)

    def __init__(
        self,
        step: Step,
        family: Family,
        algorithm: QgsProcessingAlgorithm,
        iface: QgisInterface,
        queue: RunQueue,
    ) -> None:
        """`algorithm` must be the page's own copy; estimates give way to the runs in `queue`."""
        super().__init__()
        self.step = step
        self.family = family
        self._iface = iface
        # Nothing is guessed before somebody looks.
        self._stale = True
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.freshen)
        self.form = ParameterForm(algorithm, iface)
        self.card = CardView(self)
        self.estimate = EstimateView(self)
        self.estimator = Estimator(self.form, queue)
        self.estimator.changed.connect(self._show_estimate)
        self.estimate.wanted.connect(self.estimator.ask)
        self._lay_out()
        self._guard = WheelGuard(self.form)
        self._add_model_tools()
        # The files of a training that was stopped, by parameter, until one goes on with them.
        self._kept: dict[str, str] = {}
        self.going_on = GoingOn()
        self._add_going_on()
        self.maps = MapFiles(self.form, family.reference_role.key)
        # The files that other runs will write.
        self._taken: Collection[str] = ()
        self.kept_where = Remark()
        self.form.results.layout().insertWidget(0, self.kept_where)
        self._suggest_files()
        self.form.checked.connect(self._suggest_maps)
        self.form.checked.connect(self._say_state)
        self.labelling = self._make_labelling()
        order_tabs(self)

    @property
    def title(self) -> str:
        """What a run of this page is called."""
        return f"{tr(self.family.title)}: {tr(self.step.title)}"

    def guess(self) -> None:
        """Fill in layers by role, except where the user has chosen one herself."""
        self._stale = False
        selected = self._iface.layerTreeView().selectedLayers() if self._tree() else []
        fill_guesses(self.form, self.family, self.step, selected)
        self._show_card()
        self.form.check()

    def guess_when_seen(self) -> None:
        """Guess anew, but not before somebody looks: every form takes its time."""
        self._stale = True
        if self.isVisible():
            self.guess()

    def freshen(self) -> None:
        """Guess anew where that was put off."""
        if self._stale:
            self.guess()

    def show_model(self, path: str) -> None:
        """Fill in a model file where the step takes one."""
        field = self._model_field()
        if field is not None:
            self.form.fill(field.name, path)
            self._show_card()
            self.form.check()

    def run(self) -> None:
        """Ask for the run, if nothing speaks against it."""
        if self.form.check():
            field = self._model_field()
            remember_model(str(field.value()) if field is not None and not field.empty else "")
            self.run_wanted.emit(self)

    @property
    def claimed_file(self) -> str:
        """The file that no other run may write meanwhile, or an empty text."""
        return self.model_path or self.maps.first

    @property
    def model_path(self) -> str:
        """The model file that a run writes, or an empty text."""
        field = self._written_model()
        value = field.value() if field is not None else ""
        return value if isinstance(value, str) and value.endswith(MODEL_SUFFIX) else ""

    def renew_files(self, taken: Collection[str]) -> None:
        """Suggest other files for the next run than those that are there or `taken`."""
        self._taken = taken
        self._suggest_files(taken)
        self._suggest_maps()
        self._look_for_stopped()

    def _look_for_stopped(self) -> None:
        """Say whether the next training goes on with one that was stopped."""
        self.going_on.look_at(self.model_path)
        self._say_state()

    def begun(self) -> None:
        """A run of this page is on its way; the next one writes other files."""
        self._kept = {}

    def ended_early(self, run: Run) -> None:
        """Keep the files of a training that was stopped, so that the next one goes on."""
        field = self._written_model()
        model = run.parameters.get(field.name) if field is not None else None
        if isinstance(model, str) and has_kept(model):
            self._kept = {
                name: value
                for name, value in run.parameters.items()
                if name in self._written_files() and isinstance(value, str)
            }

    def start_anew(self) -> None:
        """Suggest other files than those of a training that was stopped."""
        self._kept = {}
        for name in self._written_files():
            self.form.fields[name].touched = False
        self._suggest_files()
        self._look_for_stopped()

    def _written_files(self) -> list[str]:
        """The parameters that name the files of a training: its model and its report."""
        return [
            name
            for name, field in self.form.fields.items()
            if isinstance(field.definition, QgsProcessingParameterFileDestination)
            and f".{field.definition.defaultFileExtension()}" in (MODEL_SUFFIX, ".html")
        ]

    def _written_model(self) -> Field | None:
        """The field for the model file that a run writes."""
        fields = (self.form.fields[name] for name in self._written_files())
        suffix = MODEL_SUFFIX.removeprefix(".")
        return next((f for f in fields if f.definition.defaultFileExtension() == suffix), None)

    def _add_going_on(self) -> None:
        field = self._written_model()
        if field is not None:
            field.add_below(self.going_on)
            field.changed.connect(lambda: self.going_on.look_at(self.model_path))
            self.going_on.anew_wanted.connect(self.start_anew)

    def _tree(self) -> bool:
        return getattr(self._iface, "layerTreeView", None) is not None and bool(
            self._iface.layerTreeView()
        )

    def _suggest_files(self, taken: Collection[str] = ()) -> None:
        """Name the files that would else be temporary and lost tomorrow."""
        for name in self._written_files():
            field = self.form.fields[name]
            if not field.touched:
                suffix = f".{field.definition.defaultFileExtension()}"
                path = suggested_path(self.family, self.step.tool, suffix, taken)
                self.form.fill(name, self._kept.get(name, path))
        self._want_layers()
        device = str(QgsSettings().value(DEVICE_SETTING, "") or "")
        if device:
            self.form.fill("DEVICE", device)

    def _suggest_maps(self) -> None:
        """Name the layers of a map, and say where they are kept."""
        if self.step.maps:
            field = self._model_field()
            model = "" if field is None or field.empty else str(field.value())
            self.maps.suggest(model, self._taken)
            self.kept_where.say(self.maps.words())

    def _want_layers(self) -> None:
        """Have all layers of a map of one class made: outlines, probability, backdrop.

        Such a map is looked at as outlines on what the model saw; of a map of many classes the
        raster alone tells all.
        """
        if not (self.step.maps and self.family.binary):
            return
        for field in self.form.fields.values():
            layer = isinstance(field.definition, LAYER_DESTINATIONS)
            if layer and not field.required and field.empty and not field.touched:
                self.form.fill(field.name, QgsProcessing.TEMPORARY_OUTPUT)

    def _make_labelling(self) -> Labelling | None:
        """Help with labels, where the step learns from some."""
        if not any(one.name in _LEARNING for one in self.form.fields.values()):
            return None
        for field in self.form.fields.values():
            if isinstance(field.definition, QgsProcessingParameterField):
                labels = self.form.fields.get(field.definition.parentLayerParameterName())
                if labels is not None:
                    return Labelling(self.form, self.family, self._iface, labels, field)
        return None

    def _model_field(self) -> Field | None:
        return model_field(self.form)

    def _add_model_tools(self) -> None:
        field = self._model_field()
        if field is None:
            return
        button = QToolButton()
        button.setText(tr("Recent models"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.aboutToShow.connect(lambda: self._fill_menu(menu))
        button.setMenu(menu)
        field.add_below(button)
        field.add_below(self.card)
        field.changed.connect(self._show_card)

    def _fill_menu(self, menu: QMenu) -> None:
        menu.clear()
        for path in recent_models():
            menu.addAction(path, lambda checked=False, path=path: self.show_model(path))
        if menu.isEmpty():
            menu.addAction(tr("No model was used yet")).setEnabled(False)

    def _show_card(self) -> None:
        field = self._model_field()
        if field is not None:
            self.card.show_file("" if field.empty else str(field.value()))

    def _say_state(self) -> None:
        form = self.form
        if form.missing:
            # A layer whose file is gone is offered by no field, and nobody would know why.
            why = [spoken(one) for one in broken_layers()[:_MOST_BROKEN]]
            needed = f"{tr('Still needed')}: {', '.join(form.missing)}"
            self.state.say("\n".join([needed, *why]))
        elif form.problem:
            beside = form.problem_is_beside_a_field
            self.state.say(
                tr("One field does not fit yet; see above.")
                if beside
                else form.titled(form.problem)
            )
        else:
            # The words below the file may be scrolled out of sight.
            stopped = not self.going_on.isHidden()
            self.state.say(tr("Goes on with the stopped training; see Results.") if stopped else "")
        self.button.setEnabled(not form.missing and not form.problem)
        if self.step.estimated and self.button.isEnabled():
            self.estimator.follow()
        else:
            self.estimator.forget()

    def _show_estimate(self) -> None:
        asked = self.estimator
        about_none = self.form.say_beside([*asked.warnings, *filter(None, [asked.problem])])
        if asked.state is Asking.TOLD:
            self.estimate.show_estimate(asked.values)
        elif asked.state is Asking.FAILED:
            words = " ".join(about_none) or tr("Something does not fit; see the fields above.")
            self.estimate.show_words(f"{tr('No estimate')}: {words}")
        elif asked.state is Asking.NOTHING:
            self.estimate.show_nothing()
        elif asked.state is Asking.BUSY:
            self.estimate.show_words(tr("The estimate comes when the run is over."))
        else:
            self.estimate.show_words(tr("Estimating …"))

    def showEvent(self, event: QShowEvent | None) -> None:
        """The page has come to the front."""
        super().showEvent(event)
        self._soon.start()
        self._say_state()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Nobody looks; what was not told by now need not be asked."""
        super().hideEvent(event)
        if self.estimator.state is not Asking.TOLD:
            self.estimator.forget()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        intro = QLabel(tr(self.step.intro))
        intro.setWordWrap(True)
        guess = QToolButton()
        guess.setText(tr("Fill in from selected layers"))
        guess.setToolTip(
            tr("Guess again which layer plays which role, from bands, resolution and name.")
        )
        guess.clicked.connect(self._guess_anew)
        inner = QWidget()
        inside = QVBoxLayout(inner)
        inside.setContentsMargins(2, 0, 8, 0)
        inside.addWidget(intro)
        inside.addWidget(guess)
        inside.addWidget(self.form, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        area.setWidget(inner)
        self.state = Remark()
        self.button = QPushButton(tr(self.step.button))
        self.button.setDefault(True)
        self.button.clicked.connect(self.run)
        row = QHBoxLayout()
        row.addWidget(self.state, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)
        column.addWidget(area, 1)
        column.addWidget(self.estimate)
        column.addLayout(row)

    def _guess_anew(self) -> None:
        for field in self.form.fields.values():
            if field.definition.type() in _LAYER_TYPES:
                field.touched = False
        self.guess()


_MOST_BROKEN = 3
# A step with one of these learns, so that labels may have to be drawn for it.
_LEARNING = ("EPOCHS",)
_LAYER_TYPES = ("multilayer", "raster", "layer", "source", "vector", "field")
