"""Making an environment with real pip from a real, small index: done, interrupted, gone on with."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import QLockFile
from terraweave.core.errors import Cancelled
from terraweave.plugin.environment.failures import SetupError
from terraweave.plugin.environment.install import fill_folder, install
from terraweave.plugin.environment.installers import Sources
from terraweave.plugin.environment.places import Places, python_in, read_mark
from terraweave.plugin.environment.plan import Plan
from terraweave.plugin.environment.pythons import find_uv

from .stand_ins import Index, believed, locked, make_wheel, old_one_works, run_in

pytestmark = pytest.mark.usefixtures("qgis_app")
Variables = dict[str, str]


def test_new_environment_is_used_once_it_has_proved_itself(
    plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    def prove(python: Path, feedback: object) -> dict[str, object]:
        assert places.current().name == "old", "it was switched to before it had proved itself"
        return {"word": run_in(python, "import torch, tinyweave; print(torch.WORD)")}

    done = install([plan], variables, listener, prove=prove)
    assert places.current() == done.folder == places.environments / plan.key
    assert done.proof == {"word": "new"}
    assert read_mark(done.folder)["key"] == plan.key
    assert done.log.read_text().count("== ") == 4
    assert (places.environments / "old").is_dir(), "the one before is kept for running jobs"
    assert not (places.root / "wheels").exists()
    assert not places.temporary.exists()


def test_progress_never_runs_backwards_and_says_sizes(
    plan: Plan, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    told: list[float] = []
    listener.setProgress = told.append
    install([plan], variables, listener, prove=believed)
    assert told == sorted(told)
    assert told[-1] == 100
    assert any("Downloading about" in text for text in listener.texts("stage"))


@pytest.mark.slow
def test_environment_that_was_made_before_is_used_again_without_the_network(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    install([plan], variables, listener, prove=believed)
    places.switch(places.environments / "old")
    index.asked.clear()
    assert "was made from exactly these packages" in plan.sentences()[1]
    again = install([replace(plan, mamba=True)], variables, listener, prove=believed)
    assert "mamba-ssm needs Linux" in " ".join(listener.texts("info")), "asked for, and not told"
    assert again.reused
    assert index.asked == []
    assert places.current() == again.folder


@pytest.mark.slow
def test_environment_that_broke_is_made_anew_beside_the_broken_one(
    plan: Plan, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    first = install([plan], variables, listener, prove=believed)
    (
        first.folder / "lib" / f"python{plan.minor}" / "site-packages" / "torch" / "__init__.py"
    ).unlink()

    def prove(python: Path, feedback: object) -> dict[str, object]:
        if run_in(python, "import torch; print(hasattr(torch, 'WORD'))") != "True":
            raise SetupError("proof", "The environment does not work.")
        return {}

    second = install([plan], variables, listener, prove=prove)
    assert second.folder.name == f"{plan.key}-2"
    assert plan.places.current() == second.folder


def test_failed_proof_leaves_the_old_environment(
    plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    def prove(python: Path, feedback: object) -> dict[str, object]:
        raise SetupError("proof", "The environment does not work: it is a test.")

    with pytest.raises(SetupError, match=r"it is a test\. The whole log: .*setup-.*\.log"):
        install([plan], variables, listener, prove=prove)
    assert old_one_works(places)


@pytest.mark.slow
def test_larger_build_is_taken_where_the_small_one_cannot_be_had(
    plan: Plan, index: Index, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    absent = locked(make_wheel(index.folder.parent, "torch", "9.9"), plan.minor)
    small = replace(plan, build="cpu", wheels=(absent, *plan.wheels[:1]))
    done = install([small, plan], variables, listener, prove=believed)
    assert done.build == "any"
    assert "The build “cpu” cannot be had here" in listener.texts("warning")[0]


@pytest.mark.usefixtures("proc")
def test_cancel_ends_the_installer_and_leaves_the_old_environment(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    free = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> bool:
        listener.cancel()
        return not free.wait(20)

    index.misbehave = stall
    with pytest.raises(Cancelled, match="unchanged"):
        install([plan], variables, listener, prove=believed)
    free.set()
    assert children() == []
    assert old_one_works(places)


@pytest.fixture
def proc() -> None:
    """Processes can be seen here."""
    if not Path("/proc/self").exists():
        pytest.skip("there is no /proc here, in which the installer could be found")


@pytest.fixture
def kill_while_fetching(index: Index, proc: None) -> Iterator[Callable[[str], None]]:
    """Kills the installer when it asks for a file of a package."""
    package = ""

    def misbehave(handler: BaseHTTPRequestHandler) -> bool:
        if package and handler.path.startswith(f"/files/{package}-"):
            for process in children():
                os.kill(process, signal.SIGKILL)
            return True
        return False

    def arm(name: str) -> None:
        nonlocal package
        package = name

    index.misbehave = misbehave
    yield arm
    package = ""


def test_killed_installer_is_told_and_the_next_one_goes_on_from_there(
    plan: Plan,
    index: Index,
    places: Places,
    variables: Variables,
    listener: QgsProcessingFeedback,
    kill_while_fetching: Callable[[str], None],
) -> None:
    kill_while_fetching("tinyweave")
    with pytest.raises(SetupError, match="ended by SIGKILL while downloading") as caught:
        install([plan], variables, listener, prove=believed)
    assert caught.value.kind == "killed"
    assert old_one_works(places)
    assert index.fetched("torch") == 1
    kill_while_fetching("")
    install([plan], variables, listener, prove=believed)
    assert index.fetched("torch") == 1, "what had come was fetched again"


KILLED_HOST = """
import dataclasses, importlib.util, json, pathlib, sys
root, index, worker, python = sys.argv[1:5]
spec = importlib.util.spec_from_file_location(
    "terraweave", root + "/__init__.py", submodule_search_locations=[root])
