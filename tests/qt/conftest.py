"""Tests of the pure-Qt widgets; they run inside QGIS's Python and, through a shim, on PyQt6."""

import importlib.util
import os
import sys
from pathlib import Path

# Never a screen, never the user's own profile.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

if importlib.util.find_spec("qgis") is None:
    sys.path.insert(0, str(Path(__file__).parent / "shim"))

import pytest
from qgis.PyQt.QtWidgets import QApplication


@pytest.fixture(scope="session")
def app() -> QApplication:
    """The application that widgets need."""
    return QApplication.instance() or QApplication([])
