"""Writes the lock of the worker: which wheels, with which hash, each platform and Python takes.

uv resolves core/requirements.txt once for every platform and Python, against the public index and
nothing else. Wheels in the folders given as arguments add what no index here knows: sizes, and
CPU builds of torch, which other indexes than the public one carry. Needs uv in .venv/package.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv" / "package" / "bin" / "uv"
LOCKS = ROOT / "plugin" / "environment" / "locks"
# Our name of a platform, uv's name of it, and the platform part of a local CPU wheel of torch.
PLATFORMS = {
    "linux-x86_64": ("x86_64-manylinux_2_28", "x86_64"),
    "linux-aarch64": ("aarch64-manylinux_2_28", "aarch64"),
    "windows-x86_64": ("x86_64-pc-windows-msvc", "win_amd64"),
    "macos-arm64": ("aarch64-apple-darwin", "arm64"),
}
# What the wheels of torch 2.13 ask for.
OLDEST_MACOS = "14.0"
# What the public index's build of torch for Linux needs for NVIDIA cards, and no other build.
CARD_ONLY = ("nvidia-", "cuda-", "triton")
HEADER = """\
# The wheels of the worker on {platform}. Made by tools/make_lock.py from core/requirements.txt.
# A torch of build “any” computes on what the platform has. Where there are two builds, “cuda” is
# the public index's, and “cpu” comes from an index of its own or a folder of wheels.
# package version pythons build bytes(0: not known) wheel sha256
"""


@dataclass(frozen=True, order=True)
class Row:
    """One wheel, as in the lock."""

    package: str
    version: str
    build: str
    wheel: str
    digest: str
    python: str = ""
    size: int = 0


def main() -> int:
    """Write one lock for every platform."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders with wheels to look at")
    parser.add_argument("--pythons", nargs="+", default=["3.11", "3.12", "3.13", "3.14"])
    options = parser.parse_args()
    local = [wheel for folder in options.folders for wheel in sorted(folder.glob("*.whl"))]
    for platform in PLATFORMS:
        rows = [row for python in options.pythons for row in resolved(platform, python)]
        rows += cpu_builds(platform, rows, local)
        target = LOCKS / f"{platform}.txt"
        target.write_text(lock_text(platform, rows, sizes(rows, local)), encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {len({row.wheel for row in rows})} wheels")
    return 0


def resolved(platform: str, python: str) -> Iterator[Row]:
    """The wheels that uv chooses for one platform and Python; none where it finds no solution."""
    variables = os.environ | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        done = subprocess.run(
            [str(UV), "pip", "compile", "--quiet", "--no-config", "--no-python-downloads",
             "--only-binary", ":all:", "--python-platform", PLATFORMS[platform][0],
             "--python-version", python, "--format", "pylock.toml",
             "--output-file", str(lock), str(ROOT / "core" / "requirements.txt")],
            capture_output=True, text=True, env=variables,
        )  # fmt: skip
        if done.returncode:
            print(f"{platform}, Python {python}: {done.stderr.strip()}", file=sys.stderr)
            return
        packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    has_cards = any(package["name"].startswith("nvidia-") for package in packages)
    for package in packages:
        for_cards = has_cards and package["name"].startswith((*CARD_ONLY, "torch"))
        build = "cuda" if for_cards else "any"
        # Where two wheels fit, as for two ages of Linux, either may be taken.
        for wheel in package["wheels"]:
            name = wheel["url"].rsplit("/", 1)[1].replace("%2B", "+")
            sha = wheel["hashes"]["sha256"]
            yield Row(package["name"], package["version"], build, name, sha, python)


def cpu_builds(platform: str, rows: list[Row], local: list[Path]) -> Iterator[Row]:
    """Rows for local CPU builds of the torch that `rows` name, where theirs are for cards."""
    for row in [row for row in rows if (row.package, row.build) == ("torch", "cuda")]:
        tag = f"cp{row.python.replace('.', '')}"
        for wheel in local:
            parts = wheel.stem.split("-")
            if parts[:3] == ["torch", f"{row.version}+cpu", tag] and parts[4].endswith(
                PLATFORMS[platform][1]
            ):
                yield Row("torch", parts[1], "cpu", wheel.name, digest(wheel), row.python)


def sizes(rows: list[Row], local: list[Path]) -> dict[str, int]:
    """The sizes in bytes of those local wheels that have the name of one in `rows`, by hash."""
    names = {row.wheel for row in rows}
    return {digest(wheel): wheel.stat().st_size for wheel in local if wheel.name in names}


def digest(wheel: Path) -> str:
    """The SHA-256 of a file."""
    with wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock_text(platform: str, rows: list[Row], known: dict[str, int]) -> str:
    """The lock as a text; rows that differ by the Python alone become one."""
    pythons: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        key = (row.package, row.version, row.build, row.wheel, row.digest)
        pythons.setdefault(key, []).append(row.python)
    lines = [
        f"{package} {version} {','.join(pythons[key])} {build} {known.get(sha, 0)} {wheel} {sha}"
        "  # pragma: allowlist secret\n"
        for key in sorted(pythons)
        for package, version, build, wheel, sha in [key]
    ]
    return HEADER.format(platform=platform) + "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
