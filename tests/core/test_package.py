"""What goes into the package for the plugin site, and what is refused."""

import importlib.util
import shutil
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package() -> ModuleType:
    """tools/package.py as a module."""
    spec = importlib.util.spec_from_file_location("build_package", ROOT / "tools" / "package.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(package: ModuleType) -> dict[str, bytes]:
    """What would be shipped now."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, and git alone knows which files belong to it")
    return package.shipped_files()


def test_every_room_that_git_knows_is_taken_along(
    package: ModuleType, files: dict[str, bytes]
) -> None:
    known = package.git("ls-files", "-z", "--", "core", "plugin", "ui").decode().split("\0")
    assert {name for name in known if name} <= set(files)
    assert "core/families/das2f/__init__.py" in files
    package.check_files(files)


def test_neither_tests_nor_tools_are_shipped(files: dict[str, bytes]) -> None:
    rooms = {name.split("/")[0] for name in files}
    assert not rooms & {"tests", "tools", "benchmarks", ".ci"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("core/scene/test_grid.py", b"", "is a test"),
        ("core/tests/grid.py", b"", "is a test"),
        ("plugin/conftest.py", b"", "is a test"),
        ("ui/.hidden", b"", "is hidden"),
        ("core/nn/scan.so", b"\x7fELF\0", "is binary"),
    ],
)
def test_what_the_site_does_not_want_is_refused(
    package: ModuleType, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(package.PackageError, match=said):
        package.check_files({name: content})
    package.check_files({"resources/icon.png": b"\x89PNG\0"})


def test_same_files_give_the_same_archive(package: ModuleType, tmp_path: Path) -> None:
    given = {"__init__.py": b"one", "core/x.py": b"two"}
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    for target in (first, second):
        package.write_zip(target, given)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {one: archive.read(f"terraweave/{one}") for one in given} == given


def test_metadata_of_this_checkout_is_complete(package: ModuleType) -> None:
    assert set(package.REQUIRED) <= set(package.read_metadata())
