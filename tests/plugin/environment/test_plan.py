"""What is planned, in numbers and in words, before anything is done."""

from pathlib import Path

import pytest
from terraweave.plugin.environment.failures import SetupError
from terraweave.plugin.environment.graphics import Graphics
from terraweave.plugin.environment.installers import Sources
from terraweave.plugin.environment.lock import read_lock
from terraweave.plugin.environment.plan import (
    Plan,
    Request,
    check_room,
    make_fetch_plan,
    make_plans,
    megabytes,
)
from terraweave.plugin.environment.pythons import PythonError

from .test_pythons import fake_python

Variables = dict[str, str]
CARD = Graphics("nvidia", "There is a card.", 600)
NONE = Graphics("none", "There is no card.")


def plans(
    folder: Path, variables: Variables, graphics: Graphics = NONE, platform: str = "linux-x86_64",
    version: tuple[int, ...] = (3, 11, 2), **asked: object,
) -> list[Plan]:  # fmt: skip
    """The plans for a machine with a Python of `version`."""
    python = fake_python(folder / "some" / "python3", version=version)
    request = Request(python=str(python), installer="pip", **asked)
    return make_plans(request, folder / "worker", variables, platform=platform, graphics=graphics)


def test_without_a_card_the_small_build_comes_first(tmp_path: Path, variables: Variables) -> None:
    small, large = plans(tmp_path, variables)
    assert (small.build, large.build) == ("cpu", "cuda")
    assert small.key != large.key
    assert small.key.startswith("cpu-py311-")
    assert small.room < large.room


def test_with_a_card_its_build_is_the_plan(tmp_path: Path, variables: Variables) -> None:
    [plan] = plans(tmp_path, variables, CARD)
    assert plan.build == "cuda"


def test_plan_is_told_before_anything_is_done(tmp_path: Path, variables: Variables) -> None:
    text = "\n".join(plans(tmp_path, variables)[0].sentences())
    for words in ("no card", "Python 3.11.2", "MB are downloaded with pip", "takes about 1.7 GB",
                  "Nothing is added to QGIS's own Python", "33 packages"):  # fmt: skip
        assert words in text
    assert not (tmp_path / "worker").exists()


def test_folder_of_wheels_downloads_nothing(tmp_path: Path, variables: Variables) -> None:
    [plan, _] = plans(tmp_path, variables, sources=Sources(folder="/wheels"))
    assert plan.to_download == 0
    assert "nothing is downloaded" in " ".join(plan.sentences())


def test_card_on_windows_needs_an_index_that_the_user_names(
    tmp_path: Path, variables: Variables
) -> None:
    [without] = plans(tmp_path, variables, CARD, "windows-x86_64")
    assert not without.card_build
    assert "Name an index that has one in EXTRA_INDEX" in without.reason
    sources = Sources(extra_index="https://index.example")
    [named] = plans(tmp_path, variables, CARD, "windows-x86_64", sources=sources)
    assert named.card_build
    assert named.key != without.key
    assert named.key.startswith("card-")


def test_python_that_the_lock_does_not_have_is_refused(
    tmp_path: Path, variables: Variables
) -> None:
    with pytest.raises(PythonError, match=r"it is Python 3\.9; the worker needs 3\.11, 3\.12"):
        plans(tmp_path, variables, version=(3, 9, 1))


def test_uv_brings_a_python_where_there_is_none(
    tmp_path: Path, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "terraweave.plugin.environment.pythons"
    monkeypatch.setattr(f"{module}._places", lambda variables: iter(()))
    uv = fake_python(tmp_path / "uv")
    told = {**variables, "UV": str(uv)}
    request = Request()
    found = make_plans(request, tmp_path, told, platform="linux-x86_64", graphics=NONE)
    assert (found[0].python, found[0].minor, found[0].tool) == (None, "3.11", "uv")
    assert "uv brings Python 3.11" in " ".join(found[0].sentences())
    with pytest.raises(PythonError, match="No suitable Python"):
        make_plans(Request(installer="pip"), tmp_path, told, platform="linux-x86_64", graphics=NONE)


def test_uv_that_is_asked_for_and_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="uv is not there; install it, or choose pip"):
        make_plans(Request(installer="uv"), tmp_path, {"PATH": ""}, platform="linux-x86_64",
                   graphics=NONE)  # fmt: skip


def test_room_is_checked_with_the_numbers(tmp_path: Path, variables: Variables) -> None:
    plan = plans(tmp_path, variables)[0]
    with pytest.raises(SetupError, match=r"has 1\.0 GB free, and the set-up needs about 2\.\d GB"):
        check_room(plan, free=1_000_000_000)
    check_room(plan, free=10_000_000_000)


def test_wheels_for_another_computer_are_planned_here(tmp_path: Path, variables: Variables) -> None:
    plan = make_fetch_plan("windows-x86_64", "3.13", "auto", Sources(), tmp_path, variables)
    assert (plan.platform, plan.minor, plan.build) == ("windows-x86_64", "3.13", "any")
    assert all("cp313" in w.name or "none" in w.name or "abi3" in w.name for w in plan.wheels)
    assert {w.package for w in plan.wheels} <= {w.package for w in read_lock("windows-x86_64")}


def test_sizes_are_said_as_people_say_them() -> None:
    assert [megabytes(n) for n in (5_000, 3_400_000, 1_710_000_000)] == ["5 kB", "3 MB", "1.7 GB"]
