"""The first time: a zip, an empty profile, one algorithm that installs, and the demo.

Runs as an ordinary user, in a home whose name has spaces and letters of other languages, with a
plugin folder that may not be written. Downloads some hundred megabytes unless pip has them.
"""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
pytestmark = pytest.mark.slow
_OFFLINE = ("could not be reached", "could not be looked up", "proxy")


def tool(name: str) -> ModuleType:
    """A program of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(
        f"terraweave_{name}", ROOT / "tools" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Desk:
    """A user's home with the plugin, and qgis_process in it."""

    home: Path
    variables: dict[str, str]

    @property
    def worker(self) -> Path:
        """The folder of the worker below the profile."""
        return self.home / "profile" / "profiles" / "default" / "terraweave" / "worker"

    def qgis(self, *arguments: object, **_: object) -> subprocess.CompletedProcess[str]:
        """Run qgis_process as the user of this home."""
        command = [*self._as_nobody(), "qgis_process", *map(str, arguments)]
        return subprocess.run(
            command, env=self.variables, cwd=self.home, capture_output=True, text=True
        )

    def tried(self, algorithm: str, **parameters: object) -> subprocess.CompletedProcess[str]:
        """A run of an algorithm of ours, however it ended."""
        text = json.dumps({"inputs": {key: str(value) for key, value in parameters.items()}})
        command = [*self._as_nobody(), "qgis_process", "run", f"terraweave:{algorithm}", "-"]
        return subprocess.run(
            command, env=self.variables, cwd=self.home, capture_output=True, text=True, input=text
        )

    def run(self, algorithm: str, **parameters: object) -> dict[str, object]:
        """The outputs of an algorithm of ours."""
        done = self.tried(algorithm, **parameters)
        said = done.stdout + done.stderr
        if algorithm == "setup" and done.returncode and any(word in said for word in _OFFLINE):
            pytest.skip(f"no packages can be had here: {said[-500:]}")
        assert done.returncode == 0, said[-4000:]
        return json.loads(done.stdout)["results"]

    def _as_nobody(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return [*user, "--no-new-privs"]


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """An empty profile, and the plugin from a package that was built just now."""
    package = tool("package")
    home = Path(tempfile.mkdtemp(prefix="Žofie Müller – ")) / "home of Žofie"
    plugins = home / "read only plugins"
    for folder in (home / "profile", home / "runtime", home / "temporary", plugins):
        folder.mkdir(parents=True)
    archive = home.parent / "terraweave.zip"
    package.write_zip(archive, package.shipped_files())
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(plugins)
    (home / "runtime").chmod(0o700)
    for path in (home.parent, *home.parent.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    for path in (plugins, *plugins.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "TERRAWEAVE", "XDG_", "VIRTUAL_ENV"))
    }
    yield Desk(
        home,
        inherited
        | {
            "HOME": str(home),
            "TMPDIR": str(home / "temporary"),
            "QGIS_PLUGINPATH": str(plugins),
            "QGIS_CUSTOM_CONFIG_PATH": str(home / "profile"),
            "XDG_RUNTIME_DIR": str(home / "runtime"),
            "QT_QPA_PLATFORM": "offscreen",
            "LANG": "C.UTF-8",
            "USER": "nobody",
            "LOGNAME": "nobody",
            # Nothing that the tests have installed may help.
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        },
    )
    for path in (plugins, *plugins.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)
    shutil.rmtree(home.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def installed(desk: Desk) -> dict[str, object]:
    """The outputs of `setup`, in a profile where the plugin was enabled and nothing else done."""
    assert desk.qgis("plugins", "enable", "terraweave").returncode == 0
    return desk.run("setup", BUILD="cpu")


def test_from_a_zip_to_the_demo(
    desk: Desk, installed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path(str(installed["INTERPRETER"]))
    assert python.is_relative_to(desk.worker / "environments")
    assert installed["MEGABYTES"] > 500
    demo = tool("demo")
    monkeypatch.setattr(demo, "OUT", desk.home / "demo")
    monkeypatch.setattr(
        demo,
        "algorithm",
        lambda environment, name, **parameters: desk.run(name, **parameters),
    )
    demo.map_a_scene({})
    for name in ("model.safetensors", "classes.tif", "confidence.tif", "polygons.gpkg"):
        assert (desk.home / "demo" / name).stat().st_size > 1000, name


def test_diagnosis_after_it_is_clean_and_private(desk: Desk, installed: dict[str, object]) -> None:
    found = desk.run("diagnose", REPORT=desk.home / "diagnosis.md")
    text = (desk.home / "diagnosis.md").read_text(encoding="utf-8")
    assert (found["WORKER_WORKS"], found["PROBLEMS"]) == (True, 0), text
    assert found["SCAN_BACKENDS"] >= 1
    assert found["IMPORT_SECONDS"] > 0
    assert "Žofie" not in text
    assert "nobody" not in text
    assert "<profile>" in text
    assert "Fits this version's lock | yes" in text


def test_second_set_up_takes_what_is_there(desk: Desk, installed: dict[str, object]) -> None:
    again = desk.run("setup", BUILD="cpu")
    assert again["INTERPRETER"] == installed["INTERPRETER"]
    assert again["SECONDS"] < installed["SECONDS"]


def test_environment_of_somebody_else_is_used_as_it_is(
    desk: Desk, installed: dict[str, object]
) -> None:
    python = str(installed["INTERPRETER"])
    assert desk.run("setup", ACTION="use", PYTHON=python)["INTERPRETER"] == python
    diagnosis = desk.run("diagnose")
    assert "the QGIS setting “terraweave/python”" in str(diagnosis["TEXT"])
    desk.run("setup", BUILD="cpu")
    assert "from the user's profile" in str(desk.run("diagnose")["TEXT"])


def test_plugin_folder_stayed_as_it_was(desk: Desk, installed: dict[str, object]) -> None:
    caches = [*(desk.home / "read only plugins").rglob("__pycache__")]
    assert caches == []


def test_bytecode_is_kept_in_the_profile_instead(desk: Desk, installed: dict[str, object]) -> None:
    desk.run("diagnose")
    kept = desk.worker / "cache" / "bytecode"
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.pyc")}
    assert [path for path in before if path.match("core/worker/proof.*.pyc")]
    desk.run("diagnose")
    after = {path: path.stat().st_mtime_ns for path in kept.rglob("*.pyc")}
    assert after == before, "the second start compiled again"
    assert list((desk.worker / "cache" / "numba").rglob("*.nbi")), "numba kept nothing"


def test_profile_that_may_not_be_written_is_told_and_what_is_there_still_works(
    desk: Desk, installed: dict[str, object]
) -> None:
    desk.worker.chmod(0o555)
    try:
        done = desk.tried("setup", BUILD="cpu", INSTALLER="pip")
    finally:
        desk.worker.chmod(0o755)
    assert done.returncode != 0
    assert "may not be written" in done.stdout + done.stderr
    assert desk.run("diagnose")["WORKER_WORKS"] is True
