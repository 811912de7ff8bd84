"""Polygons cover what the class raster covers, without gaps and overlaps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.scene.polygons import noded, write_polygons
from terraweave.core.scene.sink import ClassSink, ValueSink

MakeGrid = Callable[..., Grid]
CLASSES = tuple(MapClass(value, f"class {value}", "#112233") for value in range(1, 5))


def patchwork(rows: int, columns: int) -> NDArray[np.uint8]:
    """Blobs of four classes with a corner of nodata."""
    y, x = np.mgrid[0:rows, 0:columns]
    waves = np.sin(x / 3.1) + np.cos(y / 2.3) + np.sin((x + y) / 5.7)
    values = (np.digitize(waves, [-0.8, 0.2, 1.1]) + 1).astype(np.uint8)
    values[: rows // 4, : columns // 4] = 0
    return values


def write(
    folder: Path, grid: Grid, values: NDArray[np.uint8], confidence: NDArray[Any] | None = None
) -> tuple[Path, Path | None]:
    with ClassSink(folder / "map.tif", grid, CLASSES) as sink:
        sink.write(grid.window, values)
    if confidence is None:
        return folder / "map.tif", None
    with ValueSink(folder / "confidence.tif", grid) as sink:
        sink.write(grid.window, confidence)
    return folder / "map.tif", folder / "confidence.tif"


def read(path: Path) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    meta, _, shapes, data = pyogrio.raw.read(path)
    return shapely.from_wkb(shapes), dict(zip(meta["fields"], data, strict=True))


def on_pixels(shapes: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The shapes in (column, row)."""
    a, _, c, _, e, f = tuple(grid.transform)[:6]
    return shapely.transform(shapes, lambda p: (p - (c, f)) / (a, e))


def test_outlines_without_simplifying_give_the_raster_back(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress
) -> None:
    grid, values = utm_grid(40, 50), patchwork(40, 50)
    raster, _ = write(tmp_path, grid, values)
    count = write_polygons(raster, None, tmp_path / "p.gpkg", CLASSES, progress=told, tolerance=0)
    shapes, fields = read(tmp_path / "p.gpkg")
    assert count == len(shapes)
    burnt = rasterize(
        zip(on_pixels(shapes, grid), fields["class_value"].tolist(), strict=True), (40, 50)
    )
    np.testing.assert_array_equal(burnt, values)
    np.testing.assert_allclose(fields["area_m2"].sum(), (values > 0).sum() * 4.0)
    assert set(fields["class_name"]) == {one.name for one in CLASSES}


@pytest.mark.parametrize("tolerance", [0.8, 1.0, 3.0])
def test_simplified_polygons_have_no_gaps_and_no_overlaps(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress, tolerance: float
) -> None:
    grid, values = utm_grid(60, 70), patchwork(60, 70)
    values[30:34, 40:44] = np.random.default_rng(0).integers(1, 5, (4, 4))
    raster, _ = write(tmp_path, grid, values)
    for path, how in (("raw.gpkg", 0.0), ("p.gpkg", tolerance)):
        write_polygons(raster, None, tmp_path / path, CLASSES, progress=told, tolerance=how)
    raw, _ = read(tmp_path / "raw.gpkg")
    shapes, _ = read(tmp_path / "p.gpkg")
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_valid(shapes).all()
    assert shapely.get_num_coordinates(shapes).sum() < shapely.get_num_coordinates(raw).sum()
    together = shapely.union_all(shapes)
    assert together.area == pytest.approx(shapely.area(shapes).sum(), rel=1e-9)
    # Holes of the union can only be nodata; there is none inside.
    assert not len(together.interiors if together.geom_type == "Polygon" else ())


def test_every_border_is_shared_after_noding() -> None:
    left, above, below = shapely.box(0, 0, 2, 4), shapely.box(2, 0, 5, 1), shapely.box(2, 1, 5, 4)
    shapes = np.array([left, above, below], dtype=object)
    assert not shapely.coverage_is_valid(shapes)
    done = noded(shapes, Shape(4, 5))
    assert shapely.coverage_is_valid(done)
    assert shapely.equals(done, shapes).all()


def test_holes_survive_noding() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 6, 6).exterior, [shapely.box(2, 2, 4, 4).exterior])
    parts = [ring, shapely.box(2, 2, 3, 4), shapely.box(3, 2, 4, 4)]
    done = noded(np.array(parts, dtype=object), Shape(6, 6))
    assert shapely.coverage_is_valid(done)
    assert shapely.equals(done, np.array(parts, dtype=object)).all()


