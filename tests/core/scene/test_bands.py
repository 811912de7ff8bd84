"""A model gets its bands by name where names are known, and an image of its GSD."""

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine
from terraweave.core.card import Band, CardInput
from terraweave.core.errors import InputError
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.bands import check_gsd, match_bands, read_facts
from terraweave.core.scene.source import RasterFacts

WriteRaster = Callable[..., Source]
MakeFacts = Callable[..., RasterFacts]


def wanted(*names: str, gsd: float = 2.0) -> CardInput:
    ones = (1.0,) * len(names)
    return CardInput("MS", tuple(Band(name) for name in names), ones, ones, gsd)


@pytest.fixture
def facts(write_raster: WriteRaster) -> MakeFacts:
    def make(*names: str, bands: tuple[int, ...] = (), pixel: float = 2.0) -> RasterFacts:
        array = np.ones((len(names), 3, 3), dtype=np.uint8)
        source = write_raster("image.tif", array, names=names, pixel=pixel)
        return read_facts(Source(source.path, bands=bands))

    return make


def test_bands_are_found_by_name_in_any_order(
    facts: MakeFacts, told: Progress, texts: list[str]
) -> None:
    image = facts("NIR", "red", "Green", "coastal", "blue")
    assert match_bands(wanted("blue", "green", "red", "nir"), image, told) == (5, 3, 2, 1)
    assert texts[0] == "Bands of image.tif that the model does not use: coastal."


def test_names_match_however_they_are_spaced(facts: MakeFacts) -> None:
    assert match_bands(wanted("Red_Edge", "nir1"), facts("red edge", "NIR 1")) == (1, 2)


def test_a_missing_band_is_named(facts: MakeFacts) -> None:
    with pytest.raises(InputError, match=r"image\.tif has no band “nir”.*it has red, green, blue"):
        match_bands(wanted("red", "green", "nir"), facts("red", "green", "blue"))


def test_bands_without_names_are_taken_in_order_and_said(
    facts: MakeFacts, told: Progress, texts: list[str]
) -> None:
    assert match_bands(wanted("red", "nir"), facts("", ""), told) == (1, 2)
    assert texts == ["The bands of image.tif have no names; they are taken in order as red, nir."]


def test_a_wrong_count_of_nameless_bands_is_refused(facts: MakeFacts) -> None:
    with pytest.raises(InputError, match="has 3 bands; the model was trained on 2 bands"):
        match_bands(wanted("red", "nir"), facts("", "", ""))


def test_a_model_without_names_takes_bands_in_order(facts: MakeFacts) -> None:
    assert match_bands(wanted("band 1", "band 2"), facts("nir", "red")) == (1, 2)


def test_bands_picked_by_hand_go_before_names(facts: MakeFacts) -> None:
    image = facts("B2", "B3", "B4", bands=(3, 1))
    assert match_bands(wanted("red", "blue"), image) == (3, 1)


def test_a_single_band_needs_no_name(facts: MakeFacts) -> None:
    assert match_bands(wanted("pan"), facts("B8")) == (1,)


def test_a_fitting_gsd_is_silent(facts: MakeFacts, told: Progress, texts: list[str]) -> None:
    check_gsd(wanted("a", gsd=2.2), facts("a"), told)
    assert texts == []


@pytest.mark.parametrize(("gsd", "word"), [(1.2, "smaller"), (3.2, "larger")])
def test_an_odd_gsd_is_warned_about(
    facts: MakeFacts, told: Progress, texts: list[str], gsd: float, word: str
) -> None:
    check_gsd(wanted("a", gsd=gsd), facts("a"), told)
    assert len(texts) == 1
    assert word in texts[0]


@pytest.mark.parametrize("gsd", [0.9, 4.5])
def test_a_far_gsd_is_refused(facts: MakeFacts, told: Progress, gsd: float) -> None:
    with pytest.raises(InputError, match=rf"pixels of 2 m; the model was trained on {gsd} m"):
        check_gsd(wanted("a", gsd=gsd), facts("a"), told)


def test_an_unknown_gsd_is_said(
    write_raster: WriteRaster, told: Progress, texts: list[str]
) -> None:
    array = np.ones((1, 3, 3), dtype=np.uint8)
    source = write_raster("chip.tif", array, crs=None, transform=Affine.scale(1, -1))
    check_gsd(wanted("a"), read_facts(source), told)
    assert "cannot be compared" in texts[0]
