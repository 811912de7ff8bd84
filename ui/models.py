"""The model files that were used last, and where a new one may go."""

from collections.abc import Collection
from itertools import count
from pathlib import Path

from qgis.core import QgsProject, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

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
        if not any(path.exists() or str(path) in taken for path in paths):
            return str(folder / f"{stem}{suffix}")
    return ""


def sample_folder(family: Family, taken: Collection[str] = ()) -> str:
    """A folder for a sample scene, where it is still there tomorrow; it does not exist yet."""
    for number in count(1):
        folder = _home() / f"{family.key}-sample-{number}"
        if not folder.exists() and str(folder) not in taken:
            return str(folder)
    return ""


def _home() -> Path:
    """The project's folder, else one among the user's documents."""
    home = QgsProject.instance().homePath()
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(home) if home else Path(documents) / "Terraweave"
