"""The lock that is shipped: whole, of the versions that are tested, and fit for pip."""

import re
from pathlib import Path

import pytest
from terraweave.plugin.environment.lock import (
    FOLDER,
    PLATFORMS,
    LockError,
    builds_of,
    download_bytes,
    lock_key,
    platform_name,
    pythons_of,
    read_lock,
    requirements_text,
    wheels_for,
)

ROOT = Path(__file__).resolve().parents[3]


def pinned() -> set[str]:
    """The packages of core/requirements.txt with their versions."""
    lines = (ROOT / "core" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_and_python_has_the_required_versions(platform: str) -> None:
    lock = read_lock(platform)
    assert pythons_of(lock) == ("3.11", "3.12", "3.13", "3.14")
    for python in pythons_of(lock):
        for build in builds_of(lock, python):
            pins = {f"{w.package}=={w.version}" for w in wheels_for(lock, python, build)}
            assert {pin.replace("+cpu", "") for pin in pins} >= pinned()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_wheel_fits_its_row(platform: str) -> None:
    for wheel in read_lock(platform):
        assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256), wheel
        name, version = wheel.name.split("-")[:2]
        assert name.lower().replace("_", "-").replace(".", "-") == wheel.package
        assert version == wheel.version
        for tag in re.findall(r"-cp(\d)(\d+)-cp\1\2", wheel.name):
            assert wheel.pythons == (".".join(tag),)


def test_builds_say_which_packages_they_take() -> None:
    lock = read_lock("linux-x86_64")
    assert builds_of(lock, "3.11") == ("cpu", "cuda")
    small, large = (wheels_for(lock, "3.11", build) for build in ("cpu", "cuda"))
    assert not any(wheel.package.startswith(("nvidia", "triton")) for wheel in small)
    assert sum(wheel.package.startswith("nvidia") for wheel in large) > 10
    assert {w.version for w in small if w.package == "torch"} == {"2.13.0+cpu"}
    assert download_bytes(large, "cuda") > download_bytes(small, "cpu") > 100_000_000


def test_requirements_hold_every_hash_once() -> None:
    wheels = wheels_for(read_lock("linux-x86_64"), "3.11", "cpu")
    text = requirements_text(wheels)
    assert all(text.count(wheel.sha256) == 1 for wheel in wheels)
    assert len(text.splitlines()) == len({wheel.package for wheel in wheels})
    assert all(re.fullmatch(r"\S+==\S+( --hash=sha256:\w{64})+", one) for one in text.splitlines())


def test_key_changes_with_any_wheel() -> None:
    wheels = wheels_for(read_lock("linux-x86_64"), "3.11", "cpu")
    assert lock_key(wheels) == lock_key(wheels)
    assert lock_key(wheels) != lock_key(wheels[1:])


def test_platforms_are_named_as_python_names_them() -> None:
    assert platform_name("Windows", "AMD64") == "windows-x86_64"
    assert platform_name("Darwin", "arm64") == "macos-arm64"
    with pytest.raises(LockError, match="no worker for Darwin on x86_64"):
        platform_name("Darwin", "x86_64")


def test_python_without_wheels_is_named_with_those_that_have_some() -> None:
    with pytest.raises(LockError, match=r"for Python 3\.8; it has Python 3\.11, 3\.12"):
        wheels_for(read_lock("windows-x86_64"), "3.8", "any")


def test_lines_tell_the_secret_scanner_what_they_are() -> None:
    for file in FOLDER.glob("*.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert line.startswith("#") or line.endswith("  # pragma: allowlist secret")
