"""Asks the worker what a run would take, a moment after the form has come to rest."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from qgis.core import QgsProcessing, QgsProcessingOutputLayerDefinition
from qgis.PyQt.QtCore import QEventLoop, QObject, QTimer, pyqtSignal

from .feedback import EstimateFeedback
from .form import ParameterForm
from .run import Run, RunQueue
from .steps import fresh_algorithm
from .words import spoken, tr

_WAIT_MILLISECONDS = 1200


class Asking(Enum):
    """How far a question has come."""

    NOTHING = "nothing"
    WAITING = "waiting"
    BUSY = "busy"
    ASKED = "asked"
    TOLD = "told"
    FAILED = "failed"


class Estimator(QObject):
    """One question at a time, about one form; a run goes before any question.

    `values` are what the worker said, `warnings` what it warned of, `problem` why it cannot tell.
    """

    changed = pyqtSignal()

    def __init__(self, form: ParameterForm, queue: RunQueue) -> None:
        """Knows nothing yet about `form`."""
        super().__init__(form)
        self._form = form
        self._queue = queue
        self._run: Run | None = None
        self._ending: list[Run] = []
        self._key = ""
        self._closed = False
        self.state = Asking.NOTHING
        self.values: Mapping[str, object] = {}
        self.warnings: list[str] = []
        self.problem = ""
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_WAIT_MILLISECONDS)
        self._later.timeout.connect(self.ask)
        queue.changed.connect(self._queue_changed)

    def follow(self) -> None:
        """Ask soon, if the form has other values than those last asked about."""
        if self._closed or not self._form.isVisible():
            return
        key = _key_of(self._form.values())
        if key == self._key and self.state is not Asking.NOTHING:
            return
        self._drop()
        self._key = key
        self._set(Asking.WAITING)
        self._later.start()

    def forget(self) -> None:
        """Ask nothing any more, and forget what was said."""
        self._later.stop()
        self._drop()
        self._key = ""
        if self.state is not Asking.NOTHING:
            self._set(Asking.NOTHING)

    def ask(self) -> None:
        """Ask now, unless a run needs the machine; then when it is over."""
        self._later.stop()
        self._drop()
        if self._queue.unfinished:
            self._set(Asking.BUSY)
            return
        algorithm = fresh_algorithm(self._form.algorithm.id())
        if algorithm is None:
            return
        values = self._form.values()
        self._key = _key_of(values)
        places = {name: path for name in values if (path := self._place(name, values[name]))}
        feedback = EstimateFeedback(places)
        values |= {name: QgsProcessing.TEMPORARY_OUTPUT for name in places}
        self._run = run = Run(algorithm, values, algorithm.displayName(), feedback)
        run.ended.connect(lambda: self._ended(run))
        self._set(Asking.ASKED)
        run.start()

    def close(self, milliseconds: int) -> None:
        """Never ask again, and wait until no worker is busy with it, but not for longer."""
        self._closed = True
        self.forget()
        if self._ending:
            loop = QEventLoop()
            for run in self._ending:
                run.ended.connect(loop.quit)
            QTimer.singleShot(milliseconds, loop.quit)
            loop.exec()

    def _place(self, name: str, value: object) -> str:
        """Where the output `name` is to be written, or empty where it is none or temporary."""
        if not self._form.fields[name].definition.isDestination():
            return ""
        if isinstance(value, QgsProcessingOutputLayerDefinition):
            value = value.sink.staticValue()
        text = value if isinstance(value, str) else ""
        return "" if text == QgsProcessing.TEMPORARY_OUTPUT else text

    def _drop(self) -> None:
        """Stop asking; the thread and its worker end by themselves a moment later."""
        run, self._run = self._run, None
        if run is not None and not run.state.over:
            self._ending.append(run)
            run.cancel()

    def _ended(self, run: Run) -> None:
        if run in self._ending:
            self._ending.remove(run)
        if run is not self._run:
            return
        told = run.feedback.estimate if isinstance(run.feedback, EstimateFeedback) else None
        self.warnings = [spoken(text) for kind, text in run.story.lines if kind == "warning"]
        self.values = told or {}
        why = run.story.error or tr("It was stopped.")
        self.problem = "" if told else spoken(why.splitlines()[0])
        self._run = None
        self._set(Asking.TOLD if told else Asking.FAILED)

    def _queue_changed(self) -> None:
        if self._queue.unfinished and self.state is Asking.ASKED:
            self._drop()
            self._set(Asking.BUSY)
        elif not self._queue.unfinished and self.state is Asking.BUSY:
            self._set(Asking.WAITING)
            self._later.start()

    def _set(self, state: Asking) -> None:
        if state not in (Asking.TOLD, Asking.FAILED):
            self.values, self.warnings, self.problem = {}, [], ""
        self.state = state
        self.changed.emit()


def _key_of(values: Mapping[str, Any]) -> str:
    """The values as a text that is the same for the same values."""
    plain = {
        name: value.toVariant() if hasattr(value, "toVariant") else value
        for name, value in values.items()
    }
    return repr(sorted(plain.items()))
