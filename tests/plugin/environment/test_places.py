"""The folders of environments, and the switch between them."""

from pathlib import Path

import pytest
from terraweave.plugin import interpreter
from terraweave.plugin.environment.places import Places, read_mark, write_mark


@pytest.fixture
def here(tmp_path: Path) -> Places:
    """A worker's folder with nothing in it."""
    return Places(tmp_path / "worker")


def environment(places: Places, name: str, *, proved: bool = True) -> Path:
    """A folder that looks like an environment."""
    folder = places.environments / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("#!/bin/sh\n")
    (folder / "bin" / "python").chmod(0o755)
    if proved:
        write_mark(folder, {"key": name})
    return folder


def test_switch_is_what_the_host_finds(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "worker_folder", lambda: here.root)
    first, second = environment(here, "first"), environment(here, "second")
    for folder in (first, second, first):
        here.switch(folder)
        assert interpreter.environment_folder() == folder
    assert not here.pointer.with_suffix(".new").exists()


def test_pointer_leads_nowhere_else(here: Places) -> None:
    here.root.mkdir()
    here.pointer.write_text("../../../etc\n")
    assert here.current() == here.environments / "etc"
    here.pointer.write_text("\n")
    assert here.current() is None


def test_unfinished_environment_is_removed_and_a_proved_one_never(here: Places) -> None:
    half = environment(here, "key", proved=False)
    assert here.unused("key") == here.environments / "key-2", "an orphan may still write there"
    assert not half.exists()
    whole = environment(here, "key")
    assert here.unused("key") == here.environments / "key-2"
    assert whole.exists()


def test_environment_in_use_is_not_removed_even_without_its_mark(here: Places) -> None:
    folder = environment(here, "key", proved=False)
    here.switch(folder)
    assert here.unused("key") == here.environments / "key-2"
    assert folder.exists()


def test_newest_proved_environment_is_found(here: Places) -> None:
    assert here.proved("key") is None
    environment(here, "key")
    second = environment(here, "key-2")
    environment(here, "key-3", proved=False)
    environment(here, "other")
    assert here.proved("key") == second


def test_tidying_keeps_what_it_is_told_and_removes_the_rest(here: Places) -> None:
    old, kept = environment(here, "old"), environment(here, "kept")
    here.wheels("x").mkdir(parents=True)
    here.temporary.mkdir()
    bytecode = [here.bytecode / one.relative_to(one.anchor) for one in (old, kept)]
    for folder in bytecode:
        folder.mkdir(parents=True)
    here.tidy({kept})
    assert kept.exists()
    assert not old.exists()
    assert not here.temporary.exists()
    assert not here.wheels("x").exists()
    assert [folder.exists() for folder in bytecode] == [False, True]


def test_mark_that_is_damaged_is_none(here: Places) -> None:
    folder = environment(here, "key")
    (folder / "terraweave.json").write_text("{ half")
    assert read_mark(folder) is None
