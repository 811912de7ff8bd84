"""Training reports hold together: whole, escaped, without scripts, paths or invented numbers."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from terraweave.core.accuracy.scores import Scores
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.report import drawing
from terraweave.core.report.training import (
    SplitMap,
    TrainingReport,
    split_maps,
    training_page,
    write_training_report,
)
from terraweave.core.settings import Setting
from terraweave.core.training.split import Split, blocked_split

HOSTILE = "<script>alert('$x_1$')</script>"
CLASSES = (MapClass(1, "roads", "#5a5a5a"), MapClass(2, HOSTILE, "#00c800"))
_VOID = {"meta", "br", "img", "link", "hr"}


class Outline(HTMLParser):
    """Collects tags, attributes and text, and checks that every tag is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attrs)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.links += [known[key] or "" for key in ("href", "xlink:href", "src") if key in known]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data


def a_card(name: str = "town") -> Card:
    inputs = (
        CardInput(
            "MS", (Band("red", 0.66), Band("nir")), (1.5, 2.5), (0.5, 0.25), 2.0, 1, "uint16"
        ),
    )
    return Card(
        "das2f", name, inputs, CLASSES, 8, 7, {"levels": 1},
        training={"trained_on_all_labels": True},
        provenance={
            "software": {"terraweave": "0.1.0"},
            "inputs": [{"role": "MS", "name": "/home/ada/maps/town.tif", "sha256": "ab12"}],
        },
    )  # fmt: skip


def a_split() -> tuple[Split, tuple[SplitMap, ...]]:
    rows, columns = (grid.ravel() for grid in np.indices((40, 30)))
    values = np.where(columns % 10 < 5, 1, 2)
    split = blocked_split(rows, columns, values, classes=CLASSES, share=0.25, gap=3, seed=0)
    picture = np.full((40, 30, 3), 90, np.uint8)
    maps = split_maps(split, rows, columns, rows * 0, [HOSTILE], [(40, 30)], [picture])
    return split, maps


def a_report(**changes: object) -> TrainingReport:
    split, maps = a_split()
    values: dict[str, object] = {
        "family": "Land cover",
        "card": a_card(),
        "epochs": [
            {"epoch": 1, "epochs": 2, "loss": 1.0, "macro_f1": None},
            {"epoch": 2, "epochs": 2, "loss": 0.5, "macro_f1": 0.75},
        ],
        "best_epoch": 2,
        "scores": Scores.from_matrix([[60, 20], [5, 35]], CLASSES),
        "split": split,
        "maps": maps,
        "settings": {"batch": 32, "head": "centre"},
        "declared": (Setting("batch", "Batch", "help", 32, unit="windows"),),
        "device": "The CPU computes.",
        "seconds": 83.0,
    }
    return TrainingReport(**{**values, **changes})  # type: ignore[arg-type]


def test_maps_of_one_class_show_it_strongly_and_the_ground_around_faintly() -> None:
    _, (plain,) = a_split()
    marked = replace(plain, faint=plain.columns % 10 >= 5)
    page = training_page(a_report(maps=(marked,)), "town.json")
    assert "Strong colours are ground that is labelled" in page
    assert "Strong colours" not in training_page(a_report(), "town.json")
    painted = drawing._painted(plain.shape, plain.rows, plain.columns, plain.parts, 1, marked.faint)
    assert (painted[:, 5:10, 3] == drawing._FAINT).all()
    assert (painted[:, :5, 3] == 255).all()
    assert (painted[:, 5:10, :3] == plain_colors(plain)[:, 5:10, :3]).all()


def plain_colors(one: SplitMap) -> np.ndarray:
    """The map without anything faint in it."""
    nothing = np.zeros(len(one.parts), np.bool_)
    return drawing._painted(one.shape, one.rows, one.columns, one.parts, 1, nothing)


def test_page_is_well_formed_and_every_id_is_its_own() -> None:
    outline = Outline(training_page(a_report(), "town.json"))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.tags.count("svg") == 2


def test_names_from_strangers_are_shown_as_text_and_never_run() -> None:
    page = training_page(a_report(card=a_card(HOSTILE), device=HOSTILE), "town.json")
    outline = Outline(page)
    assert "script" not in outline.tags
    assert HOSTILE in outline.text
    assert "default-src 'none'" in page


