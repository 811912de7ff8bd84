"""The page of runs: the one that runs, those that wait, those that are over."""

from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt, QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from .remark import Remark
from .results import figures_of, outcome_of
from .resuming import stopped_model
from .run import Run, RunQueue, State
from .run_view import RunView
from .titles import titled
from .words import tr

_ROWS = 4
_FRAME = 3


class RunsPage(QWidget):
    """Follows a queue; its life is the panel's, while the queue's is the plugin's."""

    apply_wanted = pyqtSignal(str)
    show_wanted = pyqtSignal(object)

    def __init__(self, queue: RunQueue) -> None:
        """Shows what `queue` holds already."""
        super().__init__()
        self._queue = queue
        self.shown: Run | None = None
        column = QVBoxLayout(self)
        self.empty = QLabel(tr("Nothing has been run yet. Start with the first page."))
        self.empty.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Runs"))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(self._choose)
        self.view = RunView()
        self.view.cancel_wanted.connect(self._cancel)
        self._add_result_row()
        column.addWidget(self.empty)
        column.addWidget(self.list)
        column.addWidget(self.view, 1)
        queue.added.connect(self._added)
        queue.changed.connect(self.refresh)
        if queue.runs:
            self.shown = queue.current or queue.runs[-1]
        self.refresh()

    def _add_result_row(self) -> None:
        self.show_layer = QPushButton(tr("Show the map"))
        self.open_report = QPushButton(tr("Open the report"))
        self.apply_model = QPushButton(tr("Apply this model"))
        row = QHBoxLayout()
        for button in (self.show_layer, self.open_report, self.apply_model):
            row.addWidget(button)
        row.addStretch(1)
        self.show_layer.clicked.connect(lambda: self.show_wanted.emit(self.shown))
        self.open_report.clicked.connect(lambda: open_report(self.shown))
        self.apply_model.clicked.connect(self._apply)
        self.opacity_label = QLabel(tr("Opacity of the result"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(100)
        self.opacity.setAccessibleName(tr("Opacity of the result"))
        self.opacity.valueChanged.connect(self._set_opacity)
        self.opacity_label.setBuddy(self.opacity)
        # A model that is there although its training was stopped.
        self.stopped = Remark(problem=True)
        self.view.below.addWidget(self.stopped)
        self.view.below.addLayout(row)
        self.view.below.addWidget(self.opacity_label)
        self.view.below.addWidget(self.opacity)

    @property
    def unfinished(self) -> list[Run]:
        """The runs that are not over."""
        return self._queue.unfinished

    def refresh(self) -> None:
        """Show the queue and the chosen run as they are now."""
        runs = self._queue.runs
        if self.shown not in runs:
            self.shown = runs[-1] if runs else None
        self.empty.setVisible(not runs)
        self.list.setVisible(len(runs) > 1)
        self.view.setVisible(bool(runs))
        self._fill_list()
        if self.shown is not None:
            self._show(self.shown)

    def _fill_list(self) -> None:
        texts = [f"{tr(run.state.value)}: {run.title}" for run in self._queue.runs]
        if [self.list.item(row).text() for row in range(self.list.count())] != texts:
            self.list.blockSignals(True)
            self.list.clear()
            for text in texts:
                item = QListWidgetItem(text)
                item.setToolTip(text)
                self.list.addItem(item)
            self.list.blockSignals(False)
            rows = min(max(len(texts), 1), _ROWS)
            self.list.setFixedHeight(rows * self.list.sizeHintForRow(0) + 2 * _FRAME)
        if self.shown in self._queue.runs:
            self.list.blockSignals(True)
            self.list.setCurrentRow(self._queue.runs.index(self.shown))
            self.list.blockSignals(False)

    def _show(self, run: Run) -> None:
        epochs = run.parameters.get("EPOCHS", 0)
        self.view.titles = run.titles
        self.view.show_story(
            run.title,
            run.state.value,
            run.story,
            running=not run.state.over,
            epochs=int(epochs) if isinstance(epochs, int | float) else 0,
        )
        self.view.cancel.setEnabled(not run.stopping)
        self.view.show_figures(figures_of(run))
        done = run.state is State.DONE
        outcome = outcome_of(run.results)
        stopped = _told_of_stopped(run)
        self.stopped.say(titled(stopped, run.titles))
        layers = [one for one in run.layers if QgsProject.instance().mapLayer(one)]
        self.show_layer.setVisible(done and bool(layers))
        self.open_report.setVisible(done and bool(outcome.report))
        self.apply_model.setVisible(bool(stopped) or (done and bool(outcome.model)))
        self.opacity.setVisible(done and bool(layers))
        self.opacity_label.setVisible(done and bool(layers))

    def _added(self, run: Run) -> None:
        if self.shown is None or self.shown.state.over:
            self._change(run)
        self.refresh()

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self._queue.runs):
            self._change(self._queue.runs[row])
            self.refresh()

    def _change(self, run: Run) -> None:
        if run is not self.shown:
            self.shown = run
            self.view.clear()

    def _cancel(self) -> None:
        if self.shown is not None:
            self.shown.cancel()

    def _apply(self) -> None:
        if self.shown is not None:
            self.apply_wanted.emit(_model_of(self.shown))

    def _set_opacity(self, percent: int) -> None:
        for identifier in self.shown.layers if self.shown else ():
            layer = QgsProject.instance().mapLayer(identifier)
            if layer is not None:
                layer.setOpacity(percent / 100.0)
                layer.triggerRepaint()


def _model_of(run: Run) -> str:
    """The model file of a run; one that ended early has only what it was told to write."""
    return outcome_of(run.results if run.state is State.DONE else _written(run)).model


def _written(run: Run) -> dict[str, object]:
    """The files that a run was to write, by parameter."""
    destinations = run.algorithm.destinationParameterDefinitions()
    return {one.name(): run.parameters.get(one.name()) for one in destinations}


def _told_of_stopped(run: Run) -> str:
    """What is to be known of the model that a training left when it ended early, or ""."""
    early = run.state in (State.CANCELLED, State.FAILED)
    return stopped_model(_model_of(run)) if early else ""


def open_report(run: Run | None) -> None:
    """Open a run's report in the web browser."""
    if run is not None and outcome_of(run.results).report:
        QDesktopServices.openUrl(QUrl.fromLocalFile(outcome_of(run.results).report))
