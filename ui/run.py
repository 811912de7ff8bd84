"""Runs of tools, one after the other, that outlive the panel's windows."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProject,
    QgsTask,
)
from qgis.PyQt.QtCore import QEventLoop, QObject, QTimer, pyqtSignal

from .feedback import RunFeedback
from .story import Story
from .titles import titles_of
from .words import tr

_LOOK_MILLISECONDS = 150


class State(Enum):
    """Where a run is."""

    WAITING = "Waiting"
    RUNNING = "Running"
    DONE = "Finished"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in {State.DONE, State.FAILED, State.CANCELLED}


class Run(QObject):
    """One run of one tool: what QGIS needs for it, and what it has said.

    The tool looks at its layers here and now; so what runs later is what was seen when the user
    pressed the button. Algorithm, context, feedback and task have to stay alive as long as the
    task: QGIS keeps bare pointers.
    """

    changed = pyqtSignal()
    ended = pyqtSignal()

    def __init__(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Mapping[str, Any],
        title: str,
        feedback: RunFeedback | None = None,
    ) -> None:
        """`title` is what a person would call this run; with `feedback` it is an estimate."""
        super().__init__()
        self.title = title
        self.algorithm = algorithm
        self.titles = titles_of(algorithm)
        self.parameters = dict(parameters)
        self.story = Story()
        self.state = State.WAITING
        self.results: dict[str, Any] = {}
        self.layers: list[str] = []
        self.feedback = feedback or RunFeedback()
        self.context = QgsProcessingContext()
        self.context.setProject(QgsProject.instance())
        self.context.setFeedback(self.feedback)
        hidden = QgsTask.Flag.Hidden if feedback else QgsTask.Flag(0)
        self._task: QgsProcessingAlgRunnerTask | None = QgsProcessingAlgRunnerTask(
            algorithm,
            self.parameters,
            self.context,
            self.feedback,
            # The panel has a note of its own for the end of a run.
            QgsTask.Flag.CanCancel | QgsTask.Flag.Silent | hidden,
        )
        self._task.executed.connect(self._executed)
        self.refused = self._task.isCanceled()

    def start(self) -> None:
        """Hand the run to QGIS's task manager, or end it where its preparation was refused."""
        if self.refused or self._task is None:
            self._end(State.FAILED)
            return
        self.state = State.RUNNING
        self.changed.emit()
        QgsApplication.taskManager().addTask(self._task)

    def cancel(self) -> None:
        """Ask the run to stop; it ends when the worker has."""
        if self.state is State.WAITING:
            self._end(State.CANCELLED)
        elif self.state is State.RUNNING and self._task is not None:
            self.feedback.cancel()
            self._task.cancel()
            self.story.stage = "Stopping"
            self.changed.emit()

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for and has not happened yet."""
        return self.state is State.RUNNING and self.feedback.isCanceled()

    def look(self) -> None:
        """Take in what the run has said since the last look."""
        if self.feedback.tell(self.story):
            self.changed.emit()

    def _executed(self, successful: bool, results: dict[str, Any]) -> None:
        self.results = dict(results) if successful else {}
        if successful:
            self._end(State.DONE)
        else:
            self._end(State.CANCELLED if self.feedback.isCanceled() else State.FAILED)

    def _end(self, state: State) -> None:
        self.state = state
        # QGIS deletes a task that is over; touching it then would crash.
        self._task = None
        self.feedback.tell(self.story)
        self.story.seconds_left = None
        if state is State.DONE:
            self.story.fraction = 1.0
        if state is State.FAILED and not self.story.error:
            self.story.error = tr("The run failed and did not say why; its log may tell more.")
        self.changed.emit()
        self.ended.emit()


class RunQueue(QObject):
    """Runs that wait, the one that runs, and those that are over; one runs at a time."""

    added = pyqtSignal(object)
    ended = pyqtSignal(object)
    changed = pyqtSignal()

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.runs: list[Run] = []
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)

    @property
    def current(self) -> Run | None:
        """The run that is running."""
        return next((run for run in self.runs if run.state is State.RUNNING), None)

    @property
    def unfinished(self) -> list[Run]:
        """The run that is running and those that wait."""
        return [run for run in self.runs if not run.state.over]

    def add(self, run: Run) -> None:
        """Run `run` when those before it are over."""
        self.runs.append(run)
        run.ended.connect(lambda: self._ended(run))
        run.changed.connect(self.changed)
        self.added.emit(run)
        self._next()

    def forget(self, run: Run) -> None:
        """Take a run that is over off the list."""
        if run.state.over and run in self.runs:
            self.runs.remove(run)
            self.changed.emit()

    def close(self, milliseconds: int) -> None:
        """Cancel everything, and wait until the workers are gone, but not longer than this."""
        for run in reversed(self.unfinished):
            run.cancel()
        if self.current is not None:
            loop = QEventLoop()
            self.ended.connect(loop.quit)
            QTimer.singleShot(milliseconds, loop.quit)
            loop.exec()
        self._timer.stop()

    def _next(self) -> None:
        waiting = [run for run in self.runs if run.state is State.WAITING]
        if self.current is None and waiting:
            self._timer.start()
            waiting[0].start()

    def _ended(self, run: Run) -> None:
        self.ended.emit(run)
        # Later, so that a long list of refused runs does not nest.
        QTimer.singleShot(0, self._next)
        if not self.unfinished:
            self._timer.stop()

    def _look(self) -> None:
        if self.current is not None:
            self.current.look()
