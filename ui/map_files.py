"""Where the layers of a map go, so that they are still there when QGIS is closed."""

import os
import re
from collections.abc import Collection, Mapping
from itertools import count
from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
    QgsProject,
)

from .field import Field
from .form import ParameterForm
from .models import documents_folder
from .words import tr

LAYER_DESTINATIONS = (
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)
_LONGEST = 60


class MapFiles:
    """Names the layers of a form's map, as long as the user does not name them herself."""

    def __init__(self, form: ParameterForm, image: str) -> None:
        """`image` is the parameter whose layer the map is named after."""
        self._form = form
        self._image = image
        self._suggested: dict[str, str] = {}

    @property
    def first(self) -> str:
        """The map itself, where its name is a suggestion, or an empty text."""
        return next(iter(self._suggested.values()), "")

    def suggest(self, model: str, taken: Collection[str]) -> None:
        """Fill in files for the layers that `model` is to make; none of those `taken`."""
        own = [field for field in self._fields() if self._is_own(field)]
        image = next(iter(self._form.fields[self._image].layers()), None)
        if not own or image is None or not model:
            return
        endings = {one.name: self._ending(one) for one in own}
        self._suggested = suggested_maps(image.name(), model, endings, taken)
        for name, path in self._suggested.items():
            if destination_file(self._form.fields[name].value()) != path:
                self._form.fill(name, path)

    def words(self) -> str:
        """In which folder the layers are kept, or that they are not."""
        files = {field.name: destination_file(field.value()) for field in self._fields()}
        said = []
        if any(self._suggested.get(name) == path for name, path in files.items()):
            text = tr(
                "Kept in “{}”, named after image and model; nothing there is written over. "
                "The button … beside a name offers other places, a temporary one too."
            )
            said.append(text.format(Path(self.first).parent))
        if QgsProcessing.TEMPORARY_OUTPUT in files.values():
            said.append(tr("Temporary layers are lost when QGIS is closed."))
        return "\n".join(said)

    def _fields(self) -> list[Field]:
        """The fields for the layers that are to be made."""
        fields = self._form.fields.values()
        return [f for f in fields if isinstance(f.definition, LAYER_DESTINATIONS) and not f.empty]

    def _is_own(self, field: Field) -> bool:
        """Whether a layer goes where it was suggested, or nowhere in particular yet."""
        path = destination_file(field.value())
        nowhere = path == QgsProcessing.TEMPORARY_OUTPUT and not field.touched
        return nowhere or path == self._suggested.get(field.name)

    def _ending(self, field: Field) -> str:
        """What the name of a layer's file ends in; the first layer is the map itself."""
        part = "" if field is self._fields()[0] else f"-{field.name.lower()}"
        return f"{part}.{field.definition.defaultFileExtension()}"


def destination_file(value: object) -> str:
    """The file, or the word for a temporary one, that the value of a layer's destination names."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    return value if isinstance(value, str) else ""


def suggested_maps(
    image: str, model: str, endings: Mapping[str, str], taken: Collection[str] = ()
) -> dict[str, str]:
    """A file for each layer of a map by its parameter, named after image and model.

    `endings` are what its name ends in. None of the files exists, or is among those `taken` by
    runs that still wait; a number sees to that.
    """
    folder = map_folder(model)
    stem = f"{_plain(image)}-{_plain(Path(model).stem)}"
    for number in count(1):
        begin = stem if number == 1 else f"{stem}-{number}"
        files = {name: str(folder / f"{begin}{ending}") for name, ending in endings.items()}
        if not any(_there(path) or path in taken for path in files.values()):
            return files
    return {}


def map_folder(model: str) -> Path:
    """The project's folder; without one that of the model, else one among the user's documents."""
    home = QgsProject.instance().homePath()
    folders = [Path(one) for one in (home, model and str(Path(model).parent)) if one]
    able = (one for one in folders if one.is_dir() and os.access(one, os.W_OK))
    return next(able, documents_folder())


def _there(path: str) -> bool:
    return Path(path).exists() or Path(f"{path}.lock").exists()


def _plain(name: str) -> str:
    """A name without what some disk does not take."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._-")[:_LONGEST] or "map"
