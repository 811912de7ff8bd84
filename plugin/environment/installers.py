"""The command lines of pip and uv. Either takes exactly what the lock says, and only wheels."""

import configparser
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .places import python_in
from .pythons import Python

Command = list[str]
# Settings of a user's own pip that would lead the installation out of its environment.
_MISLEADING = (
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_REQUIREMENT",
    "PIP_CONSTRAINT", "PIP_NO_BINARY", "PIP_DRY_RUN", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT",
    "UV_CONSTRAINT", "UV_OVERRIDE", "UV_TARGET", "UV_PREFIX",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    """Where packages come from: an index instead of the usual one, one more, a folder of wheels."""

    index: str = ""
    extra_index: str = ""
    folder: str = ""

    def options(self) -> Command:
        """The sources as options that pip and uv share."""
        if self.folder:
            return ["--no-index", "--find-links", self.folder]
        options = ["--index-url", self.index] if self.index else []
        return options + (["--extra-index-url", self.extra_index] if self.extra_index else [])


def clean_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` without what QGIS sets for its own Python, GDAL and PROJ."""
    return {
        key: value
        for key, value in variables.items()
        if not key.startswith(("PYTHON", "QT_", "PROJ_", "GDAL_")) and key not in _MISLEADING
    }


def installer_variables(variables: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """`variables` for an installer: its temporary files below ours, nothing misleading."""
    return clean_variables(variables) | {
        "PIP_USER": "0",
        "PIP_NO_INPUT": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "TMPDIR": str(temporary),
        "TEMP": str(temporary),
        "TMP": str(temporary),
    }


def offline_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` for a pip that shall see nothing but the folder on its command line."""
    kept = {key: value for key, value in variables.items() if not key.startswith("PIP_")}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def make_with_venv(python: Python, folder: Path) -> Command:
    """Make an empty environment with Python's own means."""
    return [str(python.path), "-I", "-m", "venv", str(folder)]


def make_with_uv(uv: Path, python: str, folder: Path, cache: Path) -> Command:
    """Make an empty environment with uv; `python` is a file, or a version that uv brings."""
    return [str(uv), "venv", *_uv_options(cache), "--python", python, str(folder)]


def fetch_with_pip(
    environment: Path, requirements: Path, target: Path, sources: Sources
) -> Command:
    """Download wheels into `target`; what is there already is not fetched again."""
    return [
        *_pip(environment), "download", *_PIP_OPTIONS, "--no-deps", "--only-binary", ":all:",
        "--require-hashes", "--requirement", str(requirements), "--dest", str(target),
        *sources.options(),
    ]  # fmt: skip


def fetch_for_platform(
    environment: Path, requirements: Path, target: Path, sources: Sources,
    python: str, wheels: Sequence[str],
) -> Command:  # fmt: skip
    """Download wheels for another platform and Python, as the names of the `wheels` say."""
    tags = [name.removesuffix(".whl").split("-")[-3:] for name in wheels]
    abis = sorted({abi for _, abis, _ in tags for abi in abis.split(".")})
    platforms = sorted({one for *_, many in tags for one in many.split(".")} - {"any"})
    command = fetch_with_pip(environment, requirements, target, sources)
    command += ["--python-version", python, "--implementation", "cp"]
    command += [part for abi in abis for part in ("--abi", abi)]
    return command + [part for one in platforms for part in ("--platform", one)]


def install_with_pip(environment: Path, requirements: Path, folder: Path) -> Command:
    """Install from a folder of wheels, without any network."""
    return [
        *_pip(environment), "install", *_PIP_OPTIONS, "--no-deps", "--only-binary", ":all:",
        "--require-hashes", "--no-warn-script-location", "--no-cache-dir",
        "--requirement", str(requirements), *Sources(folder=str(folder)).options(),
    ]  # fmt: skip


def install_with_uv(
    uv: Path, environment: Path, requirements: Path, cache: Path, sources: Sources
) -> Command:
    """Install from where the sources say; uv keeps what it fetched in `cache`."""
    return [
        str(uv), "pip", "install", *_uv_options(cache), "--python", str(python_in(environment)),
        "--no-deps", "--only-binary", ":all:", "--require-hashes", "--link-mode", "copy",
        "--index-strategy", "unsafe-best-match",
        "--requirement", str(requirements), *sources.options(),
    ]  # fmt: skip


def add_with_pip(environment: Path, requirement: str, sources: Sources, *options: str) -> Command:
    """Add a package that the lock does not have; only its index vouches for it."""
    return [
        *_pip(environment), "install", *_PIP_OPTIONS, *options, requirement, *sources.options(),
    ]  # fmt: skip


_PIP_OPTIONS = ("--no-color", "--progress-bar", "off", "--disable-pip-version-check",
                "--retries", "2")  # fmt: skip


def _pip(environment: Path) -> Command:
    return [str(python_in(environment)), "-I", "-m", "pip"]


def _uv_options(cache: Path) -> Command:
    return ["--no-config", "--no-progress", "--color", "never", "--cache-dir", str(cache)]


def uv_variables(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What uv needs to know of pip's settings, which it does not read by itself.

    A company's mirror is usually set for pip alone. `folder` takes Pythons that uv brings.
    """
    told = pip_settings(variables)
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
        "trusted-host": "UV_INSECURE_HOST",
    }
    found = {
        name: (" " if name != "UV_FIND_LINKS" else ",").join(told[key].split())
        for key, name in names.items()
        if told.get(key) and name not in variables
    }
    return {**variables, **found, "UV_PYTHON_INSTALL_DIR": str(folder)}


def pip_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """The settings of the user's pip: its files, and over them its variables."""
    settings: dict[str, str] = {}
    for file in _pip_files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            # pip itself will say what is wrong with its file.
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings |= dict(parser.items(section))
    prefix = "PIP_"
    return settings | {
        key.removeprefix(prefix).lower().replace("_", "-"): value
        for key, value in variables.items()
        if key.startswith(prefix)
    }


def _pip_files(variables: Mapping[str, str]) -> Iterator[Path]:
    named = variables.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    yield Path("/etc/pip.conf")
    for key, parts in (
        ("ProgramData", ("pip", "pip.ini")),
        ("APPDATA", ("pip", "pip.ini")),
        ("HOME", (".pip", "pip.conf")),
        ("HOME", (".config", "pip", "pip.conf")),
        ("HOME", ("Library", "Application Support", "pip", "pip.conf")),
        ("XDG_CONFIG_HOME", ("pip", "pip.conf")),
    ):
        if variables.get(key):
            yield Path(variables[key]).joinpath(*parts)
    if named:
        yield Path(named)
