"""HPCL-Net sees the real scenes beside the project, where they are."""

from pathlib import Path

import numpy as np
import pytest
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.view import RELATIVE, SLOPE, TerrainView
from terraweave.core.job import Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Window
from terraweave.core.scene.scene import open_scene
from terraweave.core.segmentation.working import working_grid


@pytest.fixture
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[5] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real scenes are not beside the project")
    return folder


def test_jinsha_at_4_metres_has_steep_ground_and_no_absolute_height(shared_data: Path) -> None:
    folder = shared_data / "jinsha"
    inputs = {
        "IMAGE": Source(str(folder / "areaA_rgb.tif")),
        "DEM": Source(str(folder / "areaA_dsm.tif")),
    }
    with open_scene(
        inputs, HPCLNET.roles, progress=Progress(), onto=lambda grid: working_grid(grid, 4.0)
    ) as scene:
        assert scene.grid.gsd == pytest.approx(4.0)
        block = TerrainView(3).read(scene, scene.grid.window)
    assert block.values.shape == (8, *block.valid.shape)
    assert 0.4 < block.valid.mean() < 0.5
    slope = 90 * block.values[3 + SLOPE][block.valid]
    assert 25 < slope.mean() < 40
    relative = block.values[3 + RELATIVE][block.valid]
    assert np.abs(relative).max() < 200
    assert abs(relative.mean()) < 10


def test_a_window_of_mars_is_metric_in_its_nominal_pixels(shared_data: Path) -> None:
    folder = shared_data / "mars_landslides"
    inputs = {
        "IMAGE": Source(str(folder / "train_image.tif")),
        "DEM": Source(str(folder / "train_dem.tif")),
    }
    with open_scene(
        inputs, HPCLNET.roles, progress=Progress(), onto=lambda grid: working_grid(grid, 0.0)
    ) as scene:
        read = [TerrainView(3).read(scene, Window(512, column, 128, 128)) for column in (0, 4096)]
    assert all(np.isfinite(one.values).all() for one in read)
    assert all((one.values[:, ~one.valid] == 0).all() for one in read)


def test_fourteen_bands_without_a_coordinate_system_are_seen(shared_data: Path) -> None:
    path = str(shared_data / "landslide4sense" / "image_1.tif")
    inputs = {
        "IMAGE": Source(path, bands=tuple(range(1, 13))),
        "DEM": Source(path, bands=(14,)),
    }
    with open_scene(
        inputs, HPCLNET.roles, progress=Progress(), onto=lambda grid: working_grid(grid, 0.0)
    ) as scene:
        block = TerrainView(12).read(scene, scene.grid.window)
    assert block.values.shape == (17, 128, 128)
    assert block.valid.mean() > 0.9
