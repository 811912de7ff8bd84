"""Real pairs with what real pairs have: odd ratios, shifted grids, nodata, extents that differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from terraweave.core.family import Role
from terraweave.core.job import Features, Source
from terraweave.core.progress import Progress
from terraweave.core.scene.labels import open_labels
from terraweave.core.scene.scene import open_scene, pair_scenes

PAIRS = [
    ("houston", "ms.tif", "pan.tif", 4, False),
    *[("rotterdam", f"ms{i}.tif", f"pan{i}.tif", 4, True) for i in (1, 2, 3)],
    ("wv3", "ms.tif", "pan.tif", 4, False),
    ("landsat_x2", "pamplona_ms.tif", "pamplona_pan.tif", 2, True),
    ("landsat_x2", "istanbul_ms.tif", "istanbul_pan.tif", 2, True),
    *[("landsat7", f"{i}_ms.tif", f"{i}_pan.tif", 2, False) for i in ("01", "08", "27", "33")],
]


@pytest.mark.parametrize(("folder", "ms", "pan", "scale", "resampled"), PAIRS)
def test_the_result_grid_is_the_ms_grid_and_pan_lies_over_it(
    shared_data: Path,
    roles: Sequence[Role],
    told: Progress,
    folder: str,
    ms: str,
    pan: str,
    scale: int,
    resampled: bool,
) -> None:
    paths = {"MS": shared_data / folder / ms, "PAN": shared_data / folder / pan}
    inputs = {role: Source(str(path)) for role, path in paths.items()}
    with rasterio.open(paths["MS"]) as data, open_scene(inputs, roles, progress=told) as scene:
        assert scene.grid.transform == data.transform
        assert (scene.grid.shape.rows, scene.grid.shape.columns) == data.shape
        assert scene.grid.projection == data.crs
        assert scene.scales["PAN"] == scale
        assert scene.resampled("PAN") is resampled
        coarse = scene.read("MS", scene.grid.window)
        fine = scene.read("PAN", scene.grid.window)
        nodata = data.read_masks().min(axis=0) == 0
    np.testing.assert_array_equal(coarse.valid, ~nodata)
    rows, columns = coarse.valid.shape
    blocks = fine.values[0].reshape(rows, scale, columns, scale).mean((1, 3))
    both = coarse.valid & fine.valid.reshape(rows, scale, columns, scale).all((1, 3))
    assert both.sum() > 0.95 * coarse.valid.sum()
    matches = [abs(np.corrcoef(band[both], blocks[both])[0, 1]) for band in coarse.values]
    # Shifted by some pixels, none of these pairs would reach it.
    assert max(matches) > 0.7


def test_rotterdam_scenes_find_their_partners(
    shared_data: Path, roles: Sequence[Role], told: Progress
) -> None:
    def sources(names: Sequence[str]) -> tuple[Source, ...]:
        return tuple(Source(str(shared_data / "rotterdam" / name)) for name in names)

    inputs = {
        "MS": sources(["ms1.tif", "ms2.tif", "ms3.tif"]),
        "PAN": sources(["pan3.tif", "pan1.tif", "pan2.tif"]),
    }
    pairs = pair_scenes(inputs, roles, told)
    assert [pair["PAN"].title for pair in pairs] == ["pan1.tif", "pan2.tif", "pan3.tif"]


def test_houston_polygons_and_raster_give_the_same_labels(
    shared_data: Path, roles: Sequence[Role], told: Progress
) -> None:
    folder = shared_data / "houston"
    inputs = {"MS": Source(str(folder / "ms.tif")), "PAN": Source(str(folder / "pan.tif"))}
    with open_scene(inputs, roles, progress=told) as scene:
        drawn = open_labels(
            Features(str(folder / "training.gpkg"), field="class_id"), scene.grid
        ).pixels(told)
        raster = open_labels(Features(str(folder / "labels_train.tif")), scene.grid).pixels(told)
    assert len(drawn.values) == 3251
    for part in ("rows", "columns", "values"):
        np.testing.assert_array_equal(getattr(drawn, part), getattr(raster, part))
