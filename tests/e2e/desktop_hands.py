"""What the stories in desktop_story.py do with QGIS's windows: click, look, measure."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QDockWidget, QPushButton, QWidget
from qgis.utils import iface, plugins

OUT = Path(os.environ["TERRAWEAVE_E2E_OUT"])
STORY = os.environ["TERRAWEAVE_E2E_STORY"]
Condition = Callable[[], object]

findings: dict[str, object] = {"story": STORY}


class Pulse:
    """Measures how long the event loop does not come round."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setInterval(10)
        self._timer.timeout.connect(self._beat)
        self._wall = self._own = 0.0
        self.phase = ""
        self.longest: dict[str, list[float]] = {}

    def start(self, phase: str) -> None:
        """Measure from now on under this name."""
        self.phase = phase
        self._wall, self._own = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        """Do not count what comes now, such as taking a picture."""
        self._timer.stop()

    def _beat(self) -> None:
        wall, own = time.perf_counter(), time.thread_time()
        worst = self.longest.setdefault(self.phase, [0.0, 0.0])
        # Own: what the main thread itself computed, however busy the machine is with others.
        worst[0] = max(worst[0], round(1000 * (wall - self._wall), 1))
        worst[1] = max(worst[1], round(1000 * (own - self._own), 1))
        self._wall, self._own = wall, own


pulse = Pulse()


def picture(name: str) -> None:
    """Save the main window as it is now."""
    pulse.stop()
    QApplication.processEvents()
    iface.mainWindow().grab().save(str(OUT / f"{name}.png"))


def click(widget: QWidget) -> None:
    """A left click in the middle of a widget that a user could click now."""
    if not widget.isVisible() or not widget.isEnabled():
        raise AssertionError(f"{widget} cannot be clicked: it is hidden or disabled.")
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def click_tab(title: str) -> None:
    """A left click on a tab of the panel."""
    bar = panel().dock.tabs.tabBar()
    place = next(i for i in range(bar.count()) if bar.tabText(i).startswith(title))
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())


def button(text: str) -> QPushButton:
    """The visible button with these words."""
    found = [b for b in iface.mainWindow().findChildren(QPushButton) if b.text() == text]
    return next(one for one in found if one.isVisible())


def panel() -> object:
    """The plugin's panel."""
    return plugins["terraweave"].panel


def over() -> bool:
    """Whether nothing runs or waits."""
    return not panel().queue.unfinished


def open_panel() -> Iterator[Condition]:
    """Put the panel on the screen, wide enough for a person."""
    dock = panel().dock
    dock.setUserVisible(True)
    iface.mainWindow().resize(1560, 960)
    yield lambda: dock.isVisible()
    main = iface.mainWindow()
    layers = main.findChild(QDockWidget, "Layers")
    main.findChild(QDockWidget, "Browser").hide()
    main.resizeDocks([dock, layers], [490, 280], Qt.Orientation.Horizontal)
    yield lambda: dock.width() > 300


def estimated() -> bool:
    """Whether the page in front has been told what its run will take, or takes no estimate."""
    estimator = getattr(panel().dock.tabs.currentWidget(), "estimator", None)
    if estimator is None:
        return True
    return estimator.state.value in ("nothing", "told", "failed")
