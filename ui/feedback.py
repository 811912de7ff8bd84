"""What a running tool says, kept from any thread until the panel looks."""

from collections.abc import Mapping
from queue import Empty, SimpleQueue

from qgis.core import QgsProcessingFeedback

from .story import Event, Story

_MOST_LINES = 5000


class RunFeedback(QgsProcessingFeedback):
    """Collects in Processing's thread; `tell` moves what was collected into a story.

    Nothing here touches a widget, so that a chatty worker can never flood the event loop.
    """

    def __init__(self) -> None:
        """Keeps its own log, so QGIS need not."""
        super().__init__(False)
        self._said: SimpleQueue[tuple[str, object]] = SimpleQueue()

    def listen(self, event: Event) -> None:
        """Take an event of the worker as it is; the job client offers every one."""
        self._said.put((str(event.get("event")), event))

    def setProgressText(self, text: str) -> None:
        """The stage, from tools that have no worker."""
        self._said.put(("stage", text))

    def pushInfo(self, info: str) -> None:
        """A line of the log."""
        self._said.put(("info", info))

    def pushWarning(self, warning: str) -> None:
        """A line that may spoil the result."""
        self._said.put(("warning", warning))

    def pushCommandInfo(self, info: str) -> None:
        """A line of the log."""
        self._said.put(("info", info))

    def pushConsoleInfo(self, info: str) -> None:
        """A line of the log."""
        self._said.put(("info", info))

    def pushFormattedMessage(self, html: str, text: str) -> None:
        """A line of the log; links are opened elsewhere."""
        self._said.put(("info", text))

    def reportError(self, error: str, fatalError: bool = False) -> None:
        """The sentence that ends a run."""
        self._said.put(("error", error))

    def tell(self, story: Story) -> bool:
        """Move what was said since the last time into `story`; whether there was anything."""
        news = False
        while True:
            try:
                kind, said = self._said.get_nowait()
            except Empty:
                break
            news = True
            _tell_one(story, kind, said)
        fraction = self.progress() / 100.0
        if fraction > story.fraction:
            story.fraction, news = min(fraction, 1.0), True
        del story.lines[:-_MOST_LINES]
        return news


def _tell_one(story: Story, kind: str, said: object) -> None:
    if isinstance(said, str):
        if kind == "stage":
            story.stage = said
            return
        if kind == "error":
            story.error = said
        story.lines.append((kind, said))
    elif isinstance(said, Mapping) and kind == "epoch":
        story.epochs.append(said)
    elif isinstance(said, Mapping) and kind == "progress":
        left = said.get("seconds_left")
        story.stage = str(said.get("stage", ""))
        story.seconds_left = float(left) if isinstance(left, int | float) else None


class EstimateFeedback(RunFeedback):
    """Wants to know what a run would take, and not the run itself."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places` are the files that the outputs are to be written to, by their names."""
        super().__init__()
        self.estimate_places = dict(places)
        self.estimate: Mapping[str, object] | None = None

    def take_estimate(self, values: Mapping[str, object]) -> None:
        """Called in Processing's thread when the worker has answered."""
        self.estimate = dict(values)
