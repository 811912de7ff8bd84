"""What can be seen to be wrong before any work: each check raises a sentence with the remedy."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsExpressionContext,
    QgsMapLayer,
    QgsProcessingOutputLayerDefinition,
    QgsProperty,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

from ..core.card import Card, read_card
from ..core.classes import unused_field
from ..core.errors import InputError
from ..core.family import Family, Role
from ..core.words import counted
from .sources import image_bands, local_path

_ENOUGH_VALUES = 2
# A field with more different texts than that holds no classes.
_MOST_NAMES = 100


def check_bands(layer: QgsRasterLayer, role: Role) -> None:
    """Refuse an image with too few or too many bands for its role."""
    count = image_bands(layer)
    most, least = role.maximum_bands, role.minimum_bands
    found = f"{role.title} ({role.key}): “{layer.name()}” has {counted(count, 'band')}"
    if most is not None and count > most:
        wanted = "a single-band raster" if most == 1 else f"a raster with at most {most} bands"
        raise InputError(f"{found}; choose {wanted}.")
    if count < least:
        raise InputError(f"{found}; choose a raster with at least {least}.")


def check_crs(layer: QgsMapLayer) -> None:
    """Refuse a layer without a coordinate system."""
    if not layer.crs().isValid():
        raise InputError(
            f"“{layer.name()}” has no coordinate system; set it in the layer's properties "
            "(Source), or assign one with “Assign projection”."
        )


def check_overlap(
    first: QgsMapLayer, second: QgsMapLayer, transforms: QgsCoordinateTransformContext
) -> None:
    """Refuse two layers that do not cover any common ground."""
    try:
        there = QgsCoordinateTransform(second.crs(), first.crs(), transforms).transformBoundingBox(
            second.extent()
        )
    except QgsCsException as error:
        raise InputError(
            f"The extent of “{second.name()}” cannot be brought into the coordinate system of "
            f"“{first.name()}”; check that the coordinate system set for it is the right one."
        ) from error
    if not first.extent().intersects(there):
        raise InputError(
            f"“{first.name()}” ({_spelled(first.extent())}) and “{second.name()}” "
            f"({_spelled(there)}, in the same coordinates) do not overlap; choose layers of the "
            "same place, and check their coordinate systems."
        )


def _spelled(box: QgsRectangle) -> str:
    return f"{box.xMinimum():.8g}–{box.xMaximum():.8g}, {box.yMinimum():.8g}–{box.yMaximum():.8g}"


def check_images(
    family: Family,
    images: Mapping[str, Sequence[QgsRasterLayer]],
    transforms: QgsCoordinateTransformContext,
) -> None:
    """Refuse images that do not fit their roles or one another."""
    reference = family.reference_role
    count = len(images[reference.key])
    for role in family.roles:
        layers = images[role.key]
        if len(layers) not in (1, count):
            raise InputError(
                f"{reference.title} ({reference.key}) has {count} and {role.title} ({role.key}) "
                f"has {len(layers)} layers; give one of each for every scene, in the same order, "
                "or a single one that covers them all."
            )
        if len(layers) < count:
            layers = [*layers] * count
        for main, layer in zip(images[reference.key], layers, strict=True):
            check_bands(layer, role)
            check_crs(layer)
            if layer is not main:
                check_overlap(main, layer, transforms)


def check_labels(
    family: Family,
    labels: QgsMapLayer,
    field: str,
    scenes: Iterable[QgsMapLayer],
    transforms: QgsCoordinateTransformContext,
) -> None:
    """Refuse labels of a wrong kind, empty, without a CRS, off every scene, or without classes."""
    if isinstance(labels, QgsVectorLayer):
        if family.binary:
            check_outlines(labels)
        if not labels.featureCount():
            raise InputError(
                f"“{labels.name()}” has no features; draw what is to be learnt, or choose other "
                "labels."
            )
    check_crs(labels)
    refusals = []
    for scene in scenes:
        try:
            check_overlap(scene, labels, transforms)
            break
        except InputError as error:
            refusals.append(error)
    else:
        raise refusals[0]
    if isinstance(labels, QgsVectorLayer):
        check_class_field(family, labels, field)
    elif isinstance(labels, QgsRasterLayer) and image_bands(labels) != 1:
        raise InputError(
            f"The class raster “{labels.name()}” has {counted(image_bands(labels), 'band')}; "
            "choose one with a single band of class numbers."
        )


def check_outlines(layer: QgsVectorLayer) -> None:
    """Refuse points and lines where the ground that things take up is to be learnt."""
    kind = layer.geometryType()
    if kind in (Qgis.GeometryType.Point, Qgis.GeometryType.Line):
        name = "points" if kind == Qgis.GeometryType.Point else "lines"
        raise InputError(
            f"“{layer.name()}” holds {name}; this family learns outlines, so choose polygons "
            "around the whole of each object, or a class raster."
        )


def check_class_field(family: Family, layer: QgsVectorLayer, field: str) -> None:
    """Refuse a field that does not exist or holds one class only."""
    names = [one for one in layer.fields().names() if one]
    if not field:
        if family.binary:
            return
        raise InputError(
            f"No class field (CLASS_FIELD) was given; choose one of the fields of "
            f"“{layer.name()}”: {', '.join(names) or 'it has none'}."
        )
    index = layer.fields().lookupField(field)
    if index < 0:
        raise InputError(
            f"“{layer.name()}” has no field “{field}”; choose one of "
            f"{', '.join(names) or 'another layer, since it has none'}."
        )
    # For large remote layers the provider looks up no more than it must.
    values = [one for one in layer.uniqueValues(index, _ENOUGH_VALUES + 1) if _is_class(one)]
    if len(values) < _ENOUGH_VALUES and not family.binary:
        found = f"only the class “{values[0]}”" if values else "no class at all"
        raise InputError(
            f"The field “{field}” of “{layer.name()}” holds {found}; a model learns to tell at "
            "least two classes apart. Choose another field, or draw another class."
        )


def telling_field(family: Family, layer: QgsMapLayer, field: str) -> str:
    """The warning that labels without a class field say themselves what is of the class, or "".

    That is a field of texts in which the family's class stands among others.
    """
    if field or family.target is None or not isinstance(layer, QgsVectorLayer):
        return ""
    wanted = family.target.name
    for index, one in enumerate(layer.fields()):
        if one.isNumeric() or one.isDateOrTime():
            continue
        values = sorted(str(v) for v in layer.uniqueValues(index, _MOST_NAMES) if _is_class(v))
        if len(values) > 1 and wanted.casefold() in {value.casefold() for value in values}:
            return unused_field(f"“{layer.name()}”", one.name(), values, wanted)
    return ""


def _is_class(value: object) -> bool:
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return False
    return str(value) != ""


def check_model(path: str, family: Family, tool: str = "predict") -> Card:
    """The card of the model file at `path`, for `family`.

    Raises:
        InputError: it is missing, damaged, newer, or of another family.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no model file “{path}”; choose a *.safetensors file.")
    card = read_card(path)
    if card.family != family.key:
        use = f"use “{tool}{card.family}”"
        if tool == "train":
            use = f"“train{card.family}” goes on from it (START_MODEL)"
        raise InputError(
            f"{Path(path).name} is a model of the family {card.family}, and this tool is for "
            f"{family.key}; {use}, or choose another model."
        )
    return card


