"""What a set-up will do, worked out before anything is done, in words a person can read."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .failures import FAILURES, SetupError, classified_os_error
from .graphics import Graphics, choose_builds, find_graphics, preferred_pythons
from .installers import Sources
from .lock import (
    Wheel,
    builds_of,
    download_bytes,
    installed_bytes,
    lock_key,
    platform_name,
    pythons_of,
    read_lock,
    wheels_for,
)
from .places import Places
from .pythons import Python, PythonError, choose_python, find_uv

# The longest path inside an environment, below its folder; Windows allows 259 in all.
_LONGEST_INSIDE = 170
_LONGEST_ON_WINDOWS = 259
# What a disk should keep free for everything else.
_SPARE = 200_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for; everything has a default that suits most.

    `wanted` is auto, cpu or gpu. `sources` say where packages come from. `installer` is auto, pip
    or uv.
    """

    python: str = ""
    wanted: str = "auto"
    sources: Sources = field(default_factory=Sources)
    installer: str = "auto"
    mamba: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One environment that could be made.

    `minor` is its Python version, such as 3.11; where there is no `python` yet, uv brings it.
    """

    platform: str
    build: str
    reason: str
    minor: str
    python: Python | None
    uv: Path | None
    wheels: tuple[Wheel, ...]
    sources: Sources
    places: Places
    mamba: bool = False
    card_build: bool = False

    @property
    def key(self) -> str:
        """The name of the environment's folder: build, Python and the hash of the lock."""
        build = "card" if self.card_build else self.build
        return f"{build}-py{self.minor.replace('.', '')}-{lock_key(self.wheels)}"

    @property
    def to_download(self) -> int:
        """About how many bytes come over the network."""
        return 0 if self.sources.folder else download_bytes(self.wheels, self.build)

    @property
    def room(self) -> int:
        """About how many bytes of disk are needed meanwhile."""
        return self.to_download + installed_bytes(self.build) + _SPARE

    def sentences(self) -> list[str]:
        """What will happen, for a person."""
        ready = self.places.proved(self.key)
        if ready is not None:
            return [
                self.reason,
                f"The environment in {ready} was made from exactly these packages. It proves "
                "itself again and is used, unless it does not work any more; then it is made anew.",
            ]
        if self.python:
            version = ".".join(str(part) for part in self.python.version)
            made = f"It is made from Python {version} of {self.python.origin}: {self.python.path}."
        else:
            made = f"No suitable Python is installed, so uv brings Python {self.minor}."
        source = (
            f"The packages come from the folder {self.sources.folder}; nothing is downloaded."
            if self.sources.folder
            else f"About {megabytes(self.to_download)} are downloaded with {self.tool}."
        )
        return [
            self.reason,
            made,
            f"{len({one.package for one in self.wheels})} packages are installed, each at the "
            "version and with the hash that was tested.",
            source,
            f"It goes into {self.places.environments / self.key} and takes about "
            f"{megabytes(installed_bytes(self.build))}. Nothing is added to QGIS's own Python, and "
            "the environment in use stays until the new one has proved itself.",
        ]

    @property
    def tool(self) -> str:
        """The installer's name."""
        return "uv" if self.uv else "pip"