def test_page_needs_nothing_from_elsewhere() -> None:
    outline = Outline(training_page(a_report(), "town.json"))
    assert outline.links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in outline.links)


def test_svg_texts_may_hold_markup_and_formulas() -> None:
    epochs = [{"epoch": 1, "loss <b>& $\\frac$": 0.5}]
    page = training_page(a_report(epochs=epochs), "town.json")
    assert "loss &lt;b&gt;&amp; $\\frac$" in page


def test_summary_comes_first_and_says_how_good_the_model_is_on_what() -> None:
    text = Outline(training_page(a_report(), "town.json")).text
    assert "On 120 pixels of held-out ground the map is right for 79.2 %" in text
    assert text.index("is right for") < text.index("Confusion matrix")
    assert "Epoch 2 of 2 was the best" in text
    assert "trained once more on all labels" in text
    assert "It took 1 min 23 s." in text


def test_orientation_of_the_matrix_is_said_in_words() -> None:
    text = Outline(training_page(a_report(), "town.json")).text
    assert "Rows are the reference, columns are the map" in text


def test_class_with_few_pixels_is_named_in_a_warning() -> None:
    text = Outline(training_page(a_report(), "town.json")).text
    assert f"“{HOSTILE}” has 40 validation pixels: read its score with care." in text


def test_several_classes_with_few_pixels_share_one_warning() -> None:
    report = a_report(scores=Scores.from_matrix([[3, 0], [1, 2]], CLASSES))
    assert any("“roads” (3) and " in one for one in report.cautions)


def test_settings_carry_their_title_and_unit() -> None:
    text = Outline(training_page(a_report(), "town.json")).text
    assert "Batch" in text
    assert "32 windows" in text


def test_folders_and_the_names_in_them_are_not_told() -> None:
    page = training_page(a_report(), "town.json")
    assert "ada" not in Outline(page).text
    assert "town.tif" in page


def test_undefined_scores_are_dashes_and_null() -> None:
    report = a_report(scores=Scores.from_matrix([[5, 0], [0, 0]], CLASSES))
    text = Outline(training_page(report, "town.json")).text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert report.to_json()["scores"]["kappa"] is None  # type: ignore[index]
    assert "–" in text


def test_report_without_validation_says_that_there_is_no_score() -> None:
    report = a_report(scores=None, split=None, maps=())
    text = Outline(training_page(report, "town.json")).text
    assert "Nothing was held out, so there is no score." in text
    assert "Confusion matrix" not in text


def test_folds_are_told_one_by_one_with_mean_and_deviation() -> None:
    folds = [Scores.from_matrix(m, CLASSES) for m in ([[8, 2], [2, 8]], [[9, 1], [1, 9]])]
    text = Outline(training_page(a_report(folds=folds), "town.json")).text
    assert "fold 2" in text
    assert "0.850" in text
    assert "0.071" in text


def test_files_appear_together_and_the_json_is_strict(tmp_path: Path) -> None:
    write_training_report(tmp_path / "town.html", a_report())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["town.html", "town.json"]
    document = json.loads(
        (tmp_path / "town.json").read_text(encoding="utf-8"),
        parse_constant=lambda name: pytest.fail(f"{name} in the JSON"),
    )
    assert document["kind"] == "training"
    assert document["scores"]["confusion_matrix"]["rows"] == "reference"
    assert "town.json" in (tmp_path / "town.html").read_text(encoding="utf-8")


def test_equal_reports_give_equal_pages() -> None:
    assert training_page(a_report(), "a.json") == training_page(a_report(), "a.json")


def test_name_that_is_no_html_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"let its name end in \.html"):
        write_training_report(tmp_path / "town.json", a_report())


def test_huge_scene_becomes_a_small_picture() -> None:
    pixels = np.array([0, 19_999, 12_345])
    one = SplitMap("wide", (20_000, 15_000), pixels, pixels // 2, np.array([0, 1, 2]), ())
    page = training_page(a_report(maps=[one]), "a.json")
    assert len(page) < 120_000
