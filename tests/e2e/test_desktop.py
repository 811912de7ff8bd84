"""A real QGIS desktop under Xvfb, where desktop_story.py clicks as a new user would."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
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


@pytest.fixture
def tell(tmp_path: Path, worker_python: Path) -> Tell:
    """Has a story told in a desktop of its own; gives what it found out.

    With TERRAWEAVE_E2E_PICTURES the pictures are copied to that folder.
    """
    for program in ("xvfb-run", "qgis"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; the desktop cannot be shown.")

    def run(story: str, *, worker: bool = True) -> dict:
        out, profile = tmp_path / "out", tmp_path / "profiles" / "profiles" / PROFILE
        (out / "home").mkdir(parents=True)
        (profile / "QGIS").mkdir(parents=True)
        (profile / "QGIS" / "QGIS3.ini").write_text(SETTINGS, encoding="utf-8")
        (profile / "python" / "plugins").mkdir(parents=True)
        (profile / "python" / "plugins" / "terraweave").symlink_to(ROOT)
        keep = os.environ.get("TERRAWEAVE_E2E_PICTURES", "")
        variables = environment(out, story, worker_python if worker else None)
        if keep:
            # What the tutorial shows has a plain name; it must not be there already.
            demo = Path(tempfile.gettempdir()) / "landcover-demo"
            demo.mkdir()
            variables["TERRAWEAVE_E2E_DEMO"] = str(demo)
            # Enough to be looked at.
            variables |= {"TERRAWEAVE_E2E_SIZE": "128", "TERRAWEAVE_E2E_EPOCHS": "10"}
        done = subprocess.run(
            [
                "xvfb-run", "-a", "-s", "-screen 0 1600x1000x24",
                "qgis", "--nologo", "--profiles-path", str(tmp_path / "profiles"),
                "--profile", PROFILE, "--code", str(ROOT / "tests" / "e2e" / "desktop_story.py"),
            ],
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        if keep:
            shutil.rmtree(demo)
            shutil.copytree(out, Path(keep) / story, dirs_exist_ok=True)
        log = done.stdout[-3000:] + done.stderr[-3000:]
        assert (out / "findings.json").is_file(), log
        found = json.loads((out / "findings.json").read_text(encoding="utf-8"))
        assert done.returncode == 0, f"{found.get('error')}\n{log}"
        found["pictures"] = sorted(path.stem for path in out.glob("*.png"))
        return found

    return run


def environment(out: Path, story: str, worker: Path | None) -> dict[str, str]:
    """The desktop's environment variables: a home of its own, one core, and the story."""
    foreign = ("QT_QPA_PLATFORM", "QGIS_CUSTOM_CONFIG_PATH", "TERRAWEAVE_PYTHON")
    kept = {key: value for key, value in os.environ.items() if key not in foreign}
    made = {
        **kept,
        "HOME": str(out / "home"),
        "OMP_NUM_THREADS": "1",
        "TERRAWEAVE_E2E_OUT": str(out),
        "TERRAWEAVE_E2E_STORY": story,
    }
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
