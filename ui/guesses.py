"""Fills a step's form with what the project and earlier runs suggest; each guess is said."""

import re
from collections.abc import Sequence

from qgis.core import QgsMapLayer, QgsProcessingParameterField, QgsVectorLayer

from ..core.card import read_card
from ..core.errors import ModelFileError
from ..core.family import Family
from .field import Field, describe_layer
from .form import ParameterForm
from .layers import guess_layers, scenes_like
from .models import recent_models
from .project import (
    is_sample,
    label_field,
    likely_area,
    likely_labels,
    likely_map,
    likely_reference,
    raster_facts,
)
from .steps import Step
from .words import tr

_AREA, _LABELS = "AREA", "LABELS"
# Words in the purpose of families that are no subjects.
_NO_SUBJECT = {"from", "image", "elevation", "multispectral", "relic"}
_LAYERS = ("raster", "layer", "vector", "source")
# A sample scene is there to see how it all goes: this part of a training shows it.
_SAMPLE_PART = 4
_FEW_EPOCHS = 5


def fill_guesses(
    form: ParameterForm, family: Family, step: Step, selected: Sequence[QgsMapLayer]
) -> None:
    """Fill in all that can be guessed, except where the user has chosen something herself."""
    _guess_maps(form, family)
    _guess_labels(form, family, step, selected)
    _guess_images(form, family, selected)
    _guess_model(form, family)
    _guess_length(form, family)
    for field in form.fields.values():
        if field.definition.type() in _LAYERS:
            field.drop_layer_by_chance()


def _guess_images(form: ParameterForm, family: Family, selected: Sequence[QgsMapLayer]) -> None:
    """Layers by role; all scenes with labels where a scene is a single image."""
    labels = form.fields.get(_LABELS)
    on = next(iter(labels.layers()), None) if labels is not None else None
    facts = raster_facts(selected, on if isinstance(on, QgsVectorLayer) else None)
    for key, guess in guess_layers(family, facts).items():
        field = form.fields.get(key)
        if field is None or field.touched:
            continue
        if field.definition.type() != "multilayer":
            form.fill(key, guess.layer.id, tr(guess.reason))
            continue
        scenes = [guess.layer]
        if on is not None and len(family.roles) == 1:
            scenes = scenes_like(guess.layer, facts)
        form.fill(key, [one.id for one in scenes], tr(guess.reason))


def _guess_maps(form: ParameterForm, family: Family) -> None:
    """A class raster where the form asks for a raster that is no image."""
    roles = {role.key for role in family.roles}
    found = likely_map()
    for field in form.fields.values():
        is_map = field.definition.type() == "raster" and field.name not in roles
        if is_map and found is not None and not field.touched:
            form.fill(field.name, found.id(), describe_layer(found))


def _guess_labels(
    form: ParameterForm, family: Family, step: Step, selected: Sequence[QgsMapLayer]
) -> None:
    """Every required class layer with its field, and the surveyed area."""
    for field in list(form.fields.values()):
        if not isinstance(field.definition, QgsProcessingParameterField):
            continue
        parent = form.fields.get(field.definition.parentLayerParameterName())
        if parent is None:
            continue
        labels = _labels(family, step, selected)
        if labels is not None and not parent.touched:
            form.fill(parent.name, labels.id(), tr("by its name and fields"))
        chosen = next(iter(parent.layers()), None)
        if isinstance(chosen, QgsVectorLayer) and not field.touched:
            name = label_field(chosen)
            if name:
                form.fill(field.name, name, tr("by its name or the layer's style"))
    area, found = form.fields.get(_AREA), likely_area(precise=step.precise)
    if area is not None and found is not None and not area.touched:
        form.fill(area.name, found.id(), tr("by its name"))


def _labels(family: Family, step: Step, selected: Sequence[QgsMapLayer]) -> QgsMapLayer | None:
    reference = likely_reference(likely_map()) if step.judges else None
    return reference or likely_labels(selected, subject=_subject(family), precise=step.precise)


def _subject(family: Family) -> frozenset[str]:
    """The words for what the family maps, such as “landslides”, in the singular."""
    if not family.binary or family.target is None:
        return frozenset()
    words = re.findall(r"[a-z]{4,}", f"{family.target.name} {family.purpose}".lower())
    return frozenset(word.removesuffix("s") for word in words) - _NO_SUBJECT


def model_field(form: ParameterForm) -> Field | None:
    """The field that asks for an existing model, a required one before others."""
    fields = [one for one in form.fields.values() if one.takes_model]
    return next(iter(sorted(fields, key=lambda one: not one.required)), None)


def _guess_model(form: ParameterForm, family: Family) -> None:
    """The model of this family that was made or used last, where the step cannot do without."""
    field = model_field(form)
    if field is None or not field.required or field.touched:
        return
    if field.empty or field.guessed:
        found = next((path for path in recent_models() if _is_of(path, family)), "")
        if found:
            form.fill(field.name, found, tr("the model made or used last"))


def _is_of(path: str, family: Family) -> bool:
    try:
        return read_card(path).family == family.key
    except ModelFileError:
        return False


def _guess_length(form: ParameterForm, family: Family) -> None:
    """A short training on a sample scene, and the tool's own length on anything else."""
    epochs, images = form.fields.get("EPOCHS"), form.fields.get(family.reference_role.key)
    if epochs is None or images is None:
        return
    layers = images.layers()
    trying = bool(layers) and all(is_sample(layer) for layer in layers)
    usual = int(epochs.definition.defaultValue())
    short = {
        "EPOCHS": min(usual, max(_FEW_EPOCHS, usual // _SAMPLE_PART)),
        "REFIT": False,
    }
    for name, value in short.items():
        field = form.fields.get(name)
        if field is None or field.touched:
            continue
        if trying:
            form.fill(name, value, tr("so that a sample scene is soon done"))
        elif field.guessed:
            form.fill(name, field.definition.defaultValue())
