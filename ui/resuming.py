"""Trainings that ended early: what their files still hold, and how to go on or to start anew."""

from pathlib import Path

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QToolButton, QVBoxLayout, QWidget

from ..core.card import PLANNED, REFIT_STOPPED, STOPPED_AFTER, Card, read_card, unfinished
from ..core.errors import ModelFileError
from .remark import Remark
from .words import spoken, tr

# What a training keeps beside its model until it is done: NAME.PHASE.resume.
_KEPT = ".resume"


class GoingOn(QWidget):
    """Says below a model's field that a training would go on, and offers another file."""

    anew_wanted = pyqtSignal()

    def __init__(self) -> None:
        """With nothing to say yet, and so not there."""
        super().__init__()
        self.words = Remark()
        self.anew = QToolButton()
        self.anew.setText(tr("Start anew"))
        self.anew.setToolTip(tr("Takes another file; what the stopped training left stays."))
        self.anew.clicked.connect(self.anew_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.words)
        column.addWidget(self.anew)
        self.hide()

    def look_at(self, path: str) -> None:
        """Say what is there to go on from, should a training write to `path`."""
        text = "" if Path(f"{path}.lock").exists() else going_on(path)
        self.words.say(text)
        self.setVisible(bool(text))


def going_on(path: str) -> str:
    """What a training that writes the model file `path` goes on from, or an empty text."""
    if not path or not has_kept(path):
        return ""
    card = _card(path)
    training = card.training if card is not None else {}
    if STOPPED_AFTER in training:
        where = _epochs(training[STOPPED_AFTER], training.get(PLANNED))
        first = tr("The training into this file was stopped after epoch {}.").format(where)
    elif REFIT_STOPPED in training:
        where = _epochs(training[REFIT_STOPPED], training.get(PLANNED))
        first = tr(
            "The training into this file was measured, and stopped after epoch {} of learning "
            "from all labels."
        ).format(where)
    else:
        first = tr("A training into this file was interrupted.")
    same = tr(
        "The next one goes on from there, as long as images, labels and settings are the same; "
        "otherwise it begins anew and replaces the model."
    )
    return f"{first} {same}"


def has_kept(path: str) -> bool:
    """Whether a training left beside the model file `path` what it needs to go on."""
    model = Path(path)
    if not model.parent.is_dir():
        return False
    kept = (one.stem for one in model.parent.iterdir() if one.suffix == _KEPT)
    # The stem is NAME.PHASE, and the name may have dots of its own.
    return any(stem.rpartition(".")[0] == model.stem for stem in kept)


def stopped_model(path: str) -> str:
    """The sentences about the model of a training that ended early, or "" where there is none."""
    card = _card(path)
    return spoken(unfinished(card)) if card is not None else ""


def _card(path: str) -> Card | None:
    try:
        return read_card(path) if path and Path(path).is_file() else None
    except ModelFileError:
        return None


def _epochs(done: object, planned: object) -> str:
    return f"{done}" if planned is None else tr("{} of {}").format(done, planned)
