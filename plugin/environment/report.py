"""The diagnosis as one Markdown page that can be pasted into an issue, without anything private."""

import getpass
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from qgis.core import Qgis, QgsApplication, QgsCommandLineUtils, QgsSettings
from qgis.PyQt.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, QLocale

from ...core import __version__
from ..interpreter import SETTING, VARIABLE, InterpreterError, find_interpreter, worker_folder
from .child import hidden
from .graphics import find_graphics
from .installers import clean_variables
from .lock import LockError, lock_key, platform_name, pythons_of, read_lock, wheels_for
from .places import Places, read_mark
from .plan import megabytes

_LOG_LINES = 15
# Names that many machines share tell nothing about a person, and are words elsewhere.
_COMMON_NAMES = {"root", "user", "admin", "administrator", "qgis", "debian", "ubuntu", "home"}

Rows = list[tuple[str, str]]


def without_private(text: str) -> str:
    """`text` without the folders of the profile and of the home, the user's and machine's name."""
    profile = QgsApplication.qgisSettingsDirPath().rstrip("/\\")
    for path, word in ((profile, "<profile>"), (str(Path.home()), "~")):
        for spelled in {path, path.replace("\\", "/"), path.replace("/", "\\")}:
            if len(spelled) > 1:
                text = text.replace(spelled, word)
    text = hidden(text, ())
    for name, word in ((_user(), "<user>"), (platform.node(), "<machine>")):
        if len(name) > 2 and name.lower() not in _COMMON_NAMES:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A process without a name, as in a container.
        return Path.home().name


def host_rows() -> Rows:
    """QGIS, Qt and the system."""
    rows = [
        ("Terraweave", __version__),
        ("QGIS", f"{Qgis.version()} ({Qgis.devVersion()})"),
        ("Qt, PyQt", f"{QT_VERSION_STR}, {PYQT_VERSION_STR}"),
        ("Python of QGIS", sys.version.split()[0]),
        ("System", f"{platform.platform()}, {os.cpu_count()} cores"),
        ("Language", QLocale().name()),
        ("Sandbox", _sandbox() or "none"),
    ]
    wanted = ("GDAL", "PROJ", "GEOS", "SQLite", "OS ")
    for line in QgsCommandLineUtils.allVersions().splitlines():
        name, _, value = line.strip().partition(" version")
        if line.strip().startswith(wanted) and value:
            rows.append((name.strip(), value.strip()))
    return rows


def _sandbox() -> str:
    names = {"FLATPAK_ID": "Flatpak", "SNAP": "Snap", "APPIMAGE": "AppImage"}
    return ", ".join(word for name, word in names.items() if os.environ.get(name))


def environment_rows() -> Rows:
    """Which worker environment is used, how it was made, and what there is for another."""
    try:
        found = find_interpreter()
        rows = [("Worker's Python", f"{found.path}, from {found.origin}")]
    except InterpreterError as error:
        rows = [("Worker's Python", str(error))]
    places = Places(worker_folder())
    current = places.current()
    mark = read_mark(current) if current else None
    if current is not None:
        rows.append(("Made by set-up", current.name if mark else f"{current.name}, unfinished"))
    if mark:
        rows.append(("Fits this version's lock", _fits(mark)))
        rows.append(("Installer", str(mark.get("installer", ""))))
    rows.append(("Free disk at the profile", megabytes(_free(places.root))))
    rows += _settings()
    rows.append((f"Variable {VARIABLE}", "set" if os.environ.get(VARIABLE) else "not set"))
    proxy = QgsSettings().value("proxy/proxyEnabled", False, type=bool)
    rows.append(("Proxy in QGIS", "set" if proxy else "not set"))
    return rows


def _settings() -> Rows:
    """Every setting of Terraweave that differs from its default."""
    settings = QgsSettings()
    settings.beginGroup(SETTING.split("/")[0])
    rows = [(f"Setting {key}", str(settings.value(key))) for key in sorted(settings.allKeys())]
    settings.endGroup()
    return rows or [("Settings", "none set")]


def _fits(mark: Mapping[str, object]) -> str:
    """Whether the environment in use is what a set-up would make today."""
    python, build = str(mark.get("python", "")), str(mark.get("build", ""))
    try:
        wheels = wheels_for(read_lock(platform_name()), python, build)
    except LockError as error:
        return f"no: {error}"
    fits = str(mark.get("key", "")).endswith(lock_key(wheels))
    return "yes" if fits else "no; run the set-up to bring it up to date"


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def platform_rows() -> Rows:
    """What the lock has for this machine, and the graphics card."""
    try:
        name = platform_name()
    except LockError as error:
        return [("Platform", str(error))]
    graphics = find_graphics(name, clean_variables(os.environ))
    return [
        ("Platform", f"{name}, Python {', '.join(pythons_of(read_lock(name)))}"),
        ("Graphics", graphics.sentence),
    ]


def worker_parts(values: Mapping[str, object]) -> list[str]:
    """What the worker told, as parts of the page."""
    devices, system = _table(values, "devices"), _table(values, "system")
    rows = [
        ("Device taken by “auto”", str(devices.get("choice", ""))),
        ("torch built for CUDA", str(devices.get("built_for_cuda") or "no")),
        ("Cards", _cards(devices) or "none"),
        ("Threads", f"{system.get('threads')} of {system.get('cores')} cores"),
    ]
    versions = [(name, str(version)) for name, version in _table(values, "versions").items()]
    checks = [
        (str(one["name"]), f"{_word(one['passed'])} ({one['seconds']} s): {one['finding']}")
        for one in _list(values, "checks")
    ]
    scans = [
        (str(one["title"]), f"{_word(one['works'])}: {one['finding']}")
        for one in _list(values, "scans")
    ]
    seconds = [
        (name.replace("_", " "), f"{value} s") for name, value in _table(values, "seconds").items()
    ]
    return [
        section("Devices", rows),
        section("Versions in the worker", versions),
        section("Checks", checks),
        section("Scan backends", scans),
        section("Timings", seconds),
    ]


def _word(works: object) -> str:
    return "works" if works else "DOES NOT WORK"


def _cards(devices: Mapping[str, object]) -> str:
    return ", ".join(
        f"{card['name']} ({card['memory_gib']} GiB, {card['capability']})"
        for card in _list(devices, "cards")
    )


def _table(values: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(values: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = values.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def log_part() -> str:
    """The end of the newest log of the installer."""
    logs = sorted((worker_folder() / "logs").glob("setup-*.log"))
    if not logs:
        return ""
    lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join([f"## End of {logs[-1].name}", "", "```", *lines, "```", ""])


def section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A part of the page: a title and a table."""
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def page(values: Mapping[str, object], problems: Iterable[str]) -> str:
    """The whole page, with nothing private in it."""
    found = [f"- {_cell(problem)}" for problem in problems] or ["- none"]
    parts = [
        "\n".join(["# Terraweave diagnosis", "", "## Problems", "", *found, ""]),
        section("Host", host_rows()),
        section("Worker environment", [*environment_rows(), *platform_rows()]),
        *(worker_parts(values) if values else []),
        log_part(),
    ]
    return without_private("\n".join(part for part in parts if part))
