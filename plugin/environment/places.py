"""The folders of the worker below the user's profile, and the switch between environments.

environments/KEY/            one environment each; KEY names build, Python and lock
environments/KEY/terraweave.json   written last, when the environment has proved itself
current                      the name of the environment in use, replaced in one step
wheels/KEY/  uv/             downloads that wait for their installation
pythons/                     a Python that uv brought, where there was none
cache/                       what the worker's libraries keep from one start to the next
temporary/  logs/
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MARK = "terraweave.json"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders below `root`, which belongs to the worker alone."""

    root: Path

    @property
    def environments(self) -> Path:
        """Where environments lie, each in a folder of its own."""
        return self.root / "environments"

    @property
    def pointer(self) -> Path:
        """The file that names the environment in use."""
        return self.root / "current"

    @property
    def temporary(self) -> Path:
        """Where installers may put what they need for a while."""
        return self.root / "temporary"

    @property
    def cache(self) -> Path:
        """Where the worker's libraries may keep things."""
        return self.root / "cache"

    @property
    def bytecode(self) -> Path:
        """Bytecode of the worker, where it cannot lie beside the sources."""
        return self.cache / "bytecode"

    def wheels(self, key: str) -> Path:
        """Where downloads for the environment `key` wait."""
        return self.root / "wheels" / key

    def log(self, stamp: str) -> Path:
        """The log of the set-up that started at `stamp`."""
        return self.root / "logs" / f"setup-{stamp}.log"

    def current(self) -> Path | None:
        """The environment in use, if one was ever switched to."""
        if not self.pointer.is_file():
            return None
        name = self.pointer.read_text(encoding="utf-8", errors="replace").strip()
        # A name only: whoever changes this file does not lead us elsewhere.
        return self.environments / Path(name).name if Path(name).name else None

    def switch(self, folder: Path) -> None:
        """Use the environment in `folder` from now on: in one step, or not at all."""
        aside = self.pointer.with_suffix(".new")
        with aside.open("w", encoding="utf-8") as file:
            file.write(folder.name + "\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.pointer)

    def unused(self, key: str) -> Path:
        """A folder for a new environment, by a name that is not there yet.

        What an interrupted set-up left is removed. Its name is not taken again: where QGIS was
        killed, the installer that it had started may go on writing there for a while. An
        environment that once proved itself is never touched: it may be in use.
        """
        names = [key, *(f"{key}-{number}" for number in range(2, 100))]
        there = [folder for name in names if (folder := self.environments / name).exists()]
        for folder in there:
            if read_mark(folder) is None and folder != self.current():
                shutil.rmtree(folder, ignore_errors=True)
        free = (self.environments / name for name in names)
        return next((one for one in free if one not in there), self.environments / f"{key}-100")

    def proved(self, key: str) -> Path | None:
        """The newest environment of that key which proved itself, if there is one."""
        found = [
            folder
            for folder in self._folders()
            if (folder.name == key or folder.name.startswith(f"{key}-")) and read_mark(folder)
        ]
        return found[-1] if found else None

    def tidy(self, keep: set[Path]) -> None:
        """Remove environments but those in `keep`, and downloads; what is in use stays a while."""
        for folder in self._folders():
            if folder not in keep:
                # Without its mark it is removed by the next set-up, should this stop half-way.
                (folder / MARK).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                # Python keeps bytecode below the path of its source, without the drive.
                kept = self.bytecode / folder.relative_to(folder.anchor)
                shutil.rmtree(kept, ignore_errors=True)
        for rest in (self.root / "wheels", self.root / "uv", self.temporary):
            shutil.rmtree(rest, ignore_errors=True)

    def _folders(self) -> Iterator[Path]:
        if self.environments.is_dir():
            yield from sorted(one for one in self.environments.iterdir() if one.is_dir())


def python_in(environment: Path) -> Path:
    """The interpreter of an environment that venv or uv made."""
    windows = environment / "Scripts" / "python.exe"
    return windows if os.name == "nt" else environment / "bin" / "python"


def read_mark(environment: Path) -> dict[str, object] | None:
    """What an environment that proved itself says about itself, or None."""
    try:
        found = json.loads((environment / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_mark(environment: Path, facts: Mapping[str, object]) -> None:
    """Say that an environment has proved itself; its last file."""
    aside = environment / f"{MARK}.new"
    aside.write_text(json.dumps(dict(facts), indent=1, sort_keys=True), encoding="utf-8")
    aside.replace(environment / MARK)
