"""Builds build/terraweave-VERSION.zip as the plugin site wants it, and scans it as the site does.

Takes the committed or staged files of the shipped rooms as git has them, so that they fit
together and nothing strays in from the working folder. Needs the standard library, git, and the
scanners in .venv/package.
"""

import configparser
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "package" / "bin"
SHIPPED = (
    "__init__.py",
    "metadata.txt",
    "LICENSE",
    "README.md",
    "core",
    "plugin",
    "resources",
    "ui",
)
PICTURES = {".png", ".svg", ".jpg", ".webp"}
LARGEST = 25 * 1024 * 1024
REQUIRED = (
    "name", "description", "about", "version", "qgisMinimumVersion", "author", "email",
    "homepage", "repository", "tracker", "license", "changelog", "icon", "hasProcessingProvider",
)  # fmt: skip
# The date in the archive does not depend on the day it was built.
EPOCH = (2026, 1, 1, 0, 0, 0)


class PackageError(Exception):
    """The package is not fit for the plugin site; the message says why."""


def main() -> int:
    """Build, check, scan; the exit status is 0 only for a package that the site would take."""
    try:
        metadata = read_metadata()
        files = shipped_files()
        check_files(files)
        target = ROOT / "build" / f"terraweave-{metadata['version']}.zip"
        write_zip(target, files)
        scan(target)
    except PackageError as error:
        print(f"terraweave: {error}", file=sys.stderr)
        return 1
    for line in left_out():
        print(f"terraweave: not in the package, since it is neither committed nor staged: {line}")
    size = target.stat().st_size
    print(
        f"terraweave: {target.relative_to(ROOT)} holds {len(files)} files, {size / 1024:.0f} KiB."
    )
    return 0


def read_metadata() -> dict[str, str]:
    """The `general` part of metadata.txt, with everything in it that the site asks for."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    metadata = dict(parser["general"])
    missing = [key for key in REQUIRED if not metadata.get(key, "").strip()]
    if missing:
        raise PackageError(f"metadata.txt lacks {', '.join(missing)}.")
    if not (ROOT / metadata["icon"]).is_file():
        raise PackageError(f"metadata.txt names the icon {metadata['icon']}, which is not there.")
    return metadata


def shipped_files() -> dict[str, bytes]:
    """The files of the shipped rooms that git knows, as they are committed or staged."""
    names = git("ls-files", "-z", "--", *SHIPPED)
    files = sorted(name for name in names.decode().split("\0") if name)
    absent = [room for room in SHIPPED if not any(f.split("/")[0] == room for f in files)]
    if absent:
        raise PackageError(f"git knows no files of {', '.join(absent)}; commit them first.")
    with tempfile.TemporaryDirectory() as folder:
        git("checkout-index", "-z", "--stdin", f"--prefix={folder}/", given=names)
        return {name: (Path(folder) / name).read_bytes() for name in files}


def left_out() -> list[str]:
    """What the package does not have yet: changes that are not staged, and files new to git.

    Each as git says it: two letters and the name.
    """
    lines = git("status", "--porcelain", "-z", "--untracked-files=all", "--", *SHIPPED)
    return [line for line in lines.decode().split("\0") if line[1:2].strip()]


def git(*arguments: str, given: bytes = b"") -> bytes:
    """What git answers about this checkout."""
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, input=given).stdout


def check_files(files: Mapping[str, bytes]) -> None:
    """Refuse tests, hidden files and binaries; pictures may hold any byte."""
    for name, content in files.items():
        path = Path(name)
        if any(part.startswith(".") for part in path.parts):
            raise PackageError(f"{name} is hidden; the plugin site refuses hidden files.")
        if {"tests", "conftest.py"} & set(path.parts) or path.name.startswith("test_"):
            raise PackageError(f"{name} is a test; tests belong into tests/, which is not shipped.")
        if path.suffix not in PICTURES and b"\0" in content:
            raise PackageError(f"{name} is binary; the plugin site takes sources only.")


def write_zip(target: Path, files: Mapping[str, bytes]) -> None:
    """The archive, with everything below one folder `terraweave`; same sources, same bytes."""
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"terraweave/{name}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    if target.stat().st_size > LARGEST:
        raise PackageError(
            f"{target.name} has {target.stat().st_size / 2**20:.1f} MiB; the site takes 25 at most."
        )


def scan(target: Path) -> None:
    """Run Bandit and detect-secrets over what is in the archive; any finding is refused."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(target) as archive:
        archive.extractall(folder)
        findings = [*bandit(folder), *secrets(folder)]
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        raise PackageError(
            f"the plugin site would refuse the package for {len(findings)} findings."
        )
    print("terraweave: Bandit and detect-secrets find nothing in the package.")


def bandit(folder: str) -> list[str]:
    """What Bandit finds, of any severity."""
    report = scanner(folder, "bandit", "--quiet", "--recursive", "--format", "json", ".")
    if report["errors"]:
        raise PackageError(f"Bandit could not read {report['errors'][0]}.")
    return [
        f"{one['filename']}:{one['line_number']} {one['test_id']} {one['issue_text']}"
        for one in report["results"]
    ]


def secrets(folder: str) -> list[str]:
    """What looks like a secret to detect-secrets."""
    report = scanner(folder, "detect-secrets", "scan", "--all-files", ".")
    return [
        f"{name}:{one['line_number']} {one['type']}"
        for name, found in report["results"].items()
        for one in found
    ]


def scanner(folder: str, program: str, *arguments: str) -> dict:
    """The JSON that a scanner prints; Bandit's exit status is 1 where it found something."""
    done = subprocess.run(
        [str(BIN / program), *arguments], cwd=folder, capture_output=True, text=True
    )
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise PackageError(f"{program} gave no report: {done.stderr.strip()}") from error


if __name__ == "__main__":
    sys.exit(main())
