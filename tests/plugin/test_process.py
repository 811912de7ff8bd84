"""The worker's command line: what it writes, and where, when the plugin's folder is read-only."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from terraweave.core.job import Job
from terraweave.plugin import interpreter, process

pytestmark = pytest.mark.usefixtures("qgis_app")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_worker_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the worker, whose path has spaces and letters."""
    folder = tmp_path / "Žofie Müller" / "worker"
    monkeypatch.setattr(interpreter, "worker_folder", lambda: folder)
    return folder


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the plugin's core, without bytecode."""
    folder = tmp_path / "plugins" / "terraweave"
    shutil.copytree(ROOT / "core", folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    monkeypatch.setattr(process, "ROOT", folder)
    return folder


@pytest.fixture
def read_only(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin's folder as one that may not be written, for root too."""
    real = process.tempfile.TemporaryFile

    def refuse(*given: object, dir: Path, **more: object) -> object:
        if dir.is_relative_to(plugin_folder):
            raise PermissionError(13, "Permission denied", str(dir))
        return real(*given, dir=dir, **more)

    monkeypatch.setattr(process.tempfile, "TemporaryFile", refuse)
    for path in (plugin_folder, *plugin_folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    return plugin_folder


def compiled(worker_python: Path) -> list[str]:
    """The modules of core that one start of the worker compiles from their sources."""
    python, *rest = process.worker_command(worker_python)
    done = subprocess.run(
        [python, "-v", *rest],
        input=json.dumps(Job("dance").to_json()),
        env=process.worker_variables(),
        cwd=process.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "There is no task “dance”" in json.loads(done.stdout)["text"]
    root = re.escape(str(process.ROOT))
    return re.findall(rf"^# code object from {root}/(core/\S+)\.py$", done.stderr, re.MULTILINE)


@pytest.mark.usefixtures("read_only")
def test_read_only_plugin_folder_is_compiled_once_and_into_the_profile(
    worker_python: Path, own_worker_folder: Path, plugin_folder: Path
) -> None:
    first = compiled(worker_python)
    assert {"core/__main__", "core/worker/command"} <= set(first)
    assert compiled(worker_python) == []
    kept = list((own_worker_folder / "cache" / "bytecode").rglob("core/**/*.pyc"))
    assert len(kept) == len(first)
    assert list(plugin_folder.rglob("*.pyc")) == []


@pytest.mark.usefixtures("plugin_folder")
def test_plugin_folder_that_may_be_written_keeps_its_own_bytecode(
    worker_python: Path, own_worker_folder: Path
) -> None:
    assert compiled(worker_python)
    assert compiled(worker_python) == []
    assert not (own_worker_folder / "cache" / "bytecode").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write; tests/e2e/test_setup.py is nobody")
def test_rights_of_the_folder_decide(plugin_folder: Path) -> None:
    assert "-X" not in process.worker_command(Path("python"))
    (plugin_folder / "core").chmod(0o555)
    assert "-X" in process.worker_command(Path("python"))


def test_libraries_keep_their_things_below_the_profile(own_worker_folder: Path) -> None:
    variables = process.worker_variables()
    for key in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        folder = Path(variables[key])
        assert folder.parent == own_worker_folder / "cache"
        assert os.access(folder, os.W_OK)
