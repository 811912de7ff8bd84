"""What the computer will do, in the space of three lines, above the button that starts it."""

from collections.abc import Mapping
from html import escape

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .amounts import counts, duration, size
from .remark import Remark
from .words import spoken, tr

# From this share of what is free on, it may not suffice.
_TIGHT = 0.9


class EstimateView(QFrame):
    """Shows an estimate or what stands in its place; asks for a new one by its button."""

    wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """With nothing to show yet, and so not there."""
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.headline = QLabel()
        self.headline.setTextFormat(Qt.TextFormat.RichText)
        self.headline.setWordWrap(True)
        self.headline.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.again = QToolButton()
        self.again.setAutoRaise(True)
        self.again.setText(tr("Estimate again"))
        self.again.clicked.connect(self.wanted)
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.caveat = Remark()
        self.problem = Remark(problem=True)
        row = QHBoxLayout()
        row.addWidget(self.headline, 1)
        row.addWidget(self.again, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(2)
        column.addLayout(row)
        for label in (self.details, self.problem, self.caveat):
            column.addWidget(label)
        self.hide()

    def show_nothing(self) -> None:
        """There is nothing to estimate yet."""
        self.hide()

    def show_words(self, words: str) -> None:
        """Say what stands in the place of an estimate: that it comes, or why there is none."""
        self._show(escape(words), "", "", "")

    def show_estimate(self, values: Mapping[str, object]) -> None:
        """Show what the worker said."""
        self._show(
            f"<b>{escape(headline(values))}</b>",
            details(values),
            shortage(values),
            caveat(values),
        )

    def _show(self, first: str, second: str, problem: str, small: str) -> None:
        self.headline.setText(first)
        self.details.setText(second)
        self.details.setVisible(bool(second))
        self.problem.say(problem)
        self.caveat.say(small)
        self.again.setVisible(bool(second))
        self.show()


def headline(values: Mapping[str, object]) -> str:
    """How long, and on what: “About 3–5 minutes on the processor (2 cores)”."""
    low, high = values.get("SECONDS_LOW"), values.get("SECONDS_HIGH")
    where = _place(values)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return tr("Runs {}; how long cannot be told").format(where)
    spoken = duration(low, high)
    return f"{spoken[:1].upper()}{spoken[1:]} {where}"


def details(values: Mapping[str, object]) -> str:
    """How much of everything: “250,000 windows · 0.6 GB memory · 12 MB on disk”."""
    windows = counts(int(_number(values, "WINDOWS_LOW")), int(_number(values, "WINDOWS_HIGH")))
    parts = [
        tr("1 window") if windows == "1" else tr("{} windows").format(windows),
        _with_room(tr("{} of memory"), values, "MEMORY"),
        _with_room(tr("up to {} on disk"), values, "DISK"),
    ]
    return " · ".join(parts)


def shortage(values: Mapping[str, object]) -> str:
    """What may not suffice, with the remedy; empty where all does."""
    remedies = {
        "MEMORY": tr(
            "Only {} of memory are free: close other programs, or choose a smaller batch or extent."
        ),
        "DISK": tr("Only {} are free on the disk: free some space, or choose another folder."),
    }
    return "\n".join(
        text.format(size(_number(values, f"{name}_FREE")))
        for name, text in remedies.items()
        if isinstance(values.get(f"{name}_FREE"), int | float)
        and _number(values, name) > _TIGHT * _number(values, f"{name}_FREE")
    )


def caveat(values: Mapping[str, object]) -> str:
    """That it is an estimate, and why this device was chosen."""
    reason = spoken(str(values.get("DEVICE_REASON") or ""))
    promise = tr(
        "An estimate from trying the network for a moment; other programs and the scene itself "
        "change it."
    )
    return f"{promise} {reason}".strip()


def _place(values: Mapping[str, object]) -> str:
    device, threads = str(values.get("DEVICE", "")), int(_number(values, "THREADS"))
    if device == "cuda":
        return tr("on the NVIDIA card")
    if device == "mps":
        return tr("on the Apple graphics")
    return (
        tr("on the processor (1 core)")
        if threads == 1
        else tr("on the processor ({} cores)").format(threads)
    )


def _with_room(text: str, values: Mapping[str, object], name: str) -> str:
    said = text.format(size(_number(values, name)))
    free = values.get(f"{name}_FREE")
    return f"{said} ({tr('{} free').format(size(free))})" if isinstance(free, int | float) else said


def _number(values: Mapping[str, object], name: str) -> float:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
