"""The page in QGIS's options, and that the worker keeps to what is set there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qgis.core import QgsProcessingFeedback, QgsSettings
from terraweave.core.job import Job
from terraweave.plugin.job import run_job
from terraweave.plugin.limits import limit_variables
from terraweave.ui.options import OptionsPage
from terraweave.ui.preferences import (
    CACHE_SETTING,
    DEVICE_SETTING,
    THREADS_SETTING,
    USUAL_CACHE,
    cache_megabytes,
    threads,
)

KEYS = (CACHE_SETTING, DEVICE_SETTING, THREADS_SETTING, "terraweave/test_python")


@pytest.fixture(autouse=True)
def nothing_set(qgis_app: object) -> Iterator[None]:
    """The settings as in a new profile."""
    for key in KEYS:
        QgsSettings().remove(key)
    yield
    for key in KEYS:
        QgsSettings().remove(key)


class Log(QgsProcessingFeedback):
    """Keeps the lines of the log."""

    def __init__(self) -> None:
        super().__init__(False)
        self.lines: list[str] = []

    def pushInfo(self, info: str) -> None:
        self.lines.append(info)


def test_a_new_profile_sets_no_limits() -> None:
    assert (threads(), cache_megabytes()) == (0, USUAL_CACHE)
    assert limit_variables() == {}


def test_the_page_keeps_what_is_chosen() -> None:
    page = OptionsPage(None, "terraweave/test_python")
    page.threads.setValue(1)
    page.cache.setValue(256)
    page.apply()
    again = OptionsPage(None, "terraweave/test_python")
    assert (again.threads.value(), again.cache.value()) == (1, 256)
    assert (threads(), cache_megabytes()) == (1, 256)


@pytest.mark.parametrize(("written", "read"), [("many", 0), ("-3", 0), ("", 0), ("2", 2)])
def test_a_strange_setting_counts_as_none(written: str, read: int) -> None:
    QgsSettings().setValue(THREADS_SETTING, written)
    assert threads() == read


def test_a_strange_cache_is_kept_in_bounds() -> None:
    QgsSettings().setValue(CACHE_SETTING, 1)
    assert cache_megabytes() == 16


def test_the_worker_keeps_to_the_limits_and_says_so(
    worker_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRAWEAVE_PYTHON", str(worker_python))
    # What the user has set for other programs gives way to what is set here.
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    QgsSettings().setValue(THREADS_SETTING, 1)
    QgsSettings().setValue(CACHE_SETTING, 64)
    log = Log()
    system = run_job(Job("diagnose"), log).values["system"]
    assert (system["threads"], system["raster_cache_megabytes"]) == (1, 64)
    [sentence] = [line for line in log.lines if line.startswith("This run may use")]
    assert sentence.startswith("This run may use 1 of ")
    assert "64 MB for reading and writing rasters" in sentence