sys.modules["terraweave"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["terraweave"])
from qgis.core import QgsProcessingFeedback
from terraweave.plugin.environment import lock, plan
from terraweave.plugin.environment.install import install
from terraweave.plugin.environment.installers import Sources
wheels = tuple(lock.Wheel(*row) for row in json.loads(sys.argv[5]))
lock._INSTALLED = {"any": 1}
variables = json.loads(sys.argv[6])
request = plan.Request(python=python, installer="pip", sources=Sources(index=index))
plans = plan.make_plans(
    request, pathlib.Path(worker), variables, platform="linux-x86_64", lock=wheels)
install(plans, variables, QgsProcessingFeedback())
"""


@pytest.mark.slow
@pytest.mark.usefixtures("real_venv")
def test_killed_qgis_leaves_the_old_environment_and_the_next_set_up_works(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    asked, free = threading.Event(), threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> bool:
        asked.set()
        return not free.wait(20)

    index.misbehave = stall
    wheels = [dataclasses.astuple(replace(one, pythons=[plan.minor])) for one in plan.wheels]
    root = Path(__file__).resolve().parents[3]
    told = [str(root), index.url, str(places.root), str(plan.python.path), json.dumps(wheels)]
    host = subprocess.Popen([sys.executable, "-c", KILLED_HOST, *told, json.dumps(variables)])
    assert asked.wait(60), "the set-up in another process never asked for a package"
    host.kill()
    host.wait()
    free.set()
    assert places.current() == places.environments / "old"
    assert run_in(python_in(places.environments / "old"), "print(1 + 1)") == "2"
    index.misbehave = lambda handler: False
    done = install([plan], variables, listener, prove=believed)
    assert places.current() == done.folder


@pytest.mark.slow
def test_uv_makes_the_same_environment(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    beside = Path(__file__).resolve().parents[3] / ".venv" / "package" / "bin" / "uv"
    uv = beside if beside.is_file() else find_uv(variables)
    if uv is None:
        pytest.skip("uv is not installed; `make package` installs it.")
    done = install([replace(plan, uv=uv)], variables, listener, prove=believed)
    assert done.proof == {"word": "new"}
    assert not (places.root / "uv").exists()
    assert index.fetched("torch") == 1
    make_wheel(index.folder, "torch", source="import os  # not what was tested")
    places.switch(places.environments / "old")
    shutil.rmtree(done.folder)
    with pytest.raises(SetupError) as caught:
        install([replace(plan, uv=uv)], variables, listener, prove=believed)
    assert caught.value.kind == "tampered"
    assert old_one_works(places)


@pytest.mark.slow
def test_what_a_dead_set_up_left_half_made_is_replaced(
    plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    half = places.environments / plan.key
    half.mkdir()
    (half / "rubbish").write_text("from a power cut")
    done = install([plan], variables, listener, prove=believed)
    assert done.folder == places.environments / f"{plan.key}-2"
    assert not half.exists()


def test_second_set_up_at_the_same_time_is_refused(
    plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    other = QLockFile(str(places.root / "setup.lock"))
    assert other.tryLock(0)
    with pytest.raises(SetupError, match="Another set-up is running"):
        install([plan], variables, listener, prove=believed)
    other.unlock()


@pytest.mark.slow
def test_folder_that_was_filled_here_installs_without_any_network(
    plan: Plan, index: Index, variables: Variables, listener: QgsProcessingFeedback, tmp_path: Path
) -> None:
    folder = tmp_path / "for the other computer"
    fill_folder(plan, folder, variables, listener)
    listed = next(folder.glob("terraweave-*.txt")).read_text()
    assert all(f"{wheel.sha256}  {wheel.name}" in listed for wheel in plan.wheels)
    index.asked.clear()
    offline = replace(plan, sources=Sources(folder=str(folder)))
    done = install([offline], variables, listener, prove=believed)
    assert index.asked == []
    assert run_in(python_in(done.folder), "import tinyweave; print(1)") == "1"


@pytest.mark.slow
@pytest.mark.usefixtures("real_venv")
def test_real_venv_makes_the_environment(
    plan: Plan, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    done = install([plan], variables, listener, prove=believed)
    assert done.proof == {"word": "new"}


def children() -> list[int]:
    """The processes that this one started and that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                _, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent = rest.split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.append(int(folder.name))
    return found
