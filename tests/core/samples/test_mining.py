"""The mining sample: fine outlines are the truth, coarse ones are wide of it."""

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
from terraweave.core.samples import SAMPLES, mining


def _burned(path: Path) -> np.ndarray:
    with rasterio.open(path.parent / "truth.tif") as raster:
        shape, transform = raster.shape, raster.transform
    shapes = shapely.from_wkb(pyogrio.raw.read(path)[2])
    assert shapely.is_valid(shapes).all()
    return rasterize(shapes, shape, transform=transform, dtype="uint8") > 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mining")
    mining.write(place, 200, seed=4)
    return place


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    first, again, other = (mining.make(64, seed) for seed in (5, 5, 6))
    for name in ("image", "truth"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert all(one.equals(two) for one, two in zip(first.coarse, again.coarse, strict=True))


@pytest.mark.parametrize(("size", "seed"), [(64, 1), (101, 2), (256, 7), (256, 8)])
def test_each_scene_holds_mines_and_ground_without(size: int, seed: int) -> None:
    scene = mining.make(size, seed)
    assert scene.image.shape == (4, size, size)
    assert scene.image.min() > 0
    assert len(scene.coarse) >= 2
    assert 0.02 < scene.truth.mean() < 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coarse_outlines_hold_most_of_the_mines_and_much_beside(seed: int) -> None:
    scene = mining.make(256, seed)
    coarse = rasterize(scene.coarse, scene.truth.shape) > 0
    mine = scene.truth > 0
    overlap = (coarse & mine).sum() / (coarse | mine).sum()
    assert 0.35 < overlap < 0.85
    assert (coarse & mine).sum() / mine.sum() > 0.7
    assert coarse.sum() > mine.sum()


def test_fine_labels_are_the_truth_inside_their_area(folder: Path) -> None:
    fine, area = _burned(folder / "fine.gpkg"), _burned(folder / "fine_area.gpkg")
    with rasterio.open(folder / "truth.tif") as raster:
        truth = raster.read(1) == 1
    assert (fine[area] == truth[area]).mean() > 0.995
    assert not fine[~area].any()
    assert 0.4 < area.mean() < 0.6
    assert (truth & area).any()
    assert (truth & ~area).any()


def test_a_bare_field_can_look_like_a_mine() -> None:
    scene = mining.make(256, seed=7)
    bright = scene.image[2].astype(float)
    mine, other = bright[scene.truth == 1], bright[scene.truth == 0]
    within = np.quantile(mine, [0.1, 0.9])
    assert ((other > within[0]) & (other < within[1])).mean() > 0.1


@pytest.mark.parametrize("size", [10, 5000])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"{size} × {size} pixels cannot be made; give 64 to"):
        mining.make(size)


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("hpclnet", {"IMAGE", "DEM", "LABELS", "AREA", "TRUTH"}),
        ("minec2fnet", {"IMAGE", "LABELS", "AREA", "FINE_LABELS", "FINE_AREA", "TRUTH"}),
    ],
)
def test_the_task_writes_the_scene_and_names_its_files(
    tmp_path: Path, family: str, keys: set[str]
) -> None:
    job = Job("sample", family, settings={"size": 64, "seed": 1}, outputs={"FOLDER": str(tmp_path)})
    values = SAMPLES[family](job, Progress())
    assert set(values) == keys
    assert all(Path(str(path)).is_file() for path in values.values())