def test_the_mean_confidence_is_that_of_the_pixels(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress
) -> None:
    grid, values = utm_grid(40, 50), patchwork(40, 50)
    confidence = np.random.default_rng(0).random((40, 50), dtype=np.float32)
    confidence[values == 0] = np.nan
    confidence[20, 20:30] = np.nan
    raster, means = write(tmp_path, grid, values, confidence)
    write_polygons(raster, means, tmp_path / "p.gpkg", CLASSES, progress=told, tolerance=0)
    shapes, fields = read(tmp_path / "p.gpkg")
    for shape, found in zip(on_pixels(shapes, grid), fields["confidence"], strict=True):
        inside = rasterize([(shape, 1)], (40, 50)).astype(bool)
        assert found == pytest.approx(np.nanmean(confidence[inside]), abs=1e-4)


def test_small_parts_go_to_their_neighbour(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress
) -> None:
    grid, values = utm_grid(20, 20), np.full((20, 20), 1, dtype=np.uint8)
    values[5:8, 5:8] = 2
    values[12:14, 12:14] = 3
    raster, _ = write(tmp_path, grid, values)
    write_polygons(raster, None, tmp_path / "p.gpkg", CLASSES, progress=told, minimum_area=20)
    _, fields = read(tmp_path / "p.gpkg")
    assert sorted(fields["class_value"]) == [1, 2]


def test_areas_in_degrees_are_square_metres_on_the_ground(tmp_path: Path, told: Progress) -> None:
    size = 1e-4
    transform = Affine(size, 0, 10.0, 0, -size, 60.0)
    grid = Grid(CRS.from_epsg(4326).to_wkt(), transform, Shape(100, 100))
    raster, _ = write(tmp_path, grid, np.full((100, 100), 1, dtype=np.uint8))
    write_polygons(raster, None, tmp_path / "p.gpkg", CLASSES, progress=told)
    _, fields = read(tmp_path / "p.gpkg")
    # 0.01° at 60° north: 557.6 m × 1114.1 m on WGS 84, a little wider at the lower edge.
    assert fields["area_m2"][0] == pytest.approx(557.9 * 1114.1, rel=2e-3)


@pytest.mark.parametrize("name", ["p.geojson", "p.fgb", "p.shp", "p"])
def test_the_format_follows_the_extension(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress, name: str
) -> None:
    raster, _ = write(tmp_path, utm_grid(20, 20), patchwork(20, 20))
    count = write_polygons(raster, None, tmp_path / name, CLASSES, progress=told)
    written = tmp_path / (name if "." in name else "p.gpkg")
    assert len(read(written)[0]) == count
    assert not list(tmp_path.glob(".*"))


def test_an_unknown_format_is_refused(tmp_path: Path, utm_grid: MakeGrid, told: Progress) -> None:
    raster, _ = write(tmp_path, utm_grid(4, 4), np.ones((4, 4), dtype=np.uint8))
    with pytest.raises(InputError, match=r"No vector format is known for p\.docx"):
        write_polygons(raster, None, tmp_path / "p.docx", CLASSES, progress=told)


def test_a_map_without_any_class_gives_an_empty_layer(
    tmp_path: Path, utm_grid: MakeGrid, told: Progress
) -> None:
    raster, means = write(
        tmp_path, utm_grid(4, 4), np.zeros((4, 4), dtype=np.uint8), np.full((4, 4), np.nan)
    )
    assert write_polygons(raster, means, tmp_path / "p.gpkg", CLASSES, progress=told) == 0
    shapes, fields = read(tmp_path / "p.gpkg")
    assert len(shapes) == 0
    assert list(fields) == ["class_value", "class_name", "area_m2", "confidence"]


def test_too_many_polygons_follow_the_pixels_and_it_is_said(
    tmp_path: Path,
    utm_grid: MakeGrid,
    told: Progress,
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("terraweave.core.scene.polygons._MOST_SIMPLIFIED", 3)
    raster, _ = write(tmp_path, utm_grid(40, 50), patchwork(40, 50))
    write_polygons(raster, None, tmp_path / "p.gpkg", CLASSES, progress=told)
    assert "too many to simplify" in texts[0]
