"""Finds a Python that the worker's environment can be made from.

Never `sys.executable`: inside QGIS that is QGIS itself on Windows and macOS, and whatever comes
first on the PATH on Linux. Candidates are files that are called python and lie where QGIS's own
Python, the system's or uv's lies; each is asked what it is before it is used.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import Cancelled, InputError
from .child import run_child

_QUESTION = """\
import json, platform, struct, sys
def has(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print("terraweave " + json.dumps({
    "version": list(sys.version_info[:3]), "bits": 8 * struct.calcsize("P"),
    "implementation": platform.python_implementation(), "machine": platform.machine(),
    "venv": has("venv"), "ensurepip": has("ensurepip"), "ssl": has("ssl")}))
"""
_ANSWER = re.compile(r"^terraweave (\{.*\})$", re.MULTILINE)
_NAME = re.compile(r"^python(w)?(\d(\.\d+)?)?(\.exe)?$", re.IGNORECASE)
# The oldest whose grammar the worker is written in.
OLDEST_PYTHON = (3, 10)
_SECONDS = 20.0
_REMEDY = (
    "Install Python {wanted} from your system's packages, or uv, which brings one; or name a "
    "Python in the parameter PYTHON."
)


class PythonError(InputError):
    """There is no suitable Python; the message says what was looked at and what to do."""


@dataclass(frozen=True, slots=True)
class Python:
    """A Python that answered, and where it was found, in words."""

    path: Path
    origin: str
    version: tuple[int, ...]
    bits: int
    implementation: str
    venv: bool
    ensurepip: bool
    ssl: bool

    @property
    def minor(self) -> str:
        """The version as the lock names it, such as 3.11."""
        return ".".join(str(part) for part in self.version[:2])

    def obstacle(self, pythons: Iterable[str], *, with_uv: bool) -> str:
        """Why no environment can be made from it, as half a sentence; empty where one can."""
        if self.implementation != "CPython":
            return f"it is {self.implementation}, and the wheels are for CPython"
        if self.bits != 64:
            return f"it is a {self.bits}-bit program; torch needs 64"
        if self.minor not in pythons:
            return f"it is Python {self.minor}; the worker needs {_listed(pythons)}"
        if with_uv:
            return ""
        if not self.venv or not self.ensurepip:
            return (
                "its venv module is incomplete (on Debian and Ubuntu, install the package "
                f"python{self.minor}-venv)"
            )
        return "" if self.ssl else "it was built without SSL, so it cannot download"


def candidates(variables: Mapping[str, str] | None = None) -> Iterator[tuple[Path, str]]:
    """Files that may be a Python, the most fitting first, and where each was found."""
    variables = os.environ if variables is None else variables
    seen: set[Path] = set()
    for path, origin in _places(variables):
        if not _NAME.match(path.name) or not path.is_file() or _is_store_stub(path):
            continue
        resolved = path.resolve()
        if resolved not in seen:
            seen.add(resolved)
            yield path, origin


def _places(variables: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    names = (f"python{version}", "python3", "python.exe", "python3.exe")
    # The folders of the Python that runs inside QGIS: its interpreter program is near them.
    library = Path(os.__file__).resolve().parent
    roots = [Path(sys.base_exec_prefix), Path(sys.base_prefix), library.parent, library.parents[1]]
    for root in roots:
        for folder in (root, root / "bin"):
            for name in names:
                yield folder / name, "the Python of QGIS"
    # In the macOS bundle the interpreter lies beside the program.
    for name in names:
        yield Path(sys.executable).parent / "bin" / name, "the Python of QGIS"
    for folder in _search_path(variables):
        for minor in range(9, 20):
            yield folder / f"python3.{minor}", "the system"
        for name in ("python3", "python3.exe", "python.exe"):
            yield folder / name, "the system"
    for folder in _usual_folders(variables):
        yield from ((path, "the system") for path in sorted(folder.glob("python3.[0-9]*")))
        yield from ((path, "the system") for path in sorted(folder.glob("Python3*/python.exe")))
        yield from ((path, "uv") for path in sorted(folder.glob("cpython-3*/bin/python3")))
        yield from ((path, "uv") for path in sorted(folder.glob("cpython-3*/python.exe")))


def _search_path(variables: Mapping[str, str]) -> list[Path]:
    return [Path(part) for part in variables.get("PATH", "").split(os.pathsep) if part]


def _usual_folders(variables: Mapping[str, str]) -> Iterator[Path]:
    yield from (Path("/usr/bin"), Path("/usr/local/bin"), Path("/opt/homebrew/bin"))
    for key in ("LOCALAPPDATA", "APPDATA", "ProgramFiles"):
        if variables.get(key):
            yield Path(variables[key]) / "Programs" / "Python"
            yield Path(variables[key]) / "uv" / "python"
            yield Path(variables[key])
    if variables.get("HOME"):
        yield Path(variables["HOME"]) / ".local" / "share" / "uv" / "python"


def _is_store_stub(path: Path) -> bool:
    """Whether this is the file of Windows that opens the shop instead of being Python."""
    return "WindowsApps" in path.parts


def examine(path: Path, origin: str, variables: Mapping[str, str]) -> Python:
    """Ask a Python what it is.

    Raises:
        PythonError: it is missing, does not start, or gives no answer.
    """
    if not path.is_file():
        raise PythonError(f"There is no Python “{path}”. {_remedy(())}")
    if not _NAME.match(path.name):
        raise PythonError(
            f"“{path}” is not called python, and is not started: it may be QGIS itself. Name the "
            "interpreter program."
        )
    try:
        outcome = run_child([path, "-I", "-c", _QUESTION], variables, cancelled=_deadline())
    except OSError as error:
        raise PythonError(f"The Python “{path}” does not start: {error.strerror}.") from error
    except Cancelled as error:
        raise PythonError(f"The Python “{path}” did not answer in {_SECONDS:.0f} s.") from error
    found = _ANSWER.search(outcome.text)
    if found is None:
        last = (outcome.text.splitlines() or ["nothing"])[-1]
        raise PythonError(
            f"“{path}” did not answer as a Python (status {outcome.status}, it said: {last})."
        )
    told = json.loads(found[1])
    return Python(
        path, origin, tuple(told["version"]), told["bits"], told["implementation"],
        told["venv"], told["ensurepip"], told["ssl"],
    )  # fmt: skip


def _deadline() -> Callable[[], bool]:
    end = time.monotonic() + _SECONDS
    return lambda: time.monotonic() > end


def choose_python(
    pythons: Iterable[str],
    variables: Mapping[str, str],
    *,
    named: str = "",
    with_uv: bool = False,
    prefer: Iterable[str] = (),
) -> Python:
    """The Python to make the environment from: the one that is named, or the first that fits.

    `pythons` are the versions that the lock has; of these, `prefer` are taken where there is one.

    Raises:
        PythonError: none fits; the message says why each was passed over.
    """
    pythons, preferred = tuple(pythons), tuple(prefer)
    if named:
        return _checked(Path(named).expanduser(), pythons, variables, with_uv)
    passed: list[str] = []
    fitting: list[Python] = []
    for path, origin in candidates(variables):
        try:
            python = examine(path, origin, variables)
        except PythonError as error:
            passed.append(str(error))
            continue
        obstacle = python.obstacle(pythons, with_uv=with_uv)
        if obstacle:
            passed.append(f"“{path}”: {obstacle}.")
            continue
        if not preferred or python.minor in preferred:
            return python
        fitting.append(python)
    if fitting:
        return fitting[0]
    looked = " ".join(passed[:6]) or "None was found at all."
    raise PythonError(f"No suitable Python was found. {looked} {_remedy(pythons)}")


def _checked(
    path: Path, pythons: tuple[str, ...], variables: Mapping[str, str], with_uv: bool
) -> Python:
    python = examine(path, "the parameter PYTHON", variables)
    obstacle = python.obstacle(pythons, with_uv=with_uv)
    if obstacle:
        raise PythonError(f"The Python “{path}” cannot be used: {obstacle}. {_remedy(pythons)}")
    return python


def _remedy(pythons: Iterable[str]) -> str:
    return _REMEDY.format(wanted=_listed(pythons) or "3")


def _listed(pythons: Iterable[str]) -> str:
    *first, last = tuple(pythons) or ("",)
    return f"{', '.join(first)} or {last}" if first else last


def find_uv(variables: Mapping[str, str]) -> Path | None:
    """The program uv, where it is installed."""
    named = variables.get("UV", "")
    if named and Path(named).is_file():
        return Path(named)
    home = Path(variables.get("HOME") or variables.get("USERPROFILE") or os.sep)
    folders = (home / ".local" / "bin", home / ".cargo" / "bin", Path("/opt/homebrew/bin"))
    path = os.pathsep.join([variables.get("PATH", ""), *map(str, folders)])
    found = shutil.which("uv", path=path)
    return Path(found) if found else None
