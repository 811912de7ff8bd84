"""The provider in QGIS: its id, its tools, and what loading it brings into the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingAlgorithm
from terraweave.core.families import FAMILIES
from terraweave.plugin.algorithms import all_algorithms
from terraweave.plugin.main import TerraweavePlugin
from terraweave.plugin.provider import TerraweaveProvider

ROOT = Path(__file__).resolve().parents[2]


def test_every_family_has_its_two_tools(provider: TerraweaveProvider) -> None:
    names = {algorithm.name() for algorithm in provider.algorithms()}
    families = {f"{verb}{key}" for verb in ("train", "predict") for key in FAMILIES}
    assert names >= families | {"inspectmodel", "importcheckpoint", "samplescene"}


def test_ids_are_those_of_the_design(provider: TerraweaveProvider) -> None:
    registry = QgsApplication.processingRegistry()
    tools = ("inspectmodel", "importcheckpoint", "samplescene", "assess", "samplepoints", "rerun")
    for name in ("traindas2f", "predictdas2f", *tools):
        assert registry.algorithmById(f"terraweave:{name}") is not None


@pytest.mark.parametrize("algorithm", all_algorithms(), ids=lambda one: one.name())
def test_algorithm_is_presentable(qgis_app: QgsApplication, algorithm: object) -> None:
    assert isinstance(algorithm, QgsProcessingAlgorithm)
    made = algorithm.create()
    assert made.displayName()
    assert made.group()
    assert made.shortHelpString()
    assert not made.icon().isNull()
    for definition in made.parameterDefinitions():
        assert definition.name() == definition.name().upper()
        assert " " not in definition.name()
        assert definition.description()
        if not definition.isDestination():
            assert definition.help(), definition.name()


def test_plugin_adds_and_removes_its_provider(qgis_app: QgsApplication) -> None:
    registry = QgsApplication.processingRegistry()
    plugin = TerraweavePlugin(None)
    plugin.initProcessing()
    plugin.initProcessing()
    assert registry.providerById("terraweave") is plugin.provider
    plugin.unload()
    assert registry.providerById("terraweave") is None


PROBE = """
import importlib.util, json, os, pathlib, sys
root = pathlib.Path(sys.argv[1])
from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt import QtGui
application = QgsApplication([], False)
application.initQgis()
before, variables, paths = set(sys.modules), dict(os.environ), list(sys.path)
spec = importlib.util.spec_from_file_location(
    "terraweave", root / "__init__.py", submodule_search_locations=[str(root)])
package = importlib.util.module_from_spec(spec)
sys.modules["terraweave"] = package
spec.loader.exec_module(package)
at_import = sorted(set(sys.modules) - before)
plugin = package.classFactory(None)
plugin.initProcessing()
news = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
unchanged = variables == dict(os.environ) and paths == sys.path
print(json.dumps({"import": at_import, "news": news, "unchanged": unchanged}))
plugin.unload()
application.exitQgis()
"""


def test_loading_brings_in_nothing_but_qgis_and_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    foreign = set(found["news"]) - set(sys.stdlib_module_names) - {"terraweave", "qgis", "PyQt5"}
    assert foreign <= {"PyQt6"}
    assert found["unchanged"]
    assert [name for name in found["import"] if name.startswith("terraweave.")] == []
