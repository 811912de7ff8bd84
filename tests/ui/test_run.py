"""Runs and their queue, with a tool that does what the test says."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtCore import QEventLoop, QTimer
from terraweave.ui.feedback import RunFeedback
from terraweave.ui.run import Run, RunQueue, State
from terraweave.ui.story import Story

order: list[str] = []


class Pretend(QgsProcessingAlgorithm):
    """Says some words; ends as its parameter HOW says."""

    def createInstance(self) -> "Pretend":
        return Pretend()

    def name(self) -> str:
        return "pretend"

    def displayName(self) -> str:
        return "Pretend"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.addParameter(QgsProcessingParameterString("HOW", "How"))

    def prepareAlgorithm(self, parameters: dict, context: object, feedback: RunFeedback) -> bool:
        if parameters["HOW"] == "refused":
            raise QgsProcessingException("The scene has no bands.")
        return True

    def processAlgorithm(self, parameters: dict, context: object, feedback: RunFeedback) -> dict:
        how = parameters["HOW"]
        order.append(how)
        feedback.listen({"event": "progress", "stage": "Weaving", "seconds_left": 5})
        feedback.listen({"event": "epoch", "epoch": 1, "loss": 0.5})
        feedback.setProgress(40)
        feedback.pushWarning("Careful.")
        if how == "fails":
            raise QgsProcessingException("The disk is full.")
        if how == "waits":
            while not feedback.isCanceled():
                feedback.setProgress(50)
            raise QgsProcessingException("The run was cancelled.")
        return {"MODEL": "x.safetensors"}


@pytest.fixture
def queue(qgis_app: QgsApplication) -> Iterator[RunQueue]:
    """An empty queue."""
    order.clear()
    made = RunQueue()
    yield made
    made.close(5000)


def until(condition: Callable[[], bool], milliseconds: int = 20000) -> None:
    """Let QGIS go on until the condition holds."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(5)
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    timer.stop()
    assert condition()


def run_of(how: str) -> Run:
    """A run of the pretended tool."""
    algorithm = Pretend().create()
    return Run(algorithm, {"HOW": how}, how)


def test_a_run_tells_its_story(queue: RunQueue) -> None:
    run = run_of("works")
    queue.add(run)
    until(lambda: run.state.over)
    assert run.state is State.DONE, run.story.error
    assert run.results["MODEL"] == "x.safetensors"
    assert run.story.stage == "Weaving"
    assert run.story.epochs == [{"event": "epoch", "epoch": 1, "loss": 0.5}]
    assert ("warning", "Careful.") in run.story.lines
    assert run.story.fraction == 1.0


def test_a_failure_ends_with_its_sentence(queue: RunQueue) -> None:
    run = run_of("fails")
    queue.add(run)
    until(lambda: run.state.over)
    assert run.state is State.FAILED
    assert run.story.error == "The disk is full."
    assert run.results == {}


def test_a_refusal_before_work_is_a_failure_with_its_sentence(queue: RunQueue) -> None:
    run = run_of("refused")
    queue.add(run)
    until(lambda: run.state.over)
    assert run.state is State.FAILED
    assert "The scene has no bands." in run.story.error
    assert order == []


def test_runs_go_one_after_the_other(queue: RunQueue) -> None:
    first, second = run_of("waits"), run_of("works")
    queue.add(first)
    queue.add(second)
    until(lambda: order == ["waits"])
    assert second.state is State.WAITING
    first.cancel()
    until(lambda: second.state.over)
    assert first.state is State.CANCELLED
    assert second.state is State.DONE
    assert order == ["waits", "works"]


def test_a_waiting_run_is_cancelled_without_ever_starting(queue: RunQueue) -> None:
    first, second = run_of("waits"), run_of("works")
    queue.add(first)
    queue.add(second)
    second.cancel()
    first.cancel()
    until(lambda: not queue.unfinished)
    assert second.state is State.CANCELLED
    assert order in (["waits"], [])


def test_closing_the_queue_ends_what_runs(queue: RunQueue) -> None:
    run = run_of("waits")
    queue.add(run)
    until(lambda: order == ["waits"])
    queue.close(10000)
    assert run.state is State.CANCELLED


def test_a_long_log_is_bounded(qgis_app: QgsApplication) -> None:
    feedback, story = RunFeedback(), Story()
    for number in range(6000):
        feedback.pushInfo(str(number))
    assert feedback.tell(story)
    assert len(story.lines) == 5000
    assert story.lines[-1] == ("info", "5999")
    assert not feedback.tell(story)
