"""Whatever says that a pixel is missing ends up in one mask."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from terraweave.core.card import Band
from terraweave.core.errors import InputError, ResourceError
from terraweave.core.job import Source
from terraweave.core.scene.grid import Shape, Window
from terraweave.core.scene.source import Image

WriteRaster = Callable[..., Source]
WHOLE = Window(0, 0, 4, 5)


def missing_at(source: Source, *, bands: tuple[int, ...] = ()) -> set[tuple[int, int]]:
    """The missing pixels, after the checks that hold for every raster."""
    with Image(source, bands) as image:
        values, valid = image.read(WHOLE)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert (values[:, ~valid] == 0).all()
    return {(int(row), int(column)) for row, column in np.argwhere(~valid)}


def ramp(dtype: str, bands: int = 1) -> np.ndarray:
    return (np.arange(bands * 20).reshape(bands, 4, 5) + 1).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_values_come_as_float32_whatever_the_type(write_raster: WriteRaster, dtype: str) -> None:
    array = ramp(dtype, 3)
    with Image(write_raster("a.tif", array)) as image:
        values, valid = image.read(WHOLE)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, array)
    assert valid.all()


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", 0), ("uint16", 65535), ("int16", -9999), ("float32", -3.4e38)]
)
def test_nodata_by_value_in_any_band_is_missing(
    write_raster: WriteRaster, dtype: str, nodata: float
) -> None:
    array = ramp(dtype, 2)
    array[0, 1, 2] = nodata
    array[1, 3, 4] = nodata
    assert missing_at(write_raster("a.tif", array, nodata=nodata)) == {(1, 2), (3, 4)}


def test_nan_and_infinity_are_missing_without_being_declared(write_raster: WriteRaster) -> None:
    array = ramp("float32", 2)
    array[0, 0, 0], array[1, 1, 1], array[0, 2, 2] = np.nan, np.inf, -np.inf
    assert missing_at(write_raster("a.tif", array)) == {(0, 0), (1, 1), (2, 2)}


def test_declared_nan_is_missing(write_raster: WriteRaster) -> None:
    array = ramp("float32")
    array[0, 0, 3] = np.nan
    assert missing_at(write_raster("a.tif", array, nodata=np.nan)) == {(0, 3)}


def test_numbers_beyond_float32_are_missing(write_raster: WriteRaster) -> None:
    array = ramp("float64")
    array[0, 2, 0] = 1e300
    assert missing_at(write_raster("a.tif", array)) == {(2, 0)}


def test_an_internal_mask_is_obeyed(write_raster: WriteRaster) -> None:
    mask = np.ones((4, 5), dtype=bool)
    mask[1, 1:3] = False
    assert missing_at(write_raster("a.tif", ramp("uint16", 3), mask=mask)) == {(1, 1), (1, 2)}


def test_an_alpha_band_is_a_mask_and_no_band(write_raster: WriteRaster) -> None:
    array = ramp("uint8", 4)
    array[3] = 255
    array[3, 2, 1] = 0
    source = write_raster("a.tif", array, photometric="RGB", alpha="YES")
    with Image(source) as image:
        assert image.indexes == (1, 2, 3)
        assert len(image.facts.bands) == 3
    assert missing_at(source) == {(2, 1)}


def test_only_the_bands_in_use_decide_what_is_missing(write_raster: WriteRaster) -> None:
    array = ramp("int16", 2)
    array[0, 1, 2], array[1, 3, 4] = -1, -1
    assert missing_at(write_raster("a.tif", array, nodata=-1), bands=(2,)) == {(3, 4)}


def test_bands_come_in_the_order_asked_for(write_raster: WriteRaster) -> None:
    array = ramp("uint8", 3)
    source = write_raster("a.tif", array, names=["blue", "green", "red"])
    with Image(Source(source.path, bands=(3, 1))) as image:
        values, _ = image.read(WHOLE)
        assert [band.name for band in image.facts.bands] == ["red", "blue"]
        assert image.facts.indexes == (3, 1)
        assert image.facts.picked
    np.testing.assert_array_equal(values, array[[2, 0]])


def test_facts_name_bands_type_nodata_and_size(write_raster: WriteRaster) -> None:
    source = write_raster("scene.tif", ramp("uint16", 2), names=["red", "nir"], nodata=0)
    with Image(source) as image:
        facts = image.facts
    assert facts.title == "scene.tif"
    assert facts.bands == (Band("red"), Band("nir"))
    assert facts.named
    assert not facts.picked
    assert (facts.data_type, facts.nodata, facts.gsd) == ("uint16", 0, 2.0)
    assert facts.grid.shape == Shape(4, 5)


def test_bands_without_names_are_numbered(write_raster: WriteRaster) -> None:
    with Image(write_raster("a.tif", ramp("uint8", 2))) as image:
        assert [band.name for band in image.facts.bands] == ["band 1", "band 2"]
        assert not image.facts.named


@pytest.mark.parametrize("names", [["Band 1", "Band 2"], ["x", "X"], ["red", ""]])
def test_names_that_tell_nothing_apart_count_as_none(
    write_raster: WriteRaster, names: list[str]
) -> None:
    with Image(write_raster("a.tif", ramp("uint8", 2), names=names)) as image:
        assert not image.facts.named


def test_wavelengths_are_read_in_micrometres(write_raster: WriteRaster) -> None:
    source = write_raster("a.tif", ramp("uint8", 3))
    with rasterio.open(source.path, "r+") as data:
        data.update_tags(1, wavelength="665.0", wavelength_units="Nanometers")
        data.update_tags(2, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.842")
        data.update_tags(3, wavelength="garbage")
    with Image(source) as image:
        found = [band.wavelength for band in image.facts.bands]
    assert found == [pytest.approx(0.665), pytest.approx(0.842), None]


def test_complex_numbers_are_refused(write_raster: WriteRaster) -> None:
    source = write_raster("a.tif", ramp("complex64"))
    with pytest.raises(InputError, match=r"a\.tif holds complex numbers"):
        Image(source)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The meadow does not exist"):
        Image(Source(str(tmp_path / "no.tif"), "The meadow"))


def test_a_text_file_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(InputError, match=r"a\.tif cannot be opened as a raster"):
        Image(Source(str(tmp_path / "a.tif")))


def test_a_band_that_is_not_there_is_refused(write_raster: WriteRaster) -> None:
    source = write_raster("a.tif", ramp("uint8", 2))
    with pytest.raises(InputError, match="no band 3; choose bands from 1 to 2"):
        Image(Source(source.path, bands=(3,)))


@pytest.mark.parametrize("compress", ["none", "deflate", "lzw"])
def test_a_file_cut_off_before_the_run_is_no_map_with_holes(
    write_raster: WriteRaster, compress: str
) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(1, 60000, (1, 400, 400)).astype("uint16")
    source = write_raster("a.tif", array, compress=compress)
    path = Path(source.path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises((InputError, ResourceError), match=r"a\.tif"), Image(source) as image:
        image.read(Window(0, 0, 400, 400))


@pytest.mark.parametrize("driver", ["GTiff", "ENVI"])
def test_a_file_cut_off_during_the_run_is_noticed(
    write_raster: WriteRaster, tmp_path: Path, driver: str
) -> None:
    array = np.full((1, 400, 400), 7, dtype="uint16")
    write_raster("a.tif", array)
    path = tmp_path / "a.tif"
    if driver == "ENVI":
        with (
            rasterio.open(path) as data,
            rasterio.open(tmp_path / "a.img", "w", **{**data.profile, "driver": "ENVI"}) as copy,
        ):
            copy.write(data.read())
        path = tmp_path / "a.img"
    with Image(Source(str(path))) as image:
        image.read(Window(0, 0, 100, 400))
        with path.open("rb+") as file:
            file.truncate(path.stat().st_size // 2)
        with pytest.raises(ResourceError, match=r"a\.(tif|img) .*(changed|cut off)"):
            image.read(Window(300, 0, 100, 400))


def test_a_file_that_vanishes_during_the_run_is_noticed(write_raster: WriteRaster) -> None:
    source = write_raster("a.tif", ramp("uint8"))
    with Image(source) as image:
        Path(source.path).unlink()
        with pytest.raises(ResourceError, match="removed or changed"):
            image.read(WHOLE)


def test_alpha_is_recognised_by_its_meaning(write_raster: WriteRaster) -> None:
    array = ramp("uint16", 2)
    array[1] = 65535
    source = write_raster("a.tif", array)
    with rasterio.open(source.path, "r+") as data:
        data.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    with Image(source) as image:
        assert image.indexes == (1,)


def test_near_infrared_that_gdal_calls_alpha_is_a_band(write_raster: WriteRaster) -> None:
    array = np.random.default_rng(0).integers(0, 200, (4, 90, 90)).astype("uint8")
    source = write_raster("rgbn.tif", array)
    with rasterio.open(source.path) as data:
        assert data.colorinterp[3] == ColorInterp.alpha
    with Image(source) as image:
        assert image.indexes == (1, 2, 3, 4)
        assert image.read(Window(0, 0, 90, 90))[1].all()


def test_a_named_band_that_gdal_calls_alpha_is_a_band(write_raster: WriteRaster) -> None:
    array = np.full((4, 90, 90), 255, dtype=np.uint8)
    source = write_raster("rgbn.tif", array, names=["red", "green", "blue", "nir"])
    with Image(source) as image:
        assert image.indexes == (1, 2, 3, 4)


def test_alpha_with_soft_edges_is_still_a_mask(write_raster: WriteRaster) -> None:
    array = np.full((4, 90, 90), 255, dtype=np.uint8)
    array[3, 0], array[3, 1] = 0, 90
    with Image(write_raster("rgba.tif", array)) as image:
        assert image.indexes == (1, 2, 3)
        assert not image.read(Window(0, 0, 1, 90))[1].any()
