"""The model files that were used last, and where a new one may go."""

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


def suggested_path(family: Family, suffix: str = MODEL_SUFFIX) -> str:
    """A file that does not exist yet: beside the project, else among the user's documents."""
    home = QgsProject.instance().homePath()
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    folder = Path(home) if home else Path(documents) / "Terraweave"
    number = 1
    while (folder / f"{family.key}-{number}{MODEL_SUFFIX}").exists():
        number += 1
    return str(folder / f"{family.key}-{number}{suffix}")
