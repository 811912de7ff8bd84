"""A model file's card as a page a person can read, as soon as the file is chosen."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import QApplication, QFrame, QLabel, QSizePolicy, QWidget

from ..core.card import Card, CardInput, read_card, unfinished
from ..core.errors import ModelFileError
from .looks import THEME_EVENTS, problem_color, quiet_color
from .titles import role_title
from .words import spoken, tr

_MOST_CLASSES = 60
_MOST_FACTS = 12
_LONGEST = 120
# The scores of a class in a card, and what they are called where the class is the only one.
_CLASS_SCORES = {
    "iou": "IoU of the class",
    "f1": "F1 of the class",
    "users_accuracy": "Precision of the class",
    "producers_accuracy": "Recall of the class",
}


class CardView(QLabel):
    """Shows the card of a model file, or the sentence that says why there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Empty and not there."""
        super().__init__(parent)
        self.card: Card | None = None
        self._path = self._quiet = ""
        self._all = False
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setMargin(8)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
            | Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        # A card may come from a stranger: nothing in it is fetched or opened.
        self.setOpenExternalLinks(False)
        self.linkActivated.connect(lambda link: self._turn())
        self.hide()

    def show_file(self, path: str) -> None:
        """Read and show the card of `path`; an empty path shows nothing."""
        self.card, self._path = None, path
        self._quiet = quiet_color(QApplication.palette()).name()
        if not path:
            self.hide()
            return
        try:
            if not Path(path).is_file():
                raise ModelFileError(f"There is no model file “{path}”.")
            self.card = read_card(path)
            self.setText(card_page(self.card, self._quiet, everything=self._all))
        except ModelFileError as error:
            color = problem_color(QApplication.palette()).name()
            self.setText(f'<span style="color:{color}">{escape(spoken(str(error)))}</span>')
        self.show()

    def _turn(self) -> None:
        """Show all of the card, or the part that is needed to choose a model."""
        self._all = not self._all
        self.show_file(self._path)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow a theme that QGIS has changed in between: its palette comes after its events."""
        super().showEvent(event)
        if self._path and quiet_color(QApplication.palette()).name() != self._quiet:
            self.show_file(self._path)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event is not None and event.type() in THEME_EVENTS and self._path:
            self.show_file(self._path)


def card_page(card: Card, quiet: str, *, everything: bool = True) -> str:
    """The card as HTML for Qt's rich text; `quiet` is the colour of small print, #rrggbb.

    Without `everything`, what one needs to choose a model: inputs, classes, scores.
    """
    parts = [
        f"<b>{escape(_short(card.name))}</b>",
        _told(card),
        _inputs_table(card, quiet),
        _classes_table(card),
        _facts(tr("Scores on held-out ground"), _scores(card), quiet),
    ]
    if everything:
        parts += [
            _facts(tr("Training"), card.training, quiet),
            _facts(tr("Provenance"), _flattened(card.provenance), quiet),
        ]
    words = tr("Show less") if everything else tr("Training and provenance …")
    return "".join([*parts, f'<p><a href="#turn">{escape(words)}</a></p>'])


def _told(card: Card) -> str:
    """That the training was stopped, where it was."""
    told = spoken(unfinished(card))
    return f"<p><b>{escape(told)}</b></p>" if told else ""


def _scores(card: Card) -> dict[str, object]:
    """The scores of the card; where a single class is mapped, those of that class come first."""
    listed = card.metrics.get("classes")
    found = listed if isinstance(listed, list | tuple) and len(card.classes) == 1 else ()
    own: dict[str, object] = {}
    for one in found:
        if isinstance(one, Mapping) and one.get("value") == card.classes[0].value:
            own = {words: one[key] for key, words in _CLASS_SCORES.items() if key in one}
            break
    return {**own, **card.metrics}


def _inputs_table(card: Card, quiet: str) -> str:
    rows = "".join(_input_row(one, role_title(card.family, one.role), quiet) for one in card.inputs)
    return f'<table cellspacing="0" cellpadding="2">{rows}</table>'


def _input_row(one: CardInput, title: str, quiet: str) -> str:
    bands = ", ".join(_band(band.name, band.wavelength) for band in one.bands[:_MOST_FACTS])
    more = len(one.bands) - _MOST_FACTS
    bands += f" … (+{more})" if more > 0 else ""
    return (
        f"<tr><td><b>{escape(_short(title))}</b>&nbsp;</td><td>{one.gsd:.3g} m, {bands} "
        f'<span style="color:{quiet}">{escape(_short(one.data_type))}</span></td></tr>'
    )


def _band(name: str, wavelength: float | None) -> str:
    spoken = escape(_short(name))
    return f"{spoken} ({wavelength:.3g} µm)" if wavelength else spoken


def _classes_table(card: Card) -> str:
    """Two columns of swatches; the colours are checked by the card."""
    cells = [
        f'<td style="background-color:{one.color}">&nbsp;&nbsp;&nbsp;&nbsp;</td>'
        f"<td>&nbsp;{one.value}&nbsp; {escape(_short(one.name))}&nbsp;&nbsp;</td>"
        for one in card.classes[:_MOST_CLASSES]
    ]
    rows = "".join(f"<tr>{''.join(cells[at : at + 2])}</tr>" for at in range(0, len(cells), 2))
    more = len(card.classes) - _MOST_CLASSES
    rest = f"<p>… (+{more})</p>" if more > 0 else ""
    return f'<p><b>{tr("Classes")}</b></p><table cellspacing="2">{rows}</table>{rest}'


def _facts(title: str, facts: Mapping[str, object], quiet: str) -> str:
    rows = [
        f'<tr><td style="color:{quiet}">{escape(_short(_worded(key)))}&nbsp;</td>'
        f"<td>{escape(_short(_spoken(value)))}</td></tr>"
        for key, value in facts.items()
        if isinstance(value, str | int | float) and value != ""
    ]
    if not rows:
        return ""
    return (
        f"<p><b>{escape(title)}</b></p><table cellspacing='0'>{''.join(rows[:_MOST_FACTS])}</table>"
    )


def _flattened(facts: Mapping[str, object]) -> dict[str, object]:
    """What is one level down beside what is on top."""
    inner = {
        f"{key} {name}": value
        for key, some in facts.items()
        if isinstance(some, Mapping)
        for name, value in some.items()
    }
    return {**facts, **inner}


def _worded(key: str) -> str:
    return spoken(str(key).replace("_", " "))


def _spoken(value: str | float) -> str:
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
