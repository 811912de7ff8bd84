"""Where `make` gets QGIS from on Debian 12: backports, from whatever mirror the machine uses."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "backports_source.sh"

DEB822 = """\
# A comment that apt-setup left
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty /etc/apt."""
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def derived(folder: Path) -> dict[str, str]:
    """What the script writes, by the ending of the file's name; empty where it refuses."""
    done = subprocess.run([str(SCRIPT), str(folder)], capture_output=True, text=True)
    assert done.stderr == ""
    found = {path.suffix: path.read_text() for path in folder.rglob("terraweave-backports.*")}
    assert (done.returncode == 0) == bool(found)
    return found


def test_stanza_keeps_mirror_and_key_and_changes_its_suite(folder: Path) -> None:
    (folder / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert derived(folder) == {
        ".sources": "Types: deb\n"
        "URIs: http://mirror.example/debian\n"
        "Suites: bookworm-backports\n"
        "Components: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    }


def test_line_keeps_options_and_components(folder: Path) -> None:
    (folder / "sources.list").write_text(
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n"
        "deb http://mirror.example/debian bookworm-updates main\n"
        "# deb http://other.example/debian bookworm main\n"
    )
    expected = (
        "deb [signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main contrib\n"
    )
    assert derived(folder) == {".list": expected}


@pytest.mark.parametrize(
    "text",
    [
        "",
        DEB822.replace("bookworm bookworm-updates", "trixie"),
        DEB822.replace("Components: main\nSigned", "Components: main\nEnabled: no\nSigned"),
        DEB822.replace("Types: deb\n", "Types: deb-src\n"),
    ],
)
def test_machine_without_a_source_of_bookworm_is_refused(folder: Path, text: str) -> None:
    (folder / "sources.list.d" / "debian.sources").write_text(text)
    assert derived(folder) == {}
