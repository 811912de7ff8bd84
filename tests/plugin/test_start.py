"""What QGIS pays at its start for having the plugin enabled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 0.050
# `processing` is loaded by every QGIS before the plugins that have a provider.
PROBE = """
import importlib.util, json, pathlib, sys, time
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
sys.path.insert(0, str(pathlib.Path(application.pkgDataPath()) / "python" / "plugins"))
import processing, qgis.utils
root = pathlib.Path(sys.argv[1])
before = set(sys.modules)
started = time.process_time()
spec = importlib.util.spec_from_file_location(
    "terraweave", root / "__init__.py", submodule_search_locations=[str(root)])
package = importlib.util.module_from_spec(spec)
sys.modules["terraweave"] = package
spec.loader.exec_module(package)
plugin = package.classFactory(None)
plugin.initProcessing()
seconds = time.process_time() - started
loaded = sorted(set(sys.modules) - before)
print(json.dumps({"seconds": seconds, "loaded": loaded}))
plugin.unload()
application.exitQgis()
"""


@pytest.fixture(scope="module")
def starts() -> list[dict[str, object]]:
    """Several starts in processes of their own; the first one may have to compile."""
    found = []
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, str(ROOT)],
            env=variables | {"QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def test_start_takes_less_than_50_ms_of_the_processor(starts: list[dict[str, object]]) -> None:
    """Time of the processor, not of the clock: other programs must not fail this test."""
    assert min(start["seconds"] for start in starts) < MOST_SECONDS


def test_installers_and_reports_are_loaded_when_they_are_used(
    starts: list[dict[str, object]],
) -> None:
    package = "terraweave.plugin.environment"
    loaded = {name for name in starts[0]["loaded"] if name.startswith(f"{package}.")}
    assert loaded <= {f"{package}.lock", f"{package}.places"}


def test_nothing_but_qgis_and_the_standard_library_is_imported(
    starts: list[dict[str, object]],
) -> None:
    allowed = {*sys.stdlib_module_names, "terraweave", "qgis", "PyQt5", "PyQt6"}
    packages = {str(name).split(".")[0] for name in starts[0]["loaded"]}
    assert "terraweave" in packages
    assert packages <= allowed


def test_start_loads_neither_the_panel_nor_what_computes(starts: list[dict[str, object]]) -> None:
    loaded = {str(name) for name in starts[0]["loaded"]}
    heavy = ("terraweave.ui.", "terraweave.core.nn", "terraweave.core.scene")
    words = {"terraweave.ui.words", "terraweave.ui.preferences"}
    assert [name for name in loaded - words if name.startswith(heavy)] == []
    # A new family or tool adds a few; ten times as many would be a leak of the worker's rooms.
    assert len([name for name in loaded if name.startswith("terraweave.")]) < 120
