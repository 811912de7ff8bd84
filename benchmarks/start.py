"""What the plugin costs at the start of QGIS, in milliseconds of the processor.

Three ways: a Python with QGIS loads and starts it as `qgis_process` does; a desktop under Xvfb
tells what QGIS itself measured for `classFactory` and `initGui`; `qgis_process list` runs with it
and without it in turn. Each with the bytecode that Python keeps beside the sources, and from a
folder where it may keep none.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .measure import write

ROOT = Path(__file__).resolve().parents[1]
PAIRS, HOSTS, DESKTOPS = 15, 15, 7
LIMIT_MS = 50.0
SETTINGS = "[PythonPlugins]\nterraweave={enabled}\n[qgis]\ncheckVersion=false\nshowTips=false\n"
# The folder of a clean desktop's tools is the user's: HOME is a folder of ours.
HOST = """
import pathlib, sys, time
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
sys.path.insert(0, str(pathlib.Path(application.pkgDataPath()) / "python" / "plugins"))
import processing, qgis.utils
sys.path.insert(0, sys.argv[1])
started = time.process_time()
assert qgis.utils.loadPlugin("terraweave")
qgis.utils.plugins["terraweave"] = sys.modules["terraweave"].classFactory(None)
qgis.utils.plugins["terraweave"].initProcessing()
print(time.process_time() - started)
qgis.utils.plugins["terraweave"].unload()
application.exitQgis()
"""
REPORT = """
import os, pathlib, qgis.utils
told = qgis.utils.plugin_times.get("terraweave", "the plugin was not started")
pathlib.Path(os.environ["START_REPORT"]).write_text(told)
os._exit(0)
"""
PATIENCE = 120
PAIRED = "qgis_process list, in pairs"


def main() -> int:
    """Measure, keep the results, and fail where the plugin costs more than it may."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        plugins = {"kept": base / "kept", "none": base / "none"}
        for place in plugins.values():
            copy_plugin(place / "terraweave")
        rows = [
            measure(base, place, bytecode)
            for bytecode, place in plugins.items()
            for measure in (host_row, desktop_row, pairs_row)
        ]
    write("start", {"What the plugin adds to the start of QGIS": rows})
    judged = [row for row in rows if row["bytecode"] == "kept" and row["what"] != PAIRED]
    return int(any(row["median ms"] > LIMIT_MS for row in judged))


def copy_plugin(target: Path) -> None:
    """The plugin as it is shipped, without any bytecode."""
    target.mkdir(parents=True)
    for name in ("__init__.py", "metadata.txt"):
        shutil.copy(ROOT / name, target)
    for room in ("core", "plugin", "resources", "ui"):
        shutil.copytree(ROOT / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))


def host_row(base: Path, plugins: Path, bytecode: str) -> dict[str, object]:
    """What a Python with QGIS measures for importing the plugin and adding its provider."""
    chosen = variables(base / "host", plugins, bytecode, "true")
    python = (ROOT / ".cache" / "qgis-python").read_text().strip()
    command = [python, "-c", HOST, str(plugins)]
    added = [
        1000 * float(subprocess.run(command, env=chosen, capture_output=True).stdout)  # noqa: S603
        for _ in range(HOSTS + 1)
    ]
    return row("loaded and registered", bytecode, added[1:])


def desktop_row(base: Path, plugins: Path, bytecode: str) -> dict[str, object]:
    """What a desktop measured for loading and starting the plugin, panel and all."""
    told, script = base / "told", base / "report.py"
    script.write_text(REPORT, encoding="utf-8")
    added = []
    for _ in range(DESKTOPS + 1):
        profile = base / f"desktop-{plugins.name}"
        chosen = variables(profile, plugins, bytecode, "true") | {"START_REPORT": str(told)}
        chosen.pop("QT_QPA_PLATFORM")
        chosen.pop("QGIS_CUSTOM_CONFIG_PATH")
        command = ["xvfb-run", "-a", "qgis", "--nologo", "--profiles-path", str(profile)]
        command += ["--code", str(script)]
        subprocess.run(command, env=chosen, capture_output=True, timeout=PATIENCE)  # noqa: S603
        if told.is_file():
            added.append(1000 * float(told.read_text().removesuffix("s")))
            told.unlink()
    return row("desktop with its panel", bytecode, added[1:])


def pairs_row(base: Path, plugins: Path, bytecode: str) -> dict[str, object]:
    """Processor time of `qgis_process list` with the plugin and without it."""
    different = {
        enabled: variables(base / f"{plugins.name}-{enabled}", plugins, bytecode, enabled)
        for enabled in ("true", "false")
    }
    taken: dict[str, list[float]] = {enabled: [] for enabled in different}
    for turn in range(PAIRS + 1):
        # Which one goes first changes, so that neither finds the caches warmer.
        for enabled in sorted(different, reverse=bool(turn % 2)):
            seconds = processor_seconds(["qgis_process", "list"], different[enabled])
            if turn:
                taken[enabled].append(seconds)
    added = [1000 * (one - other) for one, other in zip(taken["true"], taken["false"], strict=True)]
    return row(PAIRED, bytecode, added)


def variables(profile: Path, plugins: Path, bytecode: str, enabled: str) -> dict[str, str]:
    """An empty profile that sees the plugin, enabled or not."""
    ini = profile / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    ini.parent.mkdir(parents=True, exist_ok=True)
    ini.write_text(SETTINGS.format(enabled=enabled), encoding="utf-8")
    runtime = profile / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    foreign = ("PYTHON", "QGIS_", "TERRAWEAVE_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return kept | {
        "HOME": str(profile),
        "XDG_RUNTIME_DIR": str(runtime),
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "QGIS_PLUGINPATH": str(plugins),
    } | ({"PYTHONDONTWRITEBYTECODE": "1"} if bytecode == "none" else {})  # fmt: skip


def processor_seconds(command: list[str], chosen: Mapping[str, str]) -> float:
    """Processor time of a program and what it started, which other programs disturb little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=chosen, check=True, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(what: str, bytecode: str, added: list[float]) -> dict[str, object]:
    """The median and the middle half of what the plugin added."""
    low, _, high = statistics.quantiles(added, n=4)
    return {
        "what": what,
        "bytecode": bytecode,
        "median ms": statistics.median(added),
        "middle half": f"{low:.0f} to {high:.0f}",
        "runs": len(added),
    }


if __name__ == "__main__":
    sys.exit(main())
