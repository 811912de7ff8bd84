"""The landslide sample: clear in the terrain, weak in the image, and the distractors reversed."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.warp import reproject
from terraweave.core.errors import InputError
from terraweave.core.samples import terrain


def _burned(path: Path, like: Path) -> np.ndarray:
    with rasterio.open(like) as raster:
        shape, transform = raster.shape, raster.transform
    shapes = shapely.from_wkb(pyogrio.raw.read(path)[2])
    return rasterize(shapes, shape, transform=transform, dtype="uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("terrain")
    terrain.write(place, 200, seed=4)
    return place


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    first, again, other = (terrain.make(64, seed) for seed in (5, 5, 6))
    for name in ("image", "dem", "truth"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


@pytest.mark.parametrize(("size", "seed"), [(64, 1), (101, 2), (256, 7)])
def test_each_scene_holds_landslides_and_ground_without(size: int, seed: int) -> None:
    scene = terrain.make(size, seed)
    assert scene.image.shape == (3, size, size)
    assert len(scene.slides) >= 2
    assert 0.02 < scene.truth.mean() < 0.45
    assert scene.image.min() > 0
    assert np.isfinite(scene.dem).all()


def test_the_terrain_covers_the_image_on_a_coarser_grid_out_of_step_with_it(folder: Path) -> None:
    with rasterio.open(folder / "image.tif") as image, rasterio.open(folder / "dem.tif") as dem:
        assert dem.crs == image.crs
        assert (image.res, dem.res) == ((4.0, 4.0), (10.0, 10.0))
        assert shapely.box(*dem.bounds).contains(shapely.box(*image.bounds))
        assert (dem.bounds.left - image.bounds.left) % 4.0 != 0
        assert dem.dtypes == ("float32",)


def test_labels_are_the_truth_inside_the_surveyed_area(folder: Path) -> None:
    labels = _burned(folder / "landslides.gpkg", folder / "truth.tif")
    area = _burned(folder / "area.gpkg", folder / "truth.tif") > 0
    with rasterio.open(folder / "truth.tif") as raster:
        truth = raster.read(1)
    assert 0.4 < area.mean() < 1
    assert (labels[area] == truth[area]).mean() > 0.99
    assert labels[area].any()


def test_a_landslide_marks_the_terrain_and_a_scar_marks_the_image() -> None:
    scene = terrain.make(256, seed=7)
    origin = rasterio.Affine(10, 0, scene.dem_offset[0], 0, -10, -scene.dem_offset[1])
    heights = np.zeros(scene.truth.shape, np.float32)
    reproject(scene.dem, heights, src_transform=origin, src_crs="EPSG:32632",
              dst_transform=rasterio.Affine(4, 0, 0, 0, -4, 0), dst_crs="EPSG:32632",
              resampling=rasterio.enums.Resampling.bilinear)  # fmt: skip
    down, right = np.gradient(heights, 4.0)
    bend = np.abs(np.gradient(down, 4.0)[0] + np.gradient(right, 4.0)[1])
    red = scene.image[0].astype(float)
    slide, scar = (rasterize(shapes, scene.truth.shape) > 0
                   for shapes in (scene.slides, scene.scars))  # fmt: skip
    neither = ~slide & ~scar
    only_slide, only_scar = slide & ~scar, scar & ~slide
    assert bend[only_slide].mean() > 1.5 * bend[neither].mean()
    assert bend[only_scar].mean() < 1.2 * bend[neither].mean()
    spread = red[neither].std()
    assert abs(red[only_slide].mean() - red[neither].mean()) < 0.5 * spread
    assert red[only_scar].mean() - red[neither].mean() > 0.8 * spread


@pytest.mark.parametrize("size", [10, 5000])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"{size} × {size} pixels cannot be made; give 64 to"):
        terrain.make(size)
