"""Fixtures of the end-to-end tests: real QGIS processes in a throw-away profile."""

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# QGIS reads these when pytest-qgis starts it; never the user's own profile, never a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QGIS_CUSTOM_CONFIG_PATH", tempfile.mkdtemp(prefix="terraweave-profile-"))

import pytest
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProject

ROOT = Path(__file__).resolve().parents[2]
# Far more than anything here takes: it ends a test that would hang, and times none.
PATIENCE = 300.0


@dataclass(frozen=True)
class Headless:
    """`qgis_process` in a profile of the test's own, where the plugin is enabled."""

    environment: dict[str, str]

    def start(self, algorithm: str, inputs: dict[str, object]) -> "subprocess.Popen[str]":
        """A running `qgis_process run`; its log comes out of `stdout` as it goes on."""
        values = [
            f"{key}={one}"
            for key, value in inputs.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        # Into a pipe it would keep its log to itself until the end.
        return subprocess.Popen(
            ["stdbuf", "-oL", "qgis_process", "run", f"terraweave:{algorithm}", "--", *values],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            text=True,
        )

    def run(self, algorithm: str, inputs: dict[str, object]) -> tuple[int, str]:
        """Exit status and output of a whole run whose parameters are JSON on standard input."""
        done = subprocess.run(
            ["qgis_process", "run", f"terraweave:{algorithm}", "-"],
            input=json.dumps({"inputs": inputs}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout

    @staticmethod
    def read_until(process: "subprocess.Popen[str]", words: str) -> str:
        """Read a process's output up to the line with `words`; fails where none comes."""
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if words in line:
                return line
        pytest.fail(f"“{words}” never came:\n" + "".join(lines))

    @staticmethod
    def worker_of(host: "subprocess.Popen[str]") -> int:
        """The process number of the worker that `host` has started."""
        found = _descendants(host.pid)
        workers = [pid for pid in found if b"\0core\0-\0" in _command(pid)]
        assert len(workers) == 1, [_command(pid) for pid in found]
        return workers[0]

    @staticmethod
    def watch(pid: int) -> Callable[[float], bool]:
        """Watches the process `pid` from now on; the call says if it ends within some seconds."""
        descriptor = os.pidfd_open(pid)

        def ended(seconds: float) -> bool:
            try:
                return bool(select.select([descriptor], [], [], seconds)[0])
            finally:
                os.close(descriptor)

        return ended


def _descendants(pid: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            children += [int(one) for one in (task / "children").read_text().split()]
    return children + [below for child in children for below in _descendants(child)]


def _command(pid: int) -> bytes:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture(scope="session")
def headless(worker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Headless:
    """`qgis_process` with the plugin and the worker, and nothing of the user's."""
    base = tmp_path_factory.mktemp("headless")
    (base / "runtime").mkdir(mode=0o700)
    (base / "plugins").mkdir()
    (base / "plugins" / "terraweave").symlink_to(ROOT, target_is_directory=True)
    own = {
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_CUSTOM_CONFIG_PATH": str(base / "profile"),
        "QGIS_PLUGINPATH": str(base / "plugins"),
        "XDG_RUNTIME_DIR": str(base / "runtime"),
        "TERRAWEAVE_PYTHON": str(worker_python),
        "OMP_NUM_THREADS": "1",
    }
    made = Headless({**os.environ, **own})
    subprocess.run(
        ["qgis_process", "plugins", "enable", "terraweave"],
        env=made.environment,
        check=True,
        capture_output=True,
    )
    return made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB; skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"A small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class Listener(QgsProcessingFeedback):
    """Keeps what it is told, and cancels at the word in `cancel_at`."""

    def __init__(self, cancel_at: str = "") -> None:
        super().__init__(False)
        self.said: list[str] = []
        self._cancel_at = cancel_at

    def _hear(self, text: str) -> None:
        self.said.append(text)
        if self._cancel_at and self._cancel_at in text:
            self.cancel()

    def setProgressText(self, text: str) -> None:
        self._hear(text)

    def pushInfo(self, info: str) -> None:
        self._hear(info)

    def reportError(self, error: str, fatalError: bool = False) -> None:
        self._hear(error)


@pytest.fixture
def cancelling_at() -> Callable[[str], QgsProcessingFeedback]:
    """Makes a feedback that cancels at a word."""
    return Listener


@pytest.fixture
def context(qgis_new_project: None) -> QgsProcessingContext:
    """A Processing context on an empty project."""
    made = QgsProcessingContext()
    made.setProject(QgsProject.instance())
    return made


@pytest.fixture
def training(sample_scene: Path, tmp_path: Path) -> dict[str, object]:
    """A training that goes on for hours unless something ends it."""
    return {
        "MS": [str(sample_scene / "ms.tif")],
        "PAN": [str(sample_scene / "pan.tif")],
        "LABELS": str(sample_scene / "labels.gpkg"),
        "CLASS_FIELD": "class_name",
        "EPOCHS": 10000,
        "BATCH": 2,
        "DEVICE": "cpu",
        "MODEL": str(tmp_path / "model.safetensors"),
    }


@pytest.fixture
def mapping(sample_scene: Path, trained_model: Path, tmp_path: Path) -> dict[str, object]:
    """A prediction that ends soon."""
    return {
        "MODEL": str(trained_model),
        "MS": str(sample_scene / "ms.tif"),
        "PAN": str(sample_scene / "pan.tif"),
        "MODE": "stride",
        "STRIDE": 8,
        "DEVICE": "cpu",
        "CLASSES": str(tmp_path / "classes.tif"),
    }
