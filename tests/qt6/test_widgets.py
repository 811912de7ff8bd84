"""The panel's pure-Qt parts on Qt 6, which is what QGIS 4 has."""

import ast
import importlib
from pathlib import Path

import pytest
from qgis.PyQt.QtCore import QT_VERSION_STR
from qgis.PyQt.QtWidgets import QComboBox, QVBoxLayout, QWidget

ROOT = Path(__file__).resolve().parents[2]


def imported(path: Path) -> set[str]:
    """What a module imports: absolute names, and `.name` for its neighbours."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


def pure_qt() -> list[str]:
    """The modules of `ui` that need Qt alone, directly and through their neighbours."""
    needs = {path.stem: imported(path) for path in (ROOT / "ui").glob("*.py")}
    impure = {name for name, some in needs.items() if {"qgis.core", "qgis.gui"} & some}
    while more := {
        name
        for name, some in needs.items()
        if name not in impure and any(f".{other}" in some for other in impure)
    }:
        impure |= more
    return sorted(set(needs) - impure - {"__init__"})


def test_this_is_qt_6() -> None:
    assert QT_VERSION_STR.startswith("6.")


@pytest.mark.parametrize("name", pure_qt())
def test_module_loads_on_qt_6(name: str) -> None:
    importlib.import_module(f"terraweave.ui.{name}")


def test_there_is_something_to_try() -> None:
    assert {"card_view", "curves"} <= set(pure_qt())


@pytest.mark.parametrize(
    ("module", "name", "given"),
    [("card_view", "CardView", ()), ("curves", "CurvesWidget", ("Loss",))],
)
def test_widget_is_made_and_drawn(module: str, name: str, given: tuple[str, ...]) -> None:
    widget = getattr(importlib.import_module(f"terraweave.ui.{module}"), name)(*given)
    widget.resize(400, 300)
    assert not widget.grab().isNull()


def test_file_that_is_no_model_is_a_sentence() -> None:
    view = importlib.import_module("terraweave.ui.card_view").CardView()
    view.show_file("/nowhere/model.safetensors")
    assert "There is no model file" in view.text()


def test_wheel_is_kept_from_fields() -> None:
    parent = QWidget()
    layout = QVBoxLayout(parent)
    layout.addWidget(QComboBox())
    guard = importlib.import_module("terraweave.ui.wheel").WheelGuard(parent)
    assert guard.parent() is parent
