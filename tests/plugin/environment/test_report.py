"""The page for an issue: what it tells, and what it never tells."""

import os
from pathlib import Path

import pytest
from qgis.core import Qgis, QgsApplication
from terraweave.plugin.environment import report
from terraweave.plugin.environment.report import page, section, without_private

pytestmark = pytest.mark.usefixtures("qgis_app")
VALUES = {
    "versions": {"torch": "2.13.0", "mamba-ssm": "–"},
    "system": {"threads": 2, "cores": 4},
    "devices": {
        "choice": "Running on the processor.", "built_for_cuda": "", "cuda": False,
        "cards": [{"name": "T4", "memory_gib": 15.0, "capability": "7.5"}],
    },
    "checks": [{"name": "Rasters", "passed": False, "finding": "a | pipe", "seconds": 0.1}],
    "scans": [{"key": "torch", "title": "plain torch", "works": True, "finding": "agrees"}],
    "seconds": {"import_torch": 1.5},
}  # fmt: skip


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user with a telling name, home and machine."""
    home = tmp_path / "Žofie Müller"
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(report, "_user", lambda: "zofie.m")
    monkeypatch.setattr(report.platform, "node", lambda: "zofies-laptop")
    return home


def test_nothing_private_is_told(person: Path) -> None:
    profile = QgsApplication.qgisSettingsDirPath()
    text = without_private(
        f"{person}/data/a.tif, {profile}worker, /media/zofie.m/disk, on zofies-laptop, "
        f"{str(person).replace('/', chr(92))}{chr(92)}b, https://zofie:pw@mirror/simple"
    )
    assert text == (
        "~/data/a.tif, <profile>/worker, /media/<user>/disk, on <machine>, ~\\b, "
        "https://***@mirror/simple"
    ).replace("<profile>/worker", without_private(f"{profile}worker"))
    for word in ("Žofie", "zofie", "laptop", "pw"):
        assert word not in text


def test_names_inside_other_words_stay(person: Path) -> None:
    assert without_private("azofie.mb") == "azofie.mb"


def test_page_tells_what_a_maintainer_asks_for(person: Path) -> None:
    text = page(VALUES, ["Rasters: it is broken"])
    for words in (
        Qgis.version(), "Rasters: it is broken", "| torch | 2.13.0 |", "DOES NOT WORK",
        "a \\| pipe",
        "T4 (15.0 GiB, 7.5)", "2 of 4 cores", "import torch | 1.5 s", "Free disk at the profile",
        "Graphics |", "plain torch | works: agrees",
    ):  # fmt: skip
        assert words in text
    assert str(person) not in text


def test_page_without_a_worker_still_tells_the_host() -> None:
    text = page({}, ["The worker is missing."])
    assert "- The worker is missing." in text
    assert "## Host" in text
    assert "## Checks" not in text


def test_variables_are_said_to_be_set_without_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRAWEAVE_PYTHON", "/secret/place/python")
    assert "Variable TERRAWEAVE_PYTHON | set" in page({}, [])
    assert os.environ["TERRAWEAVE_PYTHON"] == "/secret/place/python"


def test_table_is_markdown() -> None:
    assert section("T", [("a", "b\nc")]) == "## T\n\n| | |\n|---|---|\n| a | b c |\n"
