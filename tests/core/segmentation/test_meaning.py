"""Which features are of the class that a model finds, and that it is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.job import Features
from terraweave.core.segmentation.meaning import Meaning, meaning_of

MINE = MapClass(1, "Mine", "#d95f02")


def layer(folder: Path, *kinds: str, field: str = "kind") -> Features:
    """One square for each kind, as a layer that is asked by its `field`."""
    features = [
        {
            "type": "Feature",
            "properties": {"kind": kind, "owner": "somebody"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]],
            },
        }
        for x, kind in enumerate(kinds)
    ]
    path = folder / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return Features(str(path), "labels", field=field)


def meant(folder: Path, *kinds: str, known: bool = False, field: str = "kind") -> Meaning:
    """What a layer of these kinds means to a model that finds mines."""
    names = sorted(set(kinds)) if field else ["class 1"]
    classes = [MapClass(value, name, "#000000") for value, name in enumerate(names, 1)]
    return meaning_of(classes, MINE, layer(folder, *kinds, field=field), known=known)


@pytest.fixture
def raster_of_two(tmp_path: Path) -> Features:
    """A class raster that holds 1 and 2."""
    path = tmp_path / "classes.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 4, "width": 4, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": from_origin(0, 4, 1, 1)}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(np.repeat([[1, 1, 2, 2]], 4, axis=0).astype(np.uint8), 1)
    return Features(str(path), "classes.tif")


def test_the_namesake_is_the_class_and_all_else_is_background(tmp_path: Path) -> None:
    found = meant(tmp_path, "mine", "forest", "water")
    assert found.values == {2}
    assert found.sentence == (
        "In the field “kind” of labels “mine” is the class; “forest” and “water” count as "
        "background."
    )
    assert not found.doubt


@pytest.mark.parametrize("known", [False, True])
def test_several_classes_without_a_namesake_are_refused(tmp_path: Path, known: bool) -> None:
    with pytest.raises(InputError, match="holds “dump” and “pit”, and .* “Mine”") as told:
        meant(tmp_path, "pit", "dump", known=known)
    assert "call the class “Mine” there, or choose no field (CLASS_FIELD) if" in str(told.value)


def test_numbers_without_names_are_refused_where_there_are_several(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds “class 1” and “class 2”, and none is “Mine”"):
        meant(tmp_path, "class 1", "class 2")
    assert meant(tmp_path, "class 7").values == {1}


def test_one_other_name_is_the_class_unless_a_model_knows_it_by_its_own(tmp_path: Path) -> None:
    found = meant(tmp_path, "quarry", "quarry")
    assert found.values == {1}
    assert found.sentence == "In the field “kind” of labels “quarry” is the class."
    with pytest.raises(InputError, match="holds “quarry”, and the model knows “Mine”"):
        meant(tmp_path, "quarry", known=True)


def test_without_a_field_every_feature_counts_and_a_telling_field_is_named(tmp_path: Path) -> None:
    found = meant(tmp_path, "mine", "forest", field="")
    assert found.values == {1}
    assert "Every feature of labels counts as “Mine”, because no class field" in found.sentence
    assert found.doubt == (
        "The field “kind” of labels holds “forest”, “mine”, but without a class field every "
        "feature counts as “Mine”. Choose “kind” as class field (CLASS_FIELD) if only some do."
    )
    assert not meant(tmp_path, "mine", "mine", field="").doubt
    assert not meant(tmp_path, "pit", "dump", field="").doubt


def test_a_field_without_any_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No feature has a class in the field “kind” of labels"):
        meaning_of([], MINE, layer(tmp_path), known=False)


def test_a_raster_of_several_classes_needs_a_namesake(raster_of_two: Features) -> None:
    classes = [MapClass(1, "class 1", "#000000"), MapClass(2, "class 2", "#000000")]
    with pytest.raises(InputError, match="shows “class 1” and “class 2”, and none is “Mine”") as no:
        meaning_of(classes, MINE, raster_of_two, known=False)
    assert "name the class there “Mine”; all else is background" in str(no.value)
    named = [MapClass(1, "Wood", "#000000"), MapClass(2, "MINE", "#000000")]
    found = meaning_of(named, MINE, raster_of_two, known=True)
    assert found.values == {2}
    assert found.sentence.endswith("“MINE” is the class; “Wood” counts as background.")
