"""Guessing which layer plays which role."""

from dataclasses import replace

import pytest
from terraweave.core.families import FAMILIES
from terraweave.core.family import Family, Reference, Role
from terraweave.ui.layers import LayerFacts, guess_layers, name_speaks, scenes_like

PAIR = FAMILIES["das2f"]
IMAGE = LayerFacts("m", "city_multi", bands=4, pixel=2.0)
PAN = LayerFacts("p", "city_p", bands=1, pixel=0.5)
HEIGHTS = LayerFacts("h", "heights", bands=1, pixel=30.0)
MAP = LayerFacts("c", "old map", bands=1, pixel=2.0, classes=True)


def names(family: Family, layers: list[LayerFacts]) -> dict[str, str]:
    """The guessed layers' names by role."""
    return {role: guess.layer.name for role, guess in guess_layers(family, layers).items()}


@pytest.mark.parametrize("turn", range(4))
def test_the_fine_single_band_is_the_panchromatic_one(turn: int) -> None:
    layers = [IMAGE, PAN, HEIGHTS, MAP]
    found = names(PAIR, layers[turn:] + layers[:turn])
    assert found == {"MS": "city_multi", "PAN": "city_p"}


def test_a_selected_layer_goes_before_others() -> None:
    other = replace(IMAGE, id="n", name="other", selected=True)
    assert names(PAIR, [IMAGE, other, PAN])["MS"] == "other"


def test_a_name_that_says_the_role_decides() -> None:
    wrong = replace(PAN, id="q", name="mask", pixel=0.5)
    right = replace(PAN, id="r", name="scene_pan", pixel=0.5)
    assert names(PAIR, [IMAGE, wrong, right])["PAN"] == "scene_pan"


def test_no_layer_is_taken_twice() -> None:
    assert len(set(names(PAIR, [PAN]).values())) == 1


def test_too_many_bands_are_no_panchromatic_image() -> None:
    assert names(PAIR, [IMAGE]) == {"MS": "city_multi"}


def test_without_layers_nothing_is_guessed() -> None:
    assert guess_layers(PAIR, []) == {}


def test_a_role_nobody_has_heard_of_is_guessed_by_its_own_words() -> None:
    roles = (
        Role("IMAGE", "Image", "", reference=True),
        Role("DEM", "Elevation", "", maximum_bands=1, scales=(1,)),
    )
    family = replace(PAIR, key="made-up", roles=roles, reference=Reference("", ""))
    elevation = replace(HEIGHTS, name="elevation_2020")
    found = names(family, [PAN, IMAGE, elevation])
    assert found == {"IMAGE": "city_multi", "DEM": "elevation_2020"}


def test_a_role_is_recognised_by_key_or_title() -> None:
    role = PAIR.role("PAN")
    assert name_speaks(role, "WV3_PAN")
    assert name_speaks(role, "panchromatic 2020")
    assert not name_speaks(role, "company")


def test_an_image_without_labels_comes_after_one_with_some() -> None:
    bare = replace(IMAGE, id="b", name="bare", unlabelled=True)
    assert names(PAIR, [bare, IMAGE, PAN])["MS"] == "city_multi"


def test_all_labelled_images_of_a_kind_are_scenes_to_learn_from() -> None:
    second = replace(IMAGE, id="2", name="second")
    others = [
        replace(IMAGE, id="3", unlabelled=True),
        replace(IMAGE, id="4", bands=3),
        replace(IMAGE, id="5", pixel=10.0),
        replace(IMAGE, id="6", classes=True),
    ]
    assert scenes_like(IMAGE, [IMAGE, second, *others]) == [IMAGE, second]
