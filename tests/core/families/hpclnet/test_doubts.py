"""What looks wrong with rasters and units is told, and what looks odd but right is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from terraweave.core.families.hpclnet.doubts import Lie, other_ground, warn_of_rasters
from terraweave.core.job import Job, Source
from terraweave.core.progress import Event, Progress

EDGE, GSD = 160, 5.0
Doubles = NDArray[np.float64]


def hills(seed: int = 0, rough: float = 3.2, high: float = 120.0) -> Doubles:
    """Fractal heights (row, column) from 60 m on; the power of waves falls with `rough`."""
    random = np.random.default_rng(seed)
    wave = np.hypot(np.fft.fftfreq(EDGE)[:, None], np.fft.fftfreq(EDGE)[None, :])
    wave[0, 0] = np.inf
    noise = random.standard_normal((EDGE, EDGE)) + 1j * random.standard_normal((EDGE, EDGE))
    found = np.fft.ifft2(noise * wave ** (-rough / 2)).real
    return 60 + high * (found - found.min()) / np.ptp(found)


def shaded(heights: Doubles) -> Doubles:
    """A hillshade (1 to 255) with the sun in the north-west."""
    down, right = np.gradient(heights, GSD)
    light = (1 + right - down) / np.sqrt(3 * (1 + right**2 + down**2))
    return 1 + 254 * np.clip(light, 0, 1)


def written(path: Path, values: Doubles, kind: str, gsd: float = GSD, unit: str = "") -> Source:
    rows, columns = values.shape
    place = Affine(gsd, 0, 500000, 0, -gsd, 5400000)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=rows, width=columns, dtype=kind,
        crs="EPSG:32632", transform=place, nodata=0,
    ) as data:  # fmt: skip
        data.write(values.astype(kind)[None])
        if unit:
            data.set_band_unit(1, unit)
    return Source(str(path))


def said(dem: Source, *images: Source, unit: str = "metre", variant: str = "fusion") -> list[str]:
    """The warnings about an elevation model, and about images beside it."""
    texts: list[str] = []

    def hear(event: Event) -> None:
        assert event.get("level") == "warning"
        texts.append(str(event["text"]))

    job = Job("train", "hpclnet", inputs={"IMAGE": images, "DEM": (dem,)})
    warn_of_rasters(job, Progress(hear), unit=unit, variant=variant)
    return texts


@pytest.mark.parametrize("kind", ["float32", "int16", "uint16"])
@pytest.mark.parametrize("rough", [3.0, 3.4, 4.0])
def test_low_hills_are_taken_for_heights(tmp_path: Path, kind: str, rough: float) -> None:
    for seed in range(4):
        assert not said(written(tmp_path / "dem.tif", hills(seed, rough), kind))


@pytest.mark.parametrize("kind", ["float32", "int16"])
@pytest.mark.parametrize("rough", [2.6, 3.2, 4.0])
def test_a_hillshade_is_told_from_heights_in_any_type(
    tmp_path: Path, kind: str, rough: float
) -> None:
    for seed in range(4):
        shade = shaded(hills(seed, rough))
        shade[:, :3] = 0  # missing, as gdaldem leaves its edges
        (text,) = said(written(tmp_path / "shade.tif", shade, kind))
        assert text.startswith("shade.tif, chosen as elevation model, holds values from ")
        assert text.endswith("like heights; choose a raster of heights.")


def test_eight_bits_are_told_whatever_they_hold(tmp_path: Path) -> None:
    (text,) = said(written(tmp_path / "dem.tif", hills(), "uint8"))
    assert "8-bit numbers, as a hillshade does" in text


def test_shades_of_heights_beyond_255_and_nothing_at_all_are_no_matter(tmp_path: Path) -> None:
    assert not said(written(tmp_path / "high.tif", shaded(hills()) + 2000, "float32"))
    assert not said(written(tmp_path / "empty.tif", np.zeros((EDGE, EDGE)), "float32"))
    assert not said(written(tmp_path / "tiny.tif", shaded(hills())[:3, :3], "float32"))


@pytest.mark.parametrize(
    ("own", "unit", "told"),
    [
        ("m", "metre", ""),
        ("metre", "foot", "“metre”"),
        ("ft", "metre", "“foot”"),
        ("US survey foot", "metre", "“us-foot”"),
        ("US survey foot", "foot", ""),
        ("furlong", "metre", ""),
    ],
)
def test_a_file_that_names_another_unit_is_told(
    tmp_path: Path, own: str, unit: str, told: str
) -> None:
    texts = said(written(tmp_path / "dem.tif", hills(), "float32", unit=own), unit=unit)
    assert len(texts) == bool(told)
    assert all(f"set VERTICAL_UNIT to {told}" in text for text in texts)


def test_heights_as_image_are_told_once_as_file_copy_or_resampled(tmp_path: Path) -> None:
    dem = written(tmp_path / "dem.tif", hills(), "float32")
    copy = written(tmp_path / "copy.tif", hills(), "float64")
    fine = np.kron(hills(), np.ones((2, 2)))
    resampled = written(tmp_path / "fine.tif", fine, "float32", GSD / 2)
    for image in (dem, copy, resampled):
        (text,) = said(dem, image)
        assert "are the same heights" in text
        assert "choose a satellite, aerial or drone image as IMAGE" in text
        assert not said(dem, image, variant="dem")


def test_a_picture_made_from_heights_may_be_the_image(tmp_path: Path) -> None:
    dem = written(tmp_path / "dem.tif", hills(), "float32")
    shade = written(tmp_path / "shade.tif", shaded(hills()), "uint8")
    other = written(tmp_path / "other.tif", hills(7), "float32")
    assert not said(dem, shade)
    assert not said(dem, other)


KNOWN = Lie(18.0, 11.0)


@pytest.mark.parametrize(
    ("found", "unit", "words"),
    [
        (Lie(18.0, 11.0), "metre", []),
        (Lie(30.0, 22.0), "metre", []),
        (Lie(9.0, 6.0), "metre", []),
        (Lie(46.0, 36.0), "metre", ["times as steep as", "46° against 18°", "(“foot” would fit)"]),
        (Lie(5.7, 3.3), "foot", ["times less steep than", "“metre” would fit"]),
        (Lie(5.7, 3.3), "metre", ["times less steep than", "set VERTICAL_UNIT; if they are"]),
        (Lie(72.0, 110.0), "metre", ["“decimetre” would fit"]),
    ],
)
def test_ground_unlike_the_models_is_told_with_numbers_and_unit(
    found: Lie, unit: str, words: list[str]
) -> None:
    text = other_ground(found, KNOWN, "dem.tif", unit)
    assert bool(text) == bool(words)
    assert all(word in text for word in words)


def test_ground_without_any_relief_is_told() -> None:
    text = other_ground(Lie(0.0, 0.0), KNOWN, "dem.tif", "metre")
    assert text.startswith("dem.tif has the same height everywhere that was looked at")


def test_models_that_keep_no_slope_are_compared_by_their_relief() -> None:
    text = other_ground(Lie(46.0, 36.0), Lie(None, 11.0), "dem.tif", "metre")
    assert "36 m against 11 m" in text
    assert "slope" not in text.replace("less steep", "")
    assert not other_ground(replace(KNOWN, slope=60.0), Lie(None, 11.0), "dem.tif", "metre")
