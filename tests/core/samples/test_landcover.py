"""The land-cover sample: lined-up, seeded, complete, and neither trivial nor hopeless."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from terraweave.core.errors import InputError
from terraweave.core.job import Job
from terraweave.core.progress import Progress
from terraweave.core.samples import SAMPLES, landcover
from terraweave.core.samples.painting import Cover
from terraweave.core.scene.grid import Shape

# Machado et al. (2009), severity 1, on linear RGB: protanopia and deuteranopia.
_PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
               (-0.003882, -0.048116, 1.051998))  # fmt: skip
_DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                 (-0.011820, 0.042940, 0.968881))  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("landcover")
    landcover.write(place, 128, 4, seed=3)
    return place


def _burned_labels(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The labels by the pixel-centre rule, and the truth."""
    with rasterio.open(folder / "truth.tif") as raster:
        truth, transform = raster.read(1), raster.transform
    _, _, shapes, fields = pyogrio.raw.read(folder / "labels.gpkg", columns=["class_id"])
    pairs = list(zip(shapely.from_wkb(shapes), fields[0].tolist(), strict=True))
    return rasterize(pairs, truth.shape, transform=transform, dtype="uint8"), truth


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    first, again, other = (landcover.make(64, 2, seed) for seed in (5, 5, 6))
    for name in ("ms", "pan", "truth", "truth_fine"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_odd_shapes_line_up_at_every_ratio(ratio: int) -> None:
    scene = landcover.make(Shape(67, 101), ratio, seed=1)
    assert scene.ms.shape == (4, 67, 101)
    assert scene.pan.shape == (1, 67 * ratio, 101 * ratio)
    assert scene.truth.shape == (67, 101)
    assert scene.truth_fine.shape == scene.pan.shape[1:]
    assert scene.ms.dtype == scene.pan.dtype == np.uint16


@pytest.mark.parametrize(("size", "seed"), [(64, 1), (64, 2), (96, 9), (256, 7), (256, 8)])
def test_every_class_is_present(size: int, seed: int) -> None:
    scene = landcover.make(size, 2, seed)
    counts = np.bincount(scene.truth.ravel(), minlength=9)
    assert counts[0] == 0
    assert (counts[1:] >= 12).all(), dict(zip(Cover, counts[1:], strict=True))


def test_truth_is_the_class_that_covers_most_of_each_pixel() -> None:
    scene = landcover.make(64, 4, seed=2)
    blocks = scene.truth_fine.reshape(64, 4, 64, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    for block, value in zip(blocks[::37], scene.truth.ravel()[::37], strict=True):
        counts = np.bincount(block, minlength=9)
        assert counts[value] == counts.max()


def test_without_nodata_every_pixel_is_valid_and_with_it_a_wedge_is_not() -> None:
    whole, cut = (landcover.make(64, 4, 2, nodata=nodata) for nodata in (False, True))
    assert whole.ms.min() > 0
    assert whole.pan.min() > 0
    missing = (cut.ms == 0).any(axis=0)
    assert 0.02 < missing.mean() < 0.4
    assert not (missing & (cut.truth > 0)).any()
    pan_missing = (cut.pan[0] == 0).reshape(64, 4, 64, 4).any(axis=(1, 3))
    assert not (pan_missing & (cut.truth > 0)).any()
    assert np.array_equal(cut.ms[:, ~missing], whole.ms[:, ~missing])


def test_files_share_one_ground_and_declare_nodata(folder: Path) -> None:
    with (
        rasterio.open(folder / "ms.tif") as ms,
        rasterio.open(folder / "pan.tif") as pan,
        rasterio.open(folder / "truth.tif") as truth,
    ):
        assert ms.bounds == pan.bounds == truth.bounds
        assert ms.crs == pan.crs == truth.crs == "EPSG:32632"
        assert (pan.height, pan.width) == (4 * ms.height, 4 * ms.width)
        assert (ms.res, pan.res) == ((2.0, 2.0), (0.5, 0.5))
        assert ms.nodata == pan.nodata == truth.nodata == 0
        assert ms.descriptions == ("blue", "green", "red", "nir")
        assert ms.tags(4, ns="IMAGERY") == {"CENTRAL_WAVELENGTH_UM": "0.83"}
        colors = truth.colormap(1)
        assert all(colors[one.value][:3] == one.rgb for one in landcover.CLASSES)


def test_only_whole_files_are_left(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "ms.tif", "pan.tif", "truth.tif", "truth.tif.aux.xml", "truth.qml", "labels.gpkg",
        "labels.qml",
    }  # fmt: skip


def test_labels_agree_with_truth(folder: Path) -> None:
    labels, truth = _burned_labels(folder)
    assert (labels[labels > 0] == truth[labels > 0]).mean() >= 0.99
    assert 0.01 < (labels > 0).mean() < 0.25


def test_every_class_is_labelled_in_several_places(folder: Path) -> None:
    labels, _ = _burned_labels(folder)
    _, _, shapes, fields = pyogrio.raw.read(folder / "labels.gpkg")
    shapes = shapely.from_wkb(shapes)
    assert shapely.is_valid(shapes).all()
    for one in landcover.CLASSES:
        mine = shapes[fields[0] == one.value]
        assert set(fields[1][fields[0] == one.value]) == {one.name}
        assert len(mine) >= 5
        assert (labels == one.value).sum() >= len(mine) // 2
        assert shapely.unary_union(mine).envelope.area > 60 * 60


def test_labels_do_not_overlap(folder: Path) -> None:
    shapes = shapely.from_wkb(pyogrio.raw.read(folder / "labels.gpkg")[2])
    assert shapely.unary_union(shapes).area == pytest.approx(shapely.area(shapes).sum())


def test_colours_differ_for_every_kind_of_eye() -> None:
    for eye in (np.eye(3), np.array(_PROTANOPIA), np.array(_DEUTERANOPIA)):
        lab = {one.name: _lab(eye @ _linear(one.rgb)) for one in landcover.CLASSES}
        for first, second in combinations(lab, 2):
            distance = float(np.linalg.norm(lab[first] - lab[second]))
            assert distance > 12, f"{first} and {second}: ΔE {distance:.1f}"


def _linear(rgb: tuple[int, int, int]) -> np.ndarray:
    c = np.array(rgb) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB under D65 of linear sRGB."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(to_xyz @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089], 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_a_pixel_alone_does_not_tell_its_class_but_the_fine_image_helps() -> None:
    scene = landcover.make(128, 4, seed=4)
    fine = np.log(scene.pan[0].reshape(128, 4, 128, 4).astype(float)).std(axis=(1, 3))
    texture = {one.value: np.median(fine[scene.truth == one.value]) for one in landcover.CLASSES}
    assert texture[Cover.TREES] > 3 * texture[Cover.GRASS]
    assert texture[Cover.ORCHARD] > 3 * texture[Cover.GRASS]
    red, nir = scene.ms[2].astype(float), scene.ms[3].astype(float)
    greenness = (nir - red) / (nir + red)
    crops, grass = (greenness[scene.truth == value] for value in (Cover.CROPS, Cover.GRASS))
    within = np.quantile(crops, [0.1, 0.9])
    assert ((grass > within[0]) & (grass < within[1])).mean() > 0.6


@pytest.mark.parametrize("size", [10, 5000])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"{size} × {size} pixels cannot be made; give 64 to"):
        landcover.make(size)


def test_a_ratio_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="The ratio 5 is not offered; choose 2, 3 or 4"):
        landcover.make(64, 5)


def test_the_task_writes_the_scene_and_names_its_files(tmp_path: Path) -> None:
    job = Job("sample", "das2f", settings={"size": 64, "seed": 1},
              outputs={"FOLDER": str(tmp_path / "new")})  # fmt: skip
    values = SAMPLES["das2f"](job, Progress())
    assert set(values) == {"MS", "PAN", "LABELS", "TRUTH"}
    assert all(Path(str(path)).is_file() for path in values.values())


def test_the_task_without_a_folder_is_refused() -> None:
    with pytest.raises(InputError, match="needs a folder"):
        SAMPLES["das2f"](Job("sample", "das2f"), Progress())