def megabytes(size: int) -> str:
    """A size in the words of a person."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def make_plans(
    request: Request,
    root: Path,
    variables: Mapping[str, str],
    *,
    platform: str = "",
    lock: tuple[Wheel, ...] | None = None,
    graphics: Graphics | None = None,
) -> list[Plan]:
    """The environments to try, best first; the later ones only where a build cannot be had.

    Raises:
        LockError: there is no worker for this platform.
        PythonError: there is no suitable Python.
        SetupError: uv was asked for and is not there.
    """
    platform = platform or platform_name()
    lock = read_lock(platform) if lock is None else lock
    graphics = find_graphics(platform, variables) if graphics is None else graphics
    uv = _uv_for(request, variables)
    pythons = pythons_of(lock)
    has_cpu = [one for one in pythons if builds_of(lock, one) != ("cuda",)]
    wanted = "gpu" if request.wanted == "auto" and graphics.usable else request.wanted
    python, minor = _python(
        request, pythons, variables, uv, preferred_pythons(wanted, pythons, has_cpu)
    )
    builds, reason = choose_builds(request.wanted, builds_of(lock, minor), graphics)
    card_build, reason = _card_build(platform, wanted, request, reason)
    first = Plan(
        platform, "", reason, minor, python, uv, (), request.sources, Places(root),
        request.mamba, card_build,
    )  # fmt: skip
    return [replace(first, build=one, wheels=wheels_for(lock, minor, one)) for one in builds]


def make_fetch_plan(
    platform: str,
    minor: str,
    wanted: str,
    sources: Sources,
    root: Path,
    variables: Mapping[str, str],
) -> Plan:
    """What to fetch into a folder of wheels; by default for this platform and its Python.

    Raises:
        LockError: the lock has no such platform or Python.
        PythonError: there is no Python here whose pip could fetch.
    """
    here = platform_name()
    python = choose_python(pythons_of(read_lock(here)), variables)
    lock = read_lock(platform or here)
    minor = minor or ("3.12" if platform else python.minor)
    builds = builds_of(lock, minor)
    build = {"cpu": "cpu", "gpu": "cuda"}.get(wanted, "cpu")
    build = build if build in builds else (builds or ("any",))[0]
    wheels = wheels_for(lock, minor, build)
    return Plan(platform or here, build, "", minor, python, None, wheels, sources, Places(root))


def _card_build(platform: str, wanted: str, request: Request, reason: str) -> tuple[bool, str]:
    """Whether torch's build for cards comes from the user's own index, and why, in words."""
    if not platform.startswith("windows") or wanted != "gpu":
        return False, reason
    if request.sources.extra_index and not request.sources.folder:
        return True, f"{reason} Its build for NVIDIA cards comes from the index that you named."
    return False, (
        f"{reason} It computes on the processor: for Windows the public index has none for NVIDIA "
        "cards. Name an index that has one in EXTRA_INDEX to use the card."
    )


def _uv_for(request: Request, variables: Mapping[str, str]) -> Path | None:
    if request.installer == "pip":
        return None
    uv = find_uv(variables)
    if uv is None and request.installer == "uv":
        raise SetupError(
            "unsuitable_python",
            "The installer uv is not there; install it, or choose pip (INSTALLER).",
        )
    return uv


def _python(
    request: Request,
    pythons: tuple[str, ...],
    variables: Mapping[str, str],
    uv: Path | None,
    prefer: tuple[str, ...],
) -> tuple[Python | None, str]:
    """A Python that is here, or none, and the version, which uv may have to bring."""
    try:
        found = choose_python(
            pythons, variables, named=request.python, with_uv=uv is not None, prefer=prefer
        )
    except PythonError:
        if uv is None or request.python or request.sources.folder:
            raise
        return None, (prefer or pythons)[0]
    return found, found.minor


def check_room(plan: Plan, free: int | None = None) -> None:
    """Refuse before any work what cannot end well: no rights, no disk, too long a path.

    `free` stands for the free bytes of the disk.

    Raises:
        SetupError: the set-up would fail.
    """
    root = plan.places.root
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"terraweave")
    except OSError as error:
        raise classified_os_error(error, f"looking whether “{root}” can be written") from error
    free = shutil.disk_usage(root).free if free is None else free
    if free < plan.room:
        raise SetupError(
            "disk_full",
            f"The disk of “{root}” has {megabytes(free)} free, and the set-up needs about "
            f"{megabytes(plan.room)}. Free some space, or use a QGIS profile on a larger disk.",
        )
    length = len(str(plan.places.environments / plan.key)) + _LONGEST_INSIDE
    if os.name == "nt" and length > _LONGEST_ON_WINDOWS and not _long_paths_allowed():
        raise SetupError("long_path", FAILURES["long_path"].sentence)


def _long_paths_allowed() -> bool:
    """Whether Windows was told to allow paths of more than 259 characters."""
    if sys.platform != "win32":
        return True
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False
