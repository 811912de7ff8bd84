"""Lets tests of pure-Qt widgets run without QGIS: `pytest -p qt6_host --noconftest`."""

import importlib.util
import sys
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QApplication

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location(
    "terraweave", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
)
package = importlib.util.module_from_spec(spec)
sys.modules["terraweave"] = package
spec.loader.exec_module(package)


@pytest.fixture(scope="session", autouse=True)
def qgis_app() -> QApplication:
    """An application of Qt 6, under the name that pytest-qgis gives QGIS's."""
    return QApplication.instance() or QApplication([])
