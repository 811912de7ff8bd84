"""What metadata.txt tells QGIS and the plugin site agrees with the sources."""

import configparser
import re
from pathlib import Path

import pytest
from terraweave.core import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def metadata() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return parser["general"]


def test_version_is_that_of_the_core(metadata: configparser.SectionProxy) -> None:
    assert metadata["version"] == __version__


def test_changelog_starts_with_this_version(metadata: configparser.SectionProxy) -> None:
    assert metadata["changelog"].split()[0] == __version__


def test_about_names_every_package_of_the_worker(metadata: configparser.SectionProxy) -> None:
    lines = (ROOT / "core" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = {line.split("==")[0] for line in lines if line and not line.startswith("#")}
    named = set(re.findall(r"[a-z0-9-]+", metadata["about"].lower()))
    assert packages - named == set()


def test_requirements_are_pinned_exactly() -> None:
    lines = (ROOT / "core" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in packages if not re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line)] == []


def test_icon_is_there(metadata: configparser.SectionProxy) -> None:
    assert (ROOT / metadata["icon"]).is_file()


def test_provider_is_announced_to_headless_runs(metadata: configparser.SectionProxy) -> None:
    assert metadata["hasProcessingProvider"] == "yes"


def test_file_named_license_holds_the_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "Version 2, June 1991" in text
