"""The panel's place in QGIS: dock, toolbar icon, menu, options page, and the runs behind them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import Qgis, QgsApplication, QgsProject, QgsRasterLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, Qt, QTimer, QUrl
from qgis.PyQt.QtGui import QDesktopServices, QIcon
from qgis.PyQt.QtWidgets import QAction, QPushButton

from ..core.families import FAMILIES
from ..core.family import Family
from .dock import Dock
from .map_files import destination_file
from .models import Claims, remember_model, sample_folder
from .options import OptionsFactory
from .results import loading, outcome_of
from .run import Run, RunQueue, State
from .runs_page import open_report
from .steps import fresh_algorithm
from .words import spoken, tr, use_language

if TYPE_CHECKING:
    from .step_page import StepPage

ROOT = Path(__file__).resolve().parents[1]
_ICON = ROOT / "resources" / "icons" / "terraweave.svg"
_HELP = ROOT / "resources" / "help"
_MENU = "Terraweave"
# A worker that is asked to stop gets five seconds; then it is ended.
_CLOSE_MILLISECONDS = 8000
_LOADED = object()
# Once for what is in the form, once for what is suggested instead.
_TRIES = 2
_SMALL_SAMPLE = 128
_SAMPLE_WINDOWS = 3


class Panel(QObject):
    """Everything that the desktop gets beside the toolbox; `close` takes all of it away."""

    def __init__(
        self,
        iface: QgisInterface,
        provider: str,
        python_setting: str,
        families: Mapping[str, Family] = FAMILIES,
    ) -> None:
        """`provider` is the id of the tools, `python_setting` where the worker's Python is kept."""
        super().__init__()
        use_language(QgsApplication.locale())
        self._iface = iface
        self._provider = provider
        # Rows and columns of a sample scene; 0 for as many as the family needs to learn from it.
        self.sample_size = 0
        self.queue = RunQueue()
        self.queue.ended.connect(self._ended)
        self._claims = Claims()
        self.dock = Dock(iface, provider, families, self.queue)
        self.dock.run_wanted.connect(self._run_page)
        self.dock.sample_wanted.connect(self._run_sample)
        self.dock.help_wanted.connect(self._show_help)
        self.dock.show_wanted.connect(self._show_layers)
        self.dock.refused_file.connect(self._warn)
        self.action = QAction(QIcon(str(_ICON)), "Terraweave", iface.mainWindow())
        self.action.setObjectName("TerraweaveAction")
        self.dock.setToggleVisibilityAction(self.action)
        self._options = OptionsFactory(QIcon(str(_ICON)), python_setting)
        # Layers come one by one; the guess waits until all are there.
        self._guess_later = QTimer(self)
        self._guess_later.setSingleShot(True)
        self._guess_later.setInterval(0)
        self._guess_later.timeout.connect(self.dock.layers_changed)
        # Layers of runs are loaded one in a turn of the event loop, so that QGIS never waits long.
        self._loading: list[tuple[Run, Iterator[None]]] = []
        self._load_later = QTimer(self)
        self._load_later.setInterval(0)
        self._load_later.timeout.connect(self._load)
        # At the start of QGIS the dock may be visible at once; forms wait until QGIS is there.
        self._fill_later = QTimer(self)
        self._fill_later.setSingleShot(True)
        self._fill_later.setInterval(0)
        self._fill_later.timeout.connect(self.dock.refresh)
        self._attach()

    def _attach(self) -> None:
        self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self._iface.addToolBarIcon(self.action)
        self._iface.addPluginToMenu(_MENU, self.action)
        self._iface.registerOptionsWidgetFactory(self._options)
        self.dock.visibilityChanged.connect(self._opened)
        QgsProject.instance().layersAdded.connect(self._layers_added)
        for signal in self._moves:
            signal.connect(self._moved)

    @property
    def _moves(self) -> tuple:
        """What tells that the project may be in another folder; a signal of it is not enough."""
        project = QgsProject.instance()
        return project.projectSaved, project.readProject, project.cleared, project.homePathChanged

    def close(self) -> None:
        """End the runs and take everything out of QGIS."""
        QgsProject.instance().layersAdded.disconnect(self._layers_added)
        for signal in self._moves:
            signal.disconnect(self._moved)
        self._guess_later.stop()
        self._fill_later.stop()
        self._load_later.stop()
        self.queue.ended.disconnect(self._ended)
        self.queue.close(_CLOSE_MILLISECONDS)
        self.dock.stop_asking(_CLOSE_MILLISECONDS)
        self._iface.unregisterOptionsWidgetFactory(self._options)
        self._iface.removePluginMenu(_MENU, self.action)
        self._iface.removeToolBarIcon(self.action)
        self._iface.removeDockWidget(self.dock)
        self.dock.deleteLater()
        self.action.deleteLater()

    def _layers_added(self) -> None:
        self._guess_later.start()

    def _moved(self, *_: object) -> None:
        """The project has another folder, beside which files are suggested."""
        self.dock.renew_files(self._named_files())

    def _opened(self, visible: bool) -> None:
        if visible:
            self._fill_later.start()

    def _run_page(self, page: "StepPage") -> None:
        # Another window may have begun to write the file that was suggested here.
        for _ in range(_TRIES):
            written = page.claimed_file
            if not written or self._claims.take(written):
                break
            page.renew_files(self._named_files())
        else:
            text = tr("“{}” is being written by another run; choose another file for the model.")
            self._warn(text.format(written))
            return
        run = Run(fresh_algorithm(page.form.algorithm.id()), page.form.values(), page.title)
        run.ended.connect(lambda: self._release(run, written, page))
        page.begun()
        self.queue.add(run)
        self.dock.renew_files(self._named_files())
        self.dock.show_runs()

    def _release(self, run: Run, written: str, page: "StepPage") -> None:
        """The run writes no more; a training that was stopped may go on in its files."""
        self._claims.release(written)
        if run.state is not State.DONE:
            page.ended_early(run)
        page.renew_files(self._named_files())

    def _named_files(self) -> set[str]:
        """The files and folders that the runs to come write, among other words."""
        runs = self.queue.unfinished
        values = (one for run in runs for one in run.parameters.values())
        return {path for one in values if (path := destination_file(one))}

    def _run_sample(self, family: Family) -> None:
        algorithm = fresh_algorithm(f"{self._provider}:samplescene")
        if algorithm is None:
            self._warn(tr("The tool that makes sample scenes is missing from the toolbox."))
            return
        try:
            folder = sample_folder(family)
        except OSError as error:
            self._warn(tr("There is no folder for a sample scene: {}").format(error))
            return
        values = {
            one.name(): one.defaultValue()
            for one in algorithm.parameterDefinitions()
            if not one.isDestination()
        }
        values |= {
            "FAMILY": family.key,
            "SIZE": self.sample_size or _sample_size(family),
            "FOLDER": folder,
        }
        self.queue.add(Run(algorithm, values, f"{tr('Sample scene')}: {tr(family.title)}"))
        self.dock.show_runs()

    def _ended(self, run: Run) -> None:
        if run.state is State.DONE:
            self._loading.append((run, loading(run)))
            self._load_later.start()
        elif run.state is State.FAILED:
            self._warn(spoken(run.story.error.splitlines()[0]))

    def _load(self) -> None:
        """Load one layer of those that runs have made; the next one in the next turn."""
        if not self._loading:
            self._load_later.stop()
            return
        run, steps = self._loading[0]
        if next(steps, _LOADED) is not _LOADED:
            return
        self._loading.pop(0)
        self.dock.runs.refresh()
        if outcome_of(run.results).model:
            remember_model(outcome_of(run.results).model)
            self._guess_later.start()
        if run.layers or outcome_of(run.results).report:
            self._note(run)

    def _note(self, run: Run) -> None:
        """A message-bar note that opens layer and report."""
        bar = self._iface.messageBar()
        note = bar.createMessage(run.title, tr(run.state.value))
        actions = (
            (tr("Show the map"), bool(run.layers), lambda: self._show_layers(run)),
            (tr("Open the report"), bool(outcome_of(run.results).report), lambda: open_report(run)),
        )
        for text, wanted, action in actions:
            if wanted:
                button = QPushButton(text)
                button.clicked.connect(action)
                note.layout().addWidget(button)
        bar.pushWidget(note, Qgis.MessageLevel.Success)

    def _show_layers(self, run: Run) -> None:
        project = QgsProject.instance()
        layers = [layer for one in run.layers if (layer := project.mapLayer(one)) is not None]
        # Outlines may be few or none; a raster is as large as its scene.
        layers.sort(key=lambda layer: not isinstance(layer, QgsRasterLayer))
        if layers:
            self._iface.setActiveLayer(layers[0])
            self._iface.zoomToActiveLayer()

    def _show_help(self) -> None:
        page = _HELP / "index.html"
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))

    def _warn(self, text: str) -> None:
        self._iface.messageBar().pushMessage("Terraweave", text, Qgis.MessageLevel.Warning)


def _sample_size(family: Family) -> int:
    """Rows and columns of a sample scene: three windows, so that some can be held out."""
    defaults = (one.default for one in family.train_settings if one.key == "window")
    windows = [one for one in defaults if isinstance(one, int)]
    return max([_SMALL_SAMPLE, *(_SAMPLE_WINDOWS * one for one in windows)])
