"""An output is the old file or the whole new one, whatever happens in between."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from terraweave.core.errors import Cancelled, InputError, ResourceError
from terraweave.core.scene.aside import (
    Together,
    check_space,
    check_writable,
    remove_leftovers,
    written_aside,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "map.tif"
    path.write_text("old")
    return path


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    with written_aside(path) as aside:
        aside.write_text("new")
        assert aside.parent == tmp_path
        assert aside.suffix == ".tif"
        assert aside.name.startswith(".map~terraweave-")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["map.tif"]


@pytest.mark.parametrize("error", [ValueError, Cancelled, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file(target: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with written_aside(target) as aside:
            aside.write_text("half")
            aside.with_name(aside.name + ".aux.xml").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert names(target.parent) == ["map.tif"]


def test_sidecars_go_with_the_file_and_stale_ones_go_away(target: Path) -> None:
    target.with_name("map.tif.ovr").write_text("old overviews")
    target.with_name("map.txt").write_text("the user's notes")
    with written_aside(target) as aside:
        aside.write_text("new")
        aside.with_suffix(".qml").write_text("style")
        aside.with_name(aside.name + ".aux.xml").write_text("table")
    assert names(target.parent) == ["map.qml", "map.tif", "map.tif.aux.xml", "map.txt"]


def test_outputs_of_one_run_appear_together(target: Path) -> None:
    other = target.with_name("other.tif")
    with Together() as together:
        with written_aside(target, together) as aside:
            aside.write_text("new")
        assert target.read_text() == "old"
        with written_aside(other, together) as aside:
            aside.write_text("more")
        assert not other.exists()
    assert (target.read_text(), other.read_text()) == ("new", "more")
    assert names(target.parent) == ["map.tif", "other.tif"]


def test_when_one_output_fails_none_appears(target: Path) -> None:
    other = target.with_name("other.tif")

    def run() -> None:
        with Together() as together:
            with written_aside(target, together) as aside:
                aside.write_text("new")
            with written_aside(other, together):
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run()
    assert target.read_text() == "old"
    assert names(target.parent) == ["map.tif"]


def test_the_group_keeps_files_also_inside_an_error_handler(target: Path) -> None:
    try:
        raise ValueError
    except ValueError:
        with Together() as together, written_aside(target, together) as aside:
            aside.write_text("new")
    assert target.read_text() == "new"


def test_leftovers_of_a_killed_run_are_removed_by_the_next(target: Path) -> None:
    script = (
        "import os, sys, signal; sys.path.insert(0, sys.argv[2])\n"
        "from core.scene.aside import written_aside\n"
        "with written_aside(sys.argv[1]) as aside:\n"
        "    aside.write_text('half'); aside.with_suffix('.qml').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    subprocess.run([sys.executable, "-c", script, str(target), root], check=False)
    assert len(names(target.parent)) == 3
    assert target.read_text() == "old"
    with written_aside(target) as aside:
        aside.write_text("new")
    assert names(target.parent) == ["map.tif"]


def test_files_of_a_run_under_way_are_left_alone(target: Path) -> None:
    with written_aside(target) as first:
        first.write_text("first")
        remove_leftovers(target)
        assert first.exists()


def test_leftovers_of_other_targets_are_left_alone(target: Path) -> None:
    other = target.with_name(".mapped~terraweave-0000-999999999-abc.tif")
    other.write_text("somebody else's")
    remove_leftovers(target)
    assert other.exists()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The folder .*nowhere does not exist"):
        check_writable(tmp_path / "nowhere" / "map.tif")


def test_a_folder_as_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)


def test_an_unwritable_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so the refusal is simulated.
    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=f"{tmp_path.name} is not writable"):
        check_writable(tmp_path / "map.tif")


def test_a_full_disk_is_said_with_the_free_bytes(target: Path) -> None:
    def fill() -> None:
        with written_aside(target) as aside:
            aside.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResourceError, match=r"is full \(.* free\) while writing map\.tif"):
        fill()
    assert target.read_text() == "old"
    assert names(target.parent) == ["map.tif"]


def test_too_little_space_is_said_before_work(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"about 1000000\.0 GB are needed"):
        check_space(tmp_path / "map.tif", 10**15)
    check_space(tmp_path / "map.tif", 1)
