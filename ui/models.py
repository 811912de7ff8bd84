"""The model files that were used last, and where a new one may go."""

from collections.abc import Collection
from contextlib import suppress
from itertools import count
from pathlib import Path

from qgis.core import QgsProject, QgsSettings
from qgis.PyQt.QtCore import QLockFile, QStandardPaths

from ..core.family import Family
from .field import MODEL_SUFFIX

_KEY = "terraweave/recent_models"
_MOST = 8


def recent_models() -> list[str]:
    """The model files used last, newest first; those that are gone are left out."""
    kept = QgsSettings().value(_KEY, []) or []
    paths = [kept] if isinstance(kept, str) else [str(path) for path in kept]
    return [path for path in paths if Path(path).is_file()]


def remember_model(path: str) -> None:
    """Put a model file at the head of those used last."""
    if path:
        rest = [one for one in recent_models() if one != path]
        QgsSettings().setValue(_KEY, [path, *rest][:_MOST])


def suggested_path(
    family: Family, tool: str, suffix: str = MODEL_SUFFIX, taken: Collection[str] = ()
) -> str:
    """A file for what `tool` writes, beside the project, else among the user's documents.

    It does not exist yet and is none of those `taken` by runs that still wait.
    """
    folder = _home()
    for number in count(1):
        stem = f"{family.key}-{tool}-{number}"
        paths = [folder / f"{stem}{one}" for one in (MODEL_SUFFIX, ".html")]
        if not any(path.exists() or _locked(path) or str(path) in taken for path in paths):
            return str(folder / f"{stem}{suffix}")
    return ""


def sample_folder(family: Family) -> str:
    """A new, empty folder for a sample scene, where it is still there tomorrow.

    It is made at once, so that no other window of QGIS takes it.

    Raises:
        OSError: it cannot be made.
    """
    _home().mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = _home() / f"{family.key}-sample-{number}"
        with suppress(FileExistsError):
            folder.mkdir()
            return str(folder)
    return ""


def documents_folder() -> Path:
    """The folder among the user's documents for what no project is there for."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents) / "Terraweave"


class Claims:
    """The files that runs of this window write; other windows of QGIS keep off them.

    A lock file beside each says so; Qt knows those that a crash has left behind.
    """

    def __init__(self) -> None:
        """None yet."""
        self._locks: dict[str, QLockFile] = {}

    def take(self, path: str) -> bool:
        """Claim a file; false where another window, or another run of this one, has done so."""
        if path in self._locks:
            return False
        with suppress(OSError):
            # What is wrong with the folder is said by the tool itself.
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = QLockFile(f"{path}.lock")
        # A training may take days; a lock is only stale when its process is gone.
        lock.setStaleLockTime(0)
        if not lock.tryLock(0) and lock.error() == QLockFile.LockError.LockFailedError:
            return False
        self._locks[path] = lock
        return True

    def release(self, path: str) -> None:
        """The run is over."""
        lock = self._locks.pop(path, None)
        if lock is not None:
            lock.unlock()


def _locked(path: Path) -> bool:
    return Path(f"{path}.lock").exists()


def _home() -> Path:
    """The project's folder, else one among the user's documents."""
    home = QgsProject.instance().homePath()
    return Path(home) if home else documents_folder()
