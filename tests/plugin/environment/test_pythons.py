"""Where a Python is looked for, and what is never started."""

import json
import os
import sys
from pathlib import Path

import pytest
from terraweave.plugin.environment.pythons import (
    PythonError,
    candidates,
    choose_python,
    examine,
    find_uv,
)

Variables = dict[str, str]


def fake_python(path: Path, **told: object) -> Path:
    """A program that answers as a Python of some kind would."""
    answer = {
        "version": [3, 11, 2], "bits": 64, "implementation": "CPython", "machine": "x86_64",
        "venv": True, "ensurepip": True, "ssl": True,
    } | told  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!/bin/sh\necho warning: 'a line before'\necho 'terraweave {json.dumps(answer)}'\n"
    )
    path.chmod(0o755)
    return path


def test_qgis_itself_is_never_a_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows and macOS `sys.executable` is QGIS: starting it would open a second window."""
    program = tmp_path / "QGIS.app" / "Contents" / "MacOS" / "QGIS"
    inside = fake_python(program.parent / "bin" / "python3")
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    found = [path for path, _ in candidates({"PATH": ""})]
    assert program not in found
    assert inside in found


def test_python_of_qgis_on_windows_is_found_beside_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There `sys.executable` is bin/qgis-bin.exe, and Python lies in apps/Python312."""
    folder = tmp_path / "QGIS 3.40" / "apps" / "Python312"
    interpreter = fake_python(folder / "python.exe")
    (folder / "Lib").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "QGIS 3.40" / "bin" / "qgis-bin.exe"))
    monkeypatch.setattr(os, "__file__", str(folder / "Lib" / "os.py"))
    for name in ("base_exec_prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path / "elsewhere"))
    assert next(candidates({"PATH": ""})) == (interpreter, "the Python of QGIS")


def test_program_that_is_not_called_python_is_not_started(
    tmp_path: Path, variables: Variables
) -> None:
    trap = fake_python(tmp_path / "qgis-bin.exe")
    trap.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    with pytest.raises(PythonError, match="may be QGIS itself"):
        examine(trap, "a test", variables)
    assert not (tmp_path / "started").exists()


def test_file_of_the_windows_store_is_passed_over(tmp_path: Path) -> None:
    stub = fake_python(tmp_path / "WindowsApps" / "python3")
    assert stub not in [path for path, _ in candidates({"PATH": str(stub.parent)})]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"version": [3, 8, 1]}, r"it is Python 3\.8; the worker needs 3\.11"),
        ({"bits": 32}, "32-bit program; torch needs 64"),
        ({"implementation": "PyPy"}, "it is PyPy"),
        ({"ensurepip": False}, r"package python3\.11-venv"),
        ({"ssl": False}, "without SSL"),
    ],
)
def test_unsuitable_python_is_refused_with_the_reason(
    told: dict[str, object], reason: str, tmp_path: Path, variables: Variables
) -> None:
    path = fake_python(tmp_path / "python3", **told)
    with pytest.raises(PythonError, match=reason):
        choose_python(("3.11",), variables, named=str(path))


def test_uv_needs_no_venv_module(tmp_path: Path, variables: Variables) -> None:
    path = fake_python(tmp_path / "python3", venv=False, ensurepip=False)
    assert choose_python(("3.11",), variables, named=str(path), with_uv=True).path == path


def test_python_that_says_nothing_is_refused(tmp_path: Path, variables: Variables) -> None:
    path = tmp_path / "python3"
    path.write_text("#!/bin/sh\necho 'error while loading shared libraries'\nexit 127\n")
    path.chmod(0o755)
    with pytest.raises(PythonError, match=r"did not answer as a Python \(status 127.*loading"):
        examine(path, "a test", variables)


def test_search_says_what_was_passed_over(
    tmp_path: Path, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_python(tmp_path / "python3", version=[3, 7, 0])
    module = "terraweave.plugin.environment.pythons"
    monkeypatch.setattr(f"{module}._places", lambda variables: iter([(old, "a test")]))
    with pytest.raises(PythonError, match=r"it is Python 3\.7.*Install Python 3\.11 or 3\.12"):
        choose_python(("3.11", "3.12"), variables)


def test_preferred_version_is_taken_before_a_nearer_one(
    tmp_path: Path, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = fake_python(tmp_path / "near" / "python3", version=[3, 13, 0])
    far = fake_python(tmp_path / "far" / "python3", version=[3, 11, 0])
    module = "terraweave.plugin.environment.pythons"
    monkeypatch.setattr(f"{module}._places", lambda variables: iter([(near, "a"), (far, "b")]))
    both = ("3.11", "3.13")
    assert choose_python(both, variables, prefer=("3.11",)).path == far
    assert choose_python(both, variables).path == near
    assert choose_python(both, variables, prefer=("3.12",)).path == near


def test_the_python_under_these_tests_is_found(variables: Variables) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = choose_python((version,), variables)
    assert found.minor == version
    assert found.bits == 64


def test_uv_is_found_where_its_installer_puts_it(tmp_path: Path) -> None:
    uv = fake_python(tmp_path / ".local" / "bin" / "uv")
    assert find_uv({"HOME": str(tmp_path), "PATH": os.devnull}) == uv
    assert find_uv({"HOME": str(tmp_path / "other"), "PATH": os.devnull}) is None
