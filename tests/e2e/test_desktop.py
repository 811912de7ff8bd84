"""A real QGIS desktop under Xvfb, where desktop_story.py clicks as a new user would."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROFILE = "t"
SETTINGS = """[PythonPlugins]
terraweave=true
[qgis]
checkVersion=false
showTips=false
"""
# Far more than a story takes: it ends a test that would hang, and times none.
PATIENCE = 420
Tell = Callable[[str], dict]


@dataclass
class Desktop:
    """A QGIS desktop that tells a story; several may share a home and a profile."""

    out: Path
    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, base: Path, name: str, variables: dict[str, str]) -> "Desktop":
        """Start it; `base` holds what desktops share, pictures and findings go to `name` in it."""
        profile = base / "profiles" / "profiles" / PROFILE
        if not profile.is_dir():
            (base / "home").mkdir()
            (profile / "QGIS").mkdir(parents=True)
            (profile / "QGIS" / "QGIS3.ini").write_text(SETTINGS, encoding="utf-8")
            (profile / "python" / "plugins").mkdir(parents=True)
            (profile / "python" / "plugins" / "terraweave").symlink_to(ROOT)
        out = base / name
        out.mkdir()
        command = [
            "xvfb-run", "-a", "-s", "-screen 0 1600x1000x24",
            "qgis", "--nologo", "--profiles-path", str(base / "profiles"),
            "--profile", PROFILE, "--code", str(ROOT / "tests" / "e2e" / "desktop_story.py"),
        ]  # fmt: skip
        own = {"HOME": str(base / "home"), "TERRAWEAVE_E2E_OUT": str(out)}
        log = (out / "log.txt").open("w", encoding="utf-8")
        with log:
            process = subprocess.Popen(
                command, env={**variables, **own}, stdout=log, stderr=log, text=True
            )
        return cls(out, process)

    def findings(self) -> dict:
        """What the story found out, once it is told."""
        status = self.process.wait(PATIENCE)
        log = (self.out / "log.txt").read_text(encoding="utf-8", errors="replace")[-6000:]
        assert (self.out / "findings.json").is_file(), log
        found = json.loads((self.out / "findings.json").read_text(encoding="utf-8"))
        assert status == 0, f"{found.get('error')}\n{log}"
        found["pictures"] = sorted(path.stem for path in self.out.glob("*.png"))
        return found


@pytest.fixture
def screen() -> None:
    """Skips where no desktop can be shown."""
    for program in ("xvfb-run", "qgis"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; the desktop cannot be shown.")


@pytest.fixture
def tell(screen: None, tmp_path: Path, worker_python: Path) -> Tell:
    """Has a story told in a desktop of its own; gives what it found out.

    With TERRAWEAVE_E2E_PICTURES the pictures are copied to that folder.
    """

    def run(story: str, *, worker: bool = True) -> dict:
        keep = os.environ.get("TERRAWEAVE_E2E_PICTURES", "")
        variables = environment(story, worker_python if worker else None)
        demo = Path(tempfile.gettempdir()) / "landcover-demo"
        if keep:
            # What the tutorial shows has a plain name; it must not be there already.
            demo.mkdir()
            variables["TERRAWEAVE_E2E_DEMO"] = str(demo)
            # Enough to be looked at.
            variables |= {"TERRAWEAVE_E2E_SIZE": "128", "TERRAWEAVE_E2E_EPOCHS": "10"}
        desktop = Desktop.start(tmp_path, "out", variables)
        try:
            return desktop.findings()
        finally:
            if keep:
                shutil.rmtree(demo)
                shutil.copytree(desktop.out, Path(keep) / story, dirs_exist_ok=True)

    return run


def environment(story: str, worker: Path | None) -> dict[str, str]:
    """The desktop's environment variables: one core, the story, and nothing of the caller's."""
    foreign = ("QT_QPA_PLATFORM", "QGIS_CUSTOM_CONFIG_PATH", "TERRAWEAVE_PYTHON")
    kept = {key: value for key, value in os.environ.items() if key not in foreign}
    made = {**kept, "OMP_NUM_THREADS": "1", "TERRAWEAVE_E2E_STORY": story}
    return {**made, "TERRAWEAVE_PYTHON": str(worker)} if worker else made


def workers_of(folder: Path) -> list[str]:
    """The worker processes whose environment names `folder`, by process id."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(str(folder)) in variables and b"core" in command:
            found.append(process.name)
    return found


def test_from_an_empty_project_to_a_map_by_clicks(tell: Tell) -> None:
    found = tell("train_and_apply")
    assert found["guessed"] == {
        "MS": ["Sample: Multispectral image"],
        "PAN": ["Sample: Panchromatic image"],
    }
    assert found["epochs"][0] == found["epochs"][1]
    assert found["map"] == ["Land cover (Sample: Multispectral image)"]
    assert found["assessed"]
    assert "7-map" in found["pictures"]
    # What the main thread itself computed between two turns of the event loop, in milliseconds:
    # this does not grow when the machine is busy with others.
    own = {phase: worst[1] for phase, worst in found["blocked_milliseconds"].items()}
    assert max(own.values()) < 100, own


def test_a_model_is_refined_and_its_outlines_are_shown_by_clicks(tell: Tell) -> None:
    found = tell("two_stages")
    assert [found[f"estimate of {tool}"] for tool in ("train", "refine", "predict")] == ["told"] * 3
    assert list(found["shown"].values()) == [True, False, True]
    own = {phase: worst[1] for phase, worst in found["blocked_milliseconds"].items()}
    assert max(own.values()) < 100, own


def test_two_windows_at_once_keep_their_files_apart(
    screen: None, tmp_path: Path, worker_python: Path
) -> None:
    (tmp_path / "meeting").mkdir()
    variables = environment("one_of_two", worker_python)
    variables["TERRAWEAVE_E2E_MEETING"] = str(tmp_path / "meeting")
    windows = [Desktop.start(tmp_path, name, variables) for name in ("first", "second")]
    first, second = (window.findings() for window in windows)
    assert Path(first["model"]).parent == Path(second["model"]).parent
    assert first["model"] != second["model"]
    assert first["sample"] != second["sample"]
    assert Path(first["model"]).is_file()
    assert Path(second["model"]).is_file()


def test_first_start_explains_what_will_be_installed(tell: Tell) -> None:
    found = tell("first_start", worker=False)
    assert "The worker environment of Terraweave is missing" in found["reason"]
    assert "takes about" in found["plan"]


def test_training_is_cancelled_in_the_middle(tell: Tell) -> None:
    assert tell("cancel")["state"] == "CANCELLED"


def test_closing_qgis_during_a_run_leaves_no_worker(tell: Tell, tmp_path: Path) -> None:
    tell("close_during_run")
    deadline = time.monotonic() + 30
    while workers_of(tmp_path) and time.monotonic() < deadline:
        os.sched_yield()
    assert workers_of(tmp_path) == []
