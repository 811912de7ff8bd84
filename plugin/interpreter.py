"""Finds the Python of the worker, and says what to do where there is none."""

import os
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsApplication, QgsSettings

from ..core.errors import InputError
from .environment.places import Places

SETTING = "terraweave/python"
VARIABLE = "TERRAWEAVE_PYTHON"
REMEDY = (
    f"Name the Python of a worker environment in the QGIS setting “{SETTING}” or in the "
    f"environment variable {VARIABLE}, or let Terraweave make one: run the tool “Set up the "
    "worker” (terraweave:setup)."
)


class InterpreterError(InputError):
    """There is no usable worker Python; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The worker's Python and where its path was found, in words."""

    path: Path
    origin: str


def worker_folder() -> Path:
    """The folder below the user's profile that belongs to the worker; it may not exist."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "terraweave" / "worker"


def environment_folder() -> Path:
    """Where the worker environment that Terraweave made itself lies: the one in use."""
    return Places(worker_folder()).current() or worker_folder() / "environment"


def cache_folder() -> Path:
    """A folder below the user's profile where the worker's libraries may keep things."""
    return Places(worker_folder()).cache


def bytecode_folder() -> Path:
    """Where the worker's bytecode goes when the plugin's folder may not be written."""
    return Places(worker_folder()).bytecode


def find_interpreter() -> Interpreter:
    """The worker's Python: from the setting, the environment variable, or the profile.

    Only looks at files; no process is started.

    Raises:
        InterpreterError: nothing was found, or what was named cannot be a Python.
    """
    named = (
        (str(QgsSettings().value(SETTING, "") or ""), f"the QGIS setting “{SETTING}”"),
        (os.environ.get(VARIABLE, ""), f"the environment variable {VARIABLE}"),
    )
    for text, origin in named:
        if text.strip():
            return interpreter_at(Path(text.strip()).expanduser(), origin)
    for path in pythons_of(environment_folder()):
        if path.is_file():
            return interpreter_at(path, "the user's profile")
    raise InterpreterError(f"The worker environment of Terraweave is missing. {REMEDY}")


def pythons_of(environment: Path) -> tuple[Path, ...]:
    """Where a Python environment in the folder `environment` has its interpreter."""
    return (
        environment / "bin" / "python",
        environment / "Scripts" / "python.exe",
        environment / "python.exe",
    )


def interpreter_at(path: Path, origin: str) -> Interpreter:
    """The worker's Python that `path`, a file or the folder of an environment, names.

    Raises:
        InterpreterError: it cannot be a Python that runs; `origin` says who named it.
    """
    if path.is_dir():
        path = next((inner for inner in pythons_of(path) if inner.is_file()), path)
    if not path.is_absolute() or not path.is_file():
        raise InterpreterError(
            f"The worker's Python “{path}”, named in {origin}, is no file. {REMEDY}"
        )
    if not os.access(path, os.X_OK):
        raise InterpreterError(
            f"The worker's Python “{path}”, named in {origin}, cannot be run: it is not "
            f"executable. {REMEDY}"
        )
    _check_base(path, origin)
    return Interpreter(path, origin)


def _check_base(path: Path, origin: str) -> None:
    """Refuse a virtual environment whose own Python was removed or updated away."""
    configuration = path.parent.parent / "pyvenv.cfg"
    if not configuration.is_file():
        return
    for line in configuration.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home" and not Path(value.strip()).is_dir():
            raise InterpreterError(
                f"The worker environment “{path.parent.parent}”, named in {origin}, is broken: "
                f"the Python it was made from, “{value.strip()}”, is gone. Make it anew. {REMEDY}"
            )
