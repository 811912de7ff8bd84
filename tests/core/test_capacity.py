"""What the machine has to give."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from terraweave.core.capacity import (
    CACHE_VARIABLE,
    THREADS_VARIABLE,
    available_in,
    cache_megabytes,
    cores,
    free_disk,
    free_memory,
    limits_sentence,
)


def test_linux_tells_what_is_available_in_kibibytes() -> None:
    text = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    700 kB\n"
    assert available_in(text) == 700 * 1024
    assert available_in("MemTotal: 5 kB\n") is None


def test_free_memory_is_a_number_of_bytes_or_unknown() -> None:
    free = free_memory()
    assert free is None or free > 2**20


_TAKE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from core.capacity import peak_memory
before = peak_memory()
taken = np.ones(2**25)
print(peak_memory() - before > taken.nbytes / 2)
"""


def test_peak_grows_with_what_is_taken() -> None:
    # In a process of its own: what other tests took before would be the peak here.
    command = [sys.executable, "-c", _TAKE, str(Path(__file__).parents[2])]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True", told.stderr


def test_disk_of_a_file_that_is_not_there_yet_is_that_of_its_folder(tmp_path: Path) -> None:
    free = free_disk(tmp_path / "not" / "there" / "map.tif")
    assert free is not None
    assert abs(free - shutil.disk_usage(tmp_path).free) < 2**30


def test_there_is_a_core() -> None:
    assert cores() >= 1


def test_limits_are_those_that_the_host_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (THREADS_VARIABLE, CACHE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert limits_sentence() == ""
    assert cache_megabytes(128) == 128
    monkeypatch.setenv(CACHE_VARIABLE, "64")
    assert cache_megabytes(128) == 64
    assert limits_sentence() == "This run may use 64 MB for reading and writing rasters."
    monkeypatch.setenv(THREADS_VARIABLE, "1")
    assert limits_sentence().startswith("This run may use 1 of ")
    monkeypatch.setenv(CACHE_VARIABLE, "much")
    assert cache_megabytes(128) == 128
