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
started = time.process_time()
spec = importlib.util.spec_from_file_location(
    "terraweave", root / "__init__.py", submodule_search_locations=[str(root)])
package = importlib.util.module_from_spec(spec)
sys.modules["terraweave"] = package
spec.loader.exec_module(package)
plugin = package.classFactory(None)
plugin.initProcessing()
seconds = time.process_time() - started
loaded = sorted(name for name in sys.modules if name.startswith("terraweave."))
print(json.dumps({"seconds": seconds, "loaded": loaded}))
plugin.unload()
application.exitQgis()
"""


@pytest.fixture(scope="module")
def starts() -> list[dict[str, object]]:
    """Several starts in processes of their own; the first one may have to compile."""
    found = []
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, str(ROOT)],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
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
