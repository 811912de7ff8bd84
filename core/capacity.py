"""How much memory and disk this machine has to give, and how much this process has taken."""

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path

_KIBIBYTE = 1024
# What the host sets from the user's options.
CACHE_VARIABLE = "TERRAWEAVE_CACHE_MEGABYTES"
THREADS_VARIABLE = "TERRAWEAVE_THREADS"


def free_memory() -> int | None:
    """Bytes that a program may still take without pushing others out; None where unknown."""
    if sys.platform == "win32":
        return _windows_free_memory()
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    return available_in(text)


def available_in(meminfo: str) -> int | None:
    """The available bytes that the text of Linux's /proc/meminfo tells of."""
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * _KIBIBYTE
    return None


def peak_memory() -> int:
    """The most bytes of memory that this process has had so far; 0 where unknown."""
    if sys.platform == "win32":
        return _windows_peak_memory()
    with contextlib.suppress(OSError, ValueError):
        # The figure below is inherited from whoever starts a process, and QGIS is large.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIBIBYTE
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIBIBYTE


def free_disk(path: str | Path) -> int | None:
    """Free bytes on the disk that `path`, which need not exist yet, is to be written to."""
    target = Path(path).absolute()
    there = next((one for one in (target, *target.parents) if one.exists()), None)
    try:
        return shutil.disk_usage(there).free if there is not None else None
    except OSError:
        return None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in (
            "total", "available", "total_page", "available_page", "total_virtual",
            "available_virtual", "available_extended",
        )),
    )  # fmt: skip


class _ProcessMemory(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("faults", ctypes.c_uint32),
        *((name, ctypes.c_size_t) for name in (
            "peak", "now", "peak_paged", "paged", "peak_other", "other", "pagefile",
            "peak_pagefile",
        )),
    )  # fmt: skip


def _windows_free_memory() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    system = ctypes.CDLL("kernel32")
    return int(status.available) if system.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _windows_peak_memory() -> int:
    counters = _ProcessMemory(length=ctypes.sizeof(_ProcessMemory))
    system = ctypes.CDLL("kernel32")
    system.GetCurrentProcess.restype = ctypes.c_void_p
    this = ctypes.c_void_p(system.GetCurrentProcess())
    done = system.K32GetProcessMemoryInfo(this, ctypes.byref(counters), counters.length)
    return int(counters.peak) if done else 0


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_megabytes(usual: int) -> int:
    """How much memory GDAL may keep pixels in: what the user has set, else `usual`."""
    text = os.environ.get(CACHE_VARIABLE, "")
    return int(text) if text.isdecimal() and int(text) > 0 else usual


def limits_sentence() -> str:
    """What the user has set as limits, for the log; empty where nothing is set."""
    parts = []
    threads = os.environ.get(THREADS_VARIABLE, "")
    if threads.isdecimal():
        parts.append(f"{threads} of {cores()} cores")
    if CACHE_VARIABLE in os.environ:
        parts.append(f"{os.environ[CACHE_VARIABLE]} MB for reading and writing rasters")
    return f"This run may use {' and '.join(parts)}." if parts else ""
