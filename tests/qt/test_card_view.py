"""The card of a model file on the screen."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from qgis.PyQt.QtWidgets import QApplication
from terraweave.core.card import METADATA_KEY, Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.ui.card_view import CardView, card_page

CARD = Card(
    family="made-up",
    name="Valley <b>2026</b>",
    inputs=(CardInput("IMAGE", (Band("red", 0.66), Band("nir")), (1.0, 2.0), (1.0, 1.0), 2.0),),
    classes=(MapClass(1, "Wood & scrub", "#112233"), MapClass(2, "Lake", "#0000ff")),
    window=8,
    overlap=0,
    architecture={},
    metrics={"overall_accuracy": 0.91234},
    provenance={"software": {"terraweave": "0.1.0"}},
)


def write_model(path: Path, card: Card) -> Path:
    """A model file with a card and no weights."""
    header = json.dumps({"__metadata__": {METADATA_KEY: json.dumps(card.to_json())}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def test_card_shows_bands_classes_and_scores() -> None:
    page = card_page(CARD, "#777777")
    for text in ("red (0.66 µm), nir", "2 m", "#112233", "Lake", "overall accuracy", "0.9123"):
        assert text in page
    assert "terraweave" in page


def test_nothing_in_a_card_is_taken_for_markup() -> None:
    page = card_page(CARD, "#777777")
    assert "&lt;b&gt;2026" in page
    assert "Wood &amp; scrub" in page
    assert "Valley <b>" not in page


def test_a_file_shows_its_card(app: QApplication, tmp_path: Path) -> None:
    view = CardView()
    view.show_file(str(write_model(tmp_path / "m.safetensors", CARD)))
    assert view.card == CARD
    assert "Lake" in view.text()
    view.deleteLater()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"nonsense", "is not a model file"), (b"\xff" * 64, "is not a model file")],
)
def test_a_damaged_file_shows_why(
    app: QApplication, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    view = CardView()
    view.show_file(str(path))
    assert view.card is None
    assert sentence in view.text()
    view.deleteLater()


def test_no_file_shows_nothing(app: QApplication) -> None:
    view = CardView()
    view.show_file("")
    assert view.isHidden()
    view.show_file("/nowhere/m.safetensors")
    assert "There is no model file" in view.text()
    view.deleteLater()


def test_a_card_unfolds_and_folds_again(app: QApplication, tmp_path: Path) -> None:
    view = CardView()
    view.show_file(str(write_model(tmp_path / "m.safetensors", CARD)))
    assert "0.1.0" not in view.text()
    view.linkActivated.emit("#turn")
    assert "0.1.0" in view.text()
    view.linkActivated.emit("#turn")
    assert "0.1.0" not in view.text()
    view.deleteLater()


def test_the_scores_of_a_single_class_come_first() -> None:
    own = {"value": 1, "iou": 0.25, "f1": 0.4}
    metrics = {"overall_accuracy": 0.9, "classes": [{"value": 2, "iou": 0.75}, own]}
    page = card_page(replace(CARD, classes=CARD.classes[:1], metrics=metrics), "#777777")
    assert page.index("IoU of the class") < page.index("overall accuracy")
    assert "0.25" in page
    assert "0.75" not in page
