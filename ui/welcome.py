"""The first page: what is missing, what would be installed, and how to get going."""

from collections.abc import Callable
from html import escape

from qgis.core import QgsProcessingAlgorithm
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QGroupBox, QLabel, QPushButton, QVBoxLayout, QWidget

from .remark import Remark
from .run import Run, RunQueue, State
from .run_view import RunView
from .words import spoken, tr


class WelcomePage(QWidget):
    """Explains the missing worker environment, and makes one with the tool for that."""

    ready = pyqtSignal()

    def __init__(self, queue: RunQueue, setup: Callable[[], QgsProcessingAlgorithm | None]) -> None:
        """`setup` gives a fresh copy of the tool that makes the environment, or None."""
        super().__init__()
        self._queue = queue
        self._setup = setup
        self._run: Run | None = None
        self._planned = False
        column = QVBoxLayout(self)
        column.addWidget(_text(f"<h3>{tr('Welcome to Terraweave')}</h3>"))
        column.addWidget(
            _text(
                tr(
                    "Terraweave computes in a process of its own, so that nothing is added to "
                    "QGIS's Python and a crash never costs your QGIS session. For that it needs a "
                    "worker environment, which is made once."
                )
            )
        )
        self.reason = Remark(problem=True)
        column.addWidget(self.reason)
        self.plan = _text(tr("Looking at what would be installed …"))
        box = QGroupBox(tr("What will be installed"))
        QVBoxLayout(box).addWidget(self.plan)
        column.addWidget(box)
        self.install = QPushButton(tr("Install"))
        self.install.clicked.connect(lambda: self._start({"ACTION": "install"}))
        column.addWidget(self.install)
        own = QGroupBox(tr("Or use an environment that is there already"))
        inside = QVBoxLayout(own)
        self.python = QgsFileWidget()
        self.python.setDialogTitle(tr("Python of the worker"))
        self.use = QPushButton(tr("Use this Python"))
        self.use.clicked.connect(self._use)
        inside.addWidget(self.python)
        inside.addWidget(self.use)
        column.addWidget(own)
        self.view = RunView()
        self.view.hide()
        self.view.cancel_wanted.connect(self._cancel)
        column.addWidget(self.view, 1)
        column.addStretch(0)
        queue.changed.connect(self._refresh)
        queue.ended.connect(self._ended)

    def explain(self, reason: str) -> None:
        """Say why there is no worker, and once look at what would be done about it."""
        self.reason.say(spoken(reason))
        if not self._planned:
            self._planned = True
            self._start({"ACTION": "plan"})

    def _start(self, values: dict[str, object]) -> None:
        algorithm = self._setup()
        if algorithm is None:
            self.plan.setText(tr("The tool that installs it is missing from the toolbox."))
            return
        defaults = {
            one.name(): one.defaultValue()
            for one in algorithm.parameterDefinitions()
            if one.defaultValue() is not None
        }
        self._run = Run(algorithm, {**defaults, **values}, algorithm.displayName())
        self.view.clear()
        self._queue.add(self._run)

    def _use(self) -> None:
        self._start({"ACTION": "use", "PYTHON": self.python.filePath()})

    def _cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()

    def _refresh(self) -> None:
        run = self._run
        if run is None:
            return
        planning = run.parameters.get("ACTION") == "plan"
        self.install.setEnabled(run.state.over)
        self.use.setEnabled(run.state.over)
        self.view.setVisible(not planning)
        self.view.show_story(
            run.title, run.state.value, run.story, running=not run.state.over, epochs=0
        )

    def _ended(self, run: Run) -> None:
        if run is not self._run:
            return
        if run.parameters.get("ACTION") == "plan":
            plan = spoken(str(run.results.get("PLAN", "")) or run.story.error)
            self.plan.setText("".join(f"<p>{escape(line)}</p>" for line in plan.splitlines()))
            self._queue.forget(run)
        elif run.state is State.DONE:
            self.ready.emit()


def _text(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
