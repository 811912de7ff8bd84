"""What the machine has to give."""

import shutil
from pathlib import Path

import numpy as np
from terraweave.core.capacity import available_in, cores, free_disk, free_memory, peak_memory


def test_linux_tells_what_is_available_in_kibibytes() -> None:
    text = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    700 kB\n"
    assert available_in(text) == 700 * 1024
    assert available_in("MemTotal: 5 kB\n") is None


def test_free_memory_is_a_number_of_bytes_or_unknown() -> None:
    free = free_memory()
    assert free is None or free > 2**20


def test_peak_grows_with_what_is_taken() -> None:
    before = peak_memory()
    taken = np.ones(2**25)
    assert peak_memory() - before > taken.nbytes / 2


def test_disk_of_a_file_that_is_not_there_yet_is_that_of_its_folder(tmp_path: Path) -> None:
    free = free_disk(tmp_path / "not" / "there" / "map.tif")
    assert free is not None
    assert abs(free - shutil.disk_usage(tmp_path).free) < 2**30


def test_there_is_a_core() -> None:
    assert cores() >= 1