def check_start_bands(card: Card, images: Mapping[str, Sequence[QgsRasterLayer]]) -> None:
    """Refuse scenes with fewer bands than the model was trained on, to go on from it."""
    for role, layers in images.items():
        for layer in layers:
            check_card_bands(card, {role: layer})


def check_card_bands(card: Card, images: Mapping[str, QgsRasterLayer]) -> None:
    """Refuse images with fewer bands than the model was trained on."""
    for role, layer in images.items():
        wanted = card.input(role).bands
        count = image_bands(layer)
        if count < len(wanted):
            names = ", ".join(band.name for band in wanted)
            raise InputError(
                f"“{layer.name()}” ({role}) has {counted(count, 'band')}, the model “{card.name}” "
                f"needs {len(wanted)} ({names}); choose an image with these bands, or another "
                "model."
            )


def destination_path(value: object, expressions: QgsExpressionContext) -> str:
    """The file that an output parameter's value names, or empty for a temporary or none."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink
    if isinstance(value, QgsProperty):
        value = value.valueAsString(expressions)[0]
    text = str(value) if isinstance(value, str) else ""
    return "" if text.upper() == "TEMPORARY_OUTPUT" else text


def check_output(path: str, name: str, inputs: Iterable[QgsMapLayer | str]) -> None:
    """Refuse an output that cannot be written, or that would replace an input."""
    if not path:
        return
    target = Path(path)
    folder = target.parent
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"The output {name} cannot be written to the folder “{folder}”: there is no "
            "permission to write there. Choose another folder."
        )
    if target.is_dir():
        raise InputError(f"The output {name}, “{path}”, is a folder; give the name of a file.")
    for one in inputs:
        taken = one if isinstance(one, str) else local_path(one)
        if taken and target.exists() and Path(taken).exists() and target.samefile(taken):
            raise InputError(
                f"The output {name} is the same file as an input, “{path}”; choose another name, "
                "so that the input is not lost."
            )
