"""Where the worker's Python is looked for, and what is said where it is not."""

import os
from pathlib import Path

import pytest
from qgis.core import QgsSettings
from terraweave.plugin import interpreter
from terraweave.plugin.interpreter import (
    SETTING,
    VARIABLE,
    InterpreterError,
    environment_folder,
    find_interpreter,
)

pytestmark = pytest.mark.usefixtures("qgis_app", "no_worker")


def fake_python(folder: Path) -> Path:
    """An executable file where an environment in `folder` has its Python."""
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile folder of this test."""
    monkeypatch.setattr(interpreter, "worker_folder", lambda: tmp_path / "profile" / "worker")
    return tmp_path / "profile"


@pytest.mark.usefixtures("own_profile")
def test_missing_worker_is_a_sentence_with_the_ways_out() -> None:
    with pytest.raises(InterpreterError, match="missing") as caught:
        find_interpreter()
    assert SETTING in str(caught.value)
    assert VARIABLE in str(caught.value)


def test_setting_wins_over_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, other = fake_python(tmp_path / "chosen"), fake_python(tmp_path / "other")
    QgsSettings().setValue(SETTING, str(chosen))
    monkeypatch.setenv(VARIABLE, str(other))
    assert find_interpreter().path == chosen
    assert SETTING in find_interpreter().origin


def test_variable_may_name_the_environment_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_python(tmp_path / "environment")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "environment"))
    assert find_interpreter().path == path


@pytest.mark.usefixtures("own_profile")
def test_environment_below_the_profile_is_found() -> None:
    path = fake_python(environment_folder())
    assert find_interpreter().path == path


def test_named_file_that_is_gone_is_named_in_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone" / "python"
    monkeypatch.setenv(VARIABLE, str(gone))
    with pytest.raises(InterpreterError, match="is no file") as caught:
        find_interpreter()
    assert str(gone) in str(caught.value)


def test_file_that_cannot_be_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "python"
    path.write_text("")
    path.chmod(0o644)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(InterpreterError, match="not executable"):
        find_interpreter()


def test_environment_whose_base_python_is_gone_is_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_python(tmp_path / "environment")
    (tmp_path / "environment" / "pyvenv.cfg").write_text(f"home = {tmp_path / 'gone'}\n")
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(InterpreterError, match="is broken: the Python it was made from"):
        find_interpreter()


def test_looking_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_python(tmp_path / "environment")
    witness = tmp_path / "started"
    path.write_text(f"#!/bin/sh\ntouch {witness}\n")
    path.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(path))
    find_interpreter()
    assert not witness.exists()
    assert os.environ[VARIABLE] == str(path)
