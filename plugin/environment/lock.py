"""The lock: which wheels the worker takes on a platform and Python, with the hash of each.

The locks in `locks/` are made by tools/make_lock.py from core/requirements.txt.
"""

import hashlib
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...core.errors import InputError

FOLDER = Path(__file__).resolve().parent / "locks"
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "macos-arm64")
# Bytes that an installed environment takes; measured with torch 2.13 where there is a card's
# build, the packages of NVIDIA among it, and where there is none.
_INSTALLED = {"any": 1_700_000_000, "cpu": 1_700_000_000, "cuda": 8_000_000_000}
_DOWNLOADED = {"any": 500_000_000, "cpu": 400_000_000, "cuda": 3_300_000_000}
_SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
_MACHINES = {"AMD64": "x86_64", "amd64": "x86_64", "x64": "x86_64"}


class LockError(InputError):
    """The lock has no wheels for this platform or Python; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of the lock; `size` in bytes is 0 where it is not known."""

    package: str
    version: str
    pythons: tuple[str, ...]
    build: str
    size: int
    name: str
    sha256: str


def platform_name(system: str = "", machine: str = "") -> str:
    """Our name of a platform, such as `linux-x86_64`; by default of this one.

    Raises:
        LockError: there are no wheels of torch for it.
    """
    system, machine = system or platform.system(), machine or platform.machine()
    name = f"{_SYSTEMS.get(system, system)}-{_MACHINES.get(machine, machine)}"
    if name not in PLATFORMS:
        raise LockError(
            f"There is no worker for {system} on {machine}; Terraweave computes on "
            f"{', '.join(PLATFORMS)}. Use another computer for the work, with “python -m core”."
        )
    return name


@cache
def read_lock(name: str) -> tuple[Wheel, ...]:
    """All wheels of the platform `name`, for every Python and build."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(_wheel(line) for line in lines if line and not line.startswith("#"))


def _wheel(line: str) -> Wheel:
    package, version, pythons, build, size, name, sha256 = line.partition("  #")[0].split()
    return Wheel(package, version, tuple(pythons.split(",")), build, int(size), name, sha256)


def pythons_of(wheels: Iterable[Wheel]) -> tuple[str, ...]:
    """The Python versions that have a torch among `wheels`, such as 3.11, oldest first."""
    found = {one for wheel in wheels if wheel.package == "torch" for one in wheel.pythons}
    return tuple(sorted(found, key=lambda text: [int(part) for part in text.split(".")]))


def builds_of(wheels: Iterable[Wheel], python: str) -> tuple[str, ...]:
    """The builds of torch for a Python version: `any`, or `cpu` and `cuda`, or `cuda` alone."""
    builds = {w.build for w in wheels if w.package == "torch" and python in w.pythons}
    return tuple(sorted(builds))


def wheels_for(wheels: Iterable[Wheel], python: str, build: str) -> tuple[Wheel, ...]:
    """The wheels of one environment.

    Raises:
        LockError: the lock knows no such build for this Python.
    """
    wheels = tuple(wheels)
    if build not in builds_of(wheels, python):
        raise LockError(
            f"The lock has no torch of build “{build}” for Python {python}; it has Python "
            f"{', '.join(pythons_of(wheels))}."
        )
    return tuple(w for w in wheels if python in w.pythons and w.build in ("any", build))


def requirements_text(wheels: Sequence[Wheel]) -> str:
    """The wheels as a requirements file for pip and uv, with every hash."""
    hashes: dict[str, list[str]] = {}
    for wheel in wheels:
        hashes.setdefault(f"{wheel.package}=={wheel.version}", []).append(wheel.sha256)
    return "".join(
        f"{pin}{''.join(f' --hash=sha256:{one}' for one in some)}\n" for pin, some in hashes.items()
    )


def lock_key(wheels: Sequence[Wheel]) -> str:
    """A short name of exactly these wheels: part of the name of their environment's folder."""
    return hashlib.sha256(requirements_text(wheels).encode()).hexdigest()[:12]


def download_bytes(wheels: Sequence[Wheel], build: str) -> int:
    """About how much there is to download; where a size is missing, the usual total."""
    largest: dict[str, int] = {}
    for wheel in wheels:
        largest[wheel.package] = max(largest.get(wheel.package, 0), wheel.size)
    return sum(largest.values()) if all(largest.values()) else _DOWNLOADED[build]


def installed_bytes(build: str) -> int:
    """About how much disk an environment takes."""
    return _INSTALLED[build]
