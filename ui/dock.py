"""The dock panel: choose what to map, then train, refine, apply, assess."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from qgis.gui import QgisInterface, QgsDockWidget
from qgis.PyQt.QtCore import QTimer, pyqtSignal
from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..core.card import read_card
from ..core.errors import ModelFileError
from ..core.family import Family
from .field import MODEL_SUFFIX
from .run import RunQueue
from .runs_page import RunsPage
from .steps import Step, fresh_algorithm, offered_steps, step_id
from .welcome import WelcomePage
from .words import spoken, tr

if TYPE_CHECKING:
    from qgis.PyQt.QtCore import QMimeData

    from .step_page import StepPage


class Dock(QgsDockWidget):
    """Lays out whatever families and tools there are; the runs belong to the queue."""

    run_wanted = pyqtSignal(object)
    sample_wanted = pyqtSignal(object)
    help_wanted = pyqtSignal()
    show_wanted = pyqtSignal(object)
    refused_file = pyqtSignal(str)

    def __init__(
        self,
        iface: QgisInterface,
        provider: str,
        families: Mapping[str, Family],
        queue: RunQueue,
    ) -> None:
        """`provider` is the id under which the tools are registered."""
        super().__init__("Terraweave")
        self.setObjectName("TerraweaveDock")
        self.setAcceptDrops(True)
        self._iface = iface
        self._provider = provider
        self._families = families
        self._queue = queue
        self._pages: dict[str, StepPage] = {}
        # Empty pages whose form nobody has looked at, and the steps they stand for.
        self._waiting: dict[QWidget, Step] = {}
        self._fill_later = QTimer(self)
        self._fill_later.setSingleShot(True)
        self._fill_later.setInterval(0)
        self._fill_later.timeout.connect(self._go_on)
        self.runs = RunsPage(queue)
        self.runs.apply_wanted.connect(self.show_model)
        self.runs.show_wanted.connect(self.show_wanted)
        self.welcome = WelcomePage(queue, lambda: fresh_algorithm(f"{provider}:setup"))
        self.welcome.ready.connect(self.refresh)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.runs, tr("Runs"))
        self.tabs.currentChanged.connect(self._fill_tab)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self._main_page())
        self.setWidget(self.stack)
        queue.changed.connect(self._count_runs)
        self._filled = False

    @property
    def family(self) -> Family:
        """The family that is chosen."""
        return self._families[self.task.currentData()]

    def refresh(self) -> None:
        """Show the first page while there is no worker, else the steps of the chosen family.

        Forms take a while to make, so nothing is laid out before somebody looks.
        """
        self._filled = True
        reason = self._obstacle()
        self.stack.setCurrentIndex(0 if reason else 1)
        if reason:
            self.welcome.explain(reason)
        else:
            self._show_family()

    def page(self, tool: str) -> "StepPage | None":
        """The page of a step (train, predict, …) of the chosen family."""
        if not self._filled:
            self.refresh()
        waiting = [one for one, step in self._waiting.items() if step.tool == tool]
        for empty in waiting:
            self._swap(empty)
        shown = {self.tabs.widget(place) for place in range(self.tabs.count())}
        pages = (page for page in self._pages.values() if page in shown)
        found = next((page for page in pages if page.step.tool == tool), None)
        if found is not None:
            found.freshen()
        return found

    def show_runs(self) -> None:
        """Bring the page of runs to the front."""
        if not self._filled:
            self.refresh()
        self.tabs.setCurrentWidget(self.runs)

    def show_model(self, path: str) -> None:
        """Choose the family of a model file, and fill the file into its Apply page."""
        try:
            card = read_card(path)
        except ModelFileError as error:
            self.refused_file.emit(spoken(str(error)))
            return
        if not self._filled:
            self.refresh()
        place = self.task.findData(card.family)
        if place < 0:
            self.refused_file.emit(
                tr("This version of Terraweave has no family “{}”.").format(card.family)
            )
            return
        self.task.setCurrentIndex(place)
        page = self.page("predict")
        if page is not None:
            self.tabs.setCurrentWidget(page)
            page.show_model(path)

    def layers_changed(self) -> None:
        """Guess anew, since the project has other layers now."""
        for page in self._pages.values():
            page.guess_when_seen()

    def renew_files(self, taken: Collection[str]) -> None:
        """Suggest files for the next runs that are neither there nor `taken`."""
        for page in self._pages.values():
            page.renew_files(taken)

    def stop_asking(self, milliseconds: int) -> None:
        """Ask for no estimate any more, and wait for those on the way, but not for longer."""
        for page in self._pages.values():
            page.estimator.close(milliseconds)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """A model file may come in."""
        if event is not None and _model_in(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """A model file has come in."""
        path = _model_in(event.mimeData()) if event is not None else ""
        if path:
            event.acceptProposedAction()
            self.show_model(path)

    def _obstacle(self) -> str:
        """Why the tools cannot run, or an empty text."""
        for family in self._families.values():
            for step in offered_steps(self._provider, family):
                algorithm = fresh_algorithm(step_id(self._provider, step, family))
                can, reason = algorithm.canExecute()
                return "" if can else reason
        return tr("The tools of Terraweave are not in the toolbox; enable its provider there.")

    def _main_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        self.task = QComboBox()
        self.task.setAccessibleName(tr("What to map"))
        self.task.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        for key, family in self._families.items():
            self.task.addItem(tr(family.title), key)
        self.task.currentIndexChanged.connect(self._show_family)
        self.purpose = QLabel()
        self.purpose.setWordWrap(True)
        self.sample = QPushButton(tr("Try a sample scene"))
        self.sample.setToolTip(
            tr(
                "Makes a small invented landscape with labels, beside the project or in the folder "
                "Terraweave of your documents, and adds it to the project."
            )
        )
        self.sample.clicked.connect(lambda: self.sample_wanted.emit(self.family))
        helping = QPushButton(tr("Help"))
        helping.clicked.connect(self.help_wanted)
        row = QHBoxLayout()
        row.addWidget(self.sample)
        row.addStretch(1)
        row.addWidget(helping)
        label = QLabel(tr("&What to map"))
        label.setBuddy(self.task)
        for item in (label, self.task, self.purpose):
            column.addWidget(item)
        column.addLayout(row)
        column.addWidget(self.tabs, 1)
        return page

    def _show_family(self) -> None:
        """Lay out the steps that the registry has for the chosen family; pages are kept."""
        if self.stack.currentIndex() == 0:
            return
        family = self.family
        self.purpose.setText(tr(family.purpose) + ".")
        self.task.setToolTip(f"<p>{spoken(family.help)}</p>")
        # Whoever opens the panel begins with the first step.
        begun = self.tabs.count() > 1
        before = self.tabs.tabText(self.tabs.currentIndex()) if begun else ""
        self._waiting.clear()
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        for step in offered_steps(self._provider, family):
            self._add_tab(step)
        self.tabs.addTab(self.runs, tr("Runs"))
        self._count_runs()
        titles = [self.tabs.tabText(place) for place in range(self.tabs.count())]
        self.tabs.setCurrentIndex(titles.index(before) if before in titles else 0)
        self.tabs.blockSignals(False)
        self._fill_tab(self.tabs.currentIndex())

    def _add_tab(self, step: Step) -> None:
        """A tab for `step`, with an empty page where its form was not laid out yet."""
        page = self._pages.get(self._page_key(step))
        if page is None:
            page = QWidget()
            self._waiting[page] = step
        self.tabs.addTab(page, tr(step.title))

    def _fill_tab(self, place: int) -> None:
        """Soon lay out the form of a tab that somebody opens."""
        if self.tabs.widget(place) in self._waiting:
            self._fill_later.start()

    def _go_on(self) -> None:
        """Make the page in front in one turn of the event loop, and show it in the next.

        Both at once would hold QGIS up.
        """
        empty = self.tabs.currentWidget()
        step = self._waiting.get(empty)
        if step is None:
            return
        if self._page_key(step) in self._pages:
            self._swap(empty)
        else:
            self._page(step)
            self._fill_later.start()

    def _swap(self, empty: QWidget) -> None:
        """Put a page where its step has an empty one."""
        step = self._waiting.pop(empty)
        page, place = self._page(step), self.tabs.indexOf(empty)
        shown = self.tabs.currentIndex() == place
        self.tabs.blockSignals(True)
        self.tabs.removeTab(place)
        self.tabs.insertTab(place, page, tr(step.title))
        if shown:
            self.tabs.setCurrentIndex(place)
        self.tabs.blockSignals(False)
        empty.deleteLater()

    def _page_key(self, step: Step) -> str:
        return f"{self.family.key} {step_id(self._provider, step, self.family)}"

    def _page(self, step: Step) -> "StepPage":
        from .step_page import StepPage  # forms are nothing for the start of QGIS

        key = self._page_key(step)
        if key not in self._pages:
            algorithm = fresh_algorithm(step_id(self._provider, step, self.family))
            page = StepPage(step, self.family, algorithm, self._iface, self._queue)
            page.run_wanted.connect(self.run_wanted)
            self._pages[key] = page
        return self._pages[key]

    def _count_runs(self) -> None:
        place = self.tabs.indexOf(self.runs)
        count = len(self.runs.unfinished)
        if place >= 0:
            self.tabs.setTabText(place, f"{tr('Runs')} ({count})" if count else tr("Runs"))


def _model_in(data: "QMimeData | None") -> str:
    """The first model file among what is dragged, or an empty text."""
    urls = data.urls() if data is not None else []
    paths = (url.toLocalFile() for url in urls if url.isLocalFile())
    return next((path for path in paths if path.endswith(MODEL_SUFFIX)), "")
