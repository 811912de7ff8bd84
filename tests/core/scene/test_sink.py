"""Result rasters are whole, described, and replace an old file only when finished."""

import logging
import signal
import subprocess
import sys
import xml.etree.ElementTree as Xml
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from terraweave.core.classes import MapClass
from terraweave.core.errors import Cancelled, InputError, ResourceError
from terraweave.core.scene.aside import Together
from terraweave.core.scene.grid import Grid, Window
from terraweave.core.scene.sink import ClassSink, ValueSink

MakeGrid = Callable[..., Grid]
CLASSES = (MapClass(3, "wáter <&>", "#0000ff"), MapClass(7, "forest", "#00ff00"))


def class_values(grid: Grid) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    shape = (grid.shape.rows, grid.shape.columns)
    return rng.choice(np.array([0, 3, 7], dtype=np.uint8), shape)


def write_classes(path: Path, grid: Grid, values: NDArray[np.uint8]) -> None:
    with ClassSink(path, grid, CLASSES, tags={"SOFTWARE": "Terraweave 0.1"}) as sink:
        for strip in grid.strips(50):
            sink.write(strip, values[strip.slices])


def parsed(path: Path) -> Xml.Element:
    return Xml.fromstring(path.read_bytes())  # noqa: S314, the file is our own


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (15, 17), (700, 300)])
def test_what_is_written_in_strips_is_read_back(
    tmp_path: Path, utm_grid: MakeGrid, shape: tuple[int, int]
) -> None:
    grid = utm_grid(*shape)
    values = class_values(grid)
    write_classes(tmp_path / "map.tif", grid, values)
    with rasterio.open(tmp_path / "map.tif") as data:
        np.testing.assert_array_equal(data.read(1), values)
        assert data.transform == grid.transform
        assert data.crs == grid.projection
        assert (data.nodata, data.dtypes[0]) == (0, "uint8")
        assert data.compression.name == "deflate"


def test_a_class_raster_carries_colours_names_and_counts(
    tmp_path: Path, utm_grid: MakeGrid
) -> None:
    grid = utm_grid(30, 20)
    values = class_values(grid)
    write_classes(tmp_path / "map.tif", grid, values)
    with rasterio.open(tmp_path / "map.tif") as data:
        assert data.colorinterp[0] == ColorInterp.palette
        table = data.colormap(1)
        assert table[3] == (0, 0, 255, 255)
        assert table[7] == (0, 255, 0, 255)
        assert data.descriptions == ("class",)
        assert data.tags()["SOFTWARE"] == "Terraweave 0.1"
    described = parsed(tmp_path / "map.tif.aux.xml")
    names = [element.text or "" for element in described.iter("Category")]
    assert (names[3], names[7], len(names)) == ("wáter <&>", "forest", 8)
    rows = [[cell.text for cell in row] for row in described.iter("Row")]
    assert rows == [
        ["3", str((values == 3).sum()), "wáter <&>", "0", "0", "255"],
        ["7", str((values == 7).sum()), "forest", "0", "255", "0"],
    ]
    style = parsed(tmp_path / "map.qml")
    entries = [dict(entry.attrib) for entry in style.iter("paletteEntry")]
    assert [(e["value"], e["color"], e["label"]) for e in entries] == [
        ("3", "#0000ff", "wáter <&>"), ("7", "#00ff00", "forest")
    ]  # fmt: skip


def test_large_class_values_take_sixteen_bits(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(3, 3)
    with ClassSink(tmp_path / "map.tif", grid, [MapClass(40000, "x", "#123456")]) as sink:
        sink.write(grid.window, np.full((3, 3), 40000))
        assert sink.counts == {40000: 9}
    with rasterio.open(tmp_path / "map.tif") as data:
        assert data.dtypes[0] == "uint16"
        assert (data.read(1) == 40000).all()


def test_values_come_back_with_nan_as_nodata(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(600, 40)
    values = np.random.default_rng(0).random((600, 40), dtype=np.float32)
    values[:10] = np.nan
    with ValueSink(tmp_path / "c.tif", grid) as sink:
        sink.write(grid.window, values)
    with rasterio.open(tmp_path / "c.tif") as data:
        np.testing.assert_array_equal(data.read(1), values)
        assert np.isnan(data.nodata)
        assert data.read_masks(1)[:10].max() == 0


def test_overviews_keep_classes_and_ignore_nodata(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(600, 600)
    values = np.full((600, 600), 3, dtype=np.uint8)
    values[:, 300:] = 7
    values[::2, ::2] = 0
    with (
        ClassSink(tmp_path / "map.tif", grid, CLASSES) as sink,
        ValueSink(tmp_path / "c.tif", grid) as confidence,
    ):
        sink.write(grid.window, values)
        confidence.write(grid.window, np.where(values == 0, np.nan, 0.5))
    with rasterio.open(tmp_path / "map.tif") as data:
        assert data.overviews(1) == [2, 4]
        small = data.read(1, out_shape=(300, 300))
    assert (small[:, :150] == 3).all()
    assert (small[:, 150:] == 7).all()
    with rasterio.open(tmp_path / "c.tif") as data:
        assert (data.read(1, out_shape=(300, 300)) == 0.5).all()


def test_a_sink_without_a_crs_works(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = Grid("", utm_grid(4, 5).transform, utm_grid(4, 5).shape)
    write_classes(tmp_path / "map.tif", grid, class_values(grid))
    with rasterio.open(tmp_path / "map.tif") as data:
        assert data.crs is None


def test_failing_in_the_middle_leaves_the_old_map(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(300, 300)
    path = tmp_path / "map.tif"
    values = class_values(grid)
    write_classes(path, grid, values)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail() -> None:
        with ClassSink(path, grid, CLASSES) as sink:
            sink.write(Window(0, 0, 100, 300), np.full((100, 300), 7))
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        fail()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_error_of_somebody_else_is_passed_on_unchanged(
    tmp_path: Path, utm_grid: MakeGrid
) -> None:
    grid = utm_grid(3, 3)
    with (
        pytest.raises(OSError, match="the other disk"),
        ClassSink(tmp_path / "map.tif", grid, CLASSES),
    ):
        raise OSError("the other disk")
    assert list(tmp_path.iterdir()) == []


def test_maps_of_one_run_appear_together(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(20, 20)
    with Together() as together:
        with (
            ClassSink(tmp_path / "map.tif", grid, CLASSES, together=together) as sink,
            ValueSink(tmp_path / "c.tif", grid, together=together) as confidence,
        ):
            sink.write(grid.window, class_values(grid))
            confidence.write(grid.window, np.zeros((20, 20)))
        assert not (tmp_path / "map.tif").exists()
        with rasterio.open(sink.whereabouts) as data:
            assert data.shape == (20, 20)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["c.qml", "c.tif", "map.qml", "map.tif", "map.tif.aux.xml"]


def test_what_gdal_says_about_other_things_spoils_no_map(
    tmp_path: Path, utm_grid: MakeGrid
) -> None:
    grid = utm_grid(3, 3)
    with ClassSink(tmp_path / "map.tif", grid, CLASSES) as sink:
        sink.write(grid.window, class_values(grid))
        logging.getLogger("rasterio._env").error("CPLE_AppDefined in PROJ: database is odd")
    assert (tmp_path / "map.tif").exists()


def test_what_gdal_says_only_in_its_log_is_heard(tmp_path: Path, utm_grid: MakeGrid) -> None:
    grid = utm_grid(3, 3)
    with (
        pytest.raises(ResourceError, match="TIFFAppendToStrip: Write error"),
        ClassSink(tmp_path / "map.tif", grid, CLASSES),
    ):
        logging.getLogger("rasterio._env").error("TIFFAppendToStrip: Write error")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_refused_before_work(tmp_path: Path, utm_grid: MakeGrid) -> None:
    with (
        pytest.raises(InputError, match="does not exist"),
        ClassSink(tmp_path / "no" / "map.tif", utm_grid(3, 3), CLASSES),
    ):
        pass


def test_a_map_that_does_not_fit_the_disk_is_refused_before_work(
    tmp_path: Path, utm_grid: MakeGrid
) -> None:
    with (
        pytest.raises(ResourceError, match="are needed"),
        ValueSink(tmp_path / "c.tif", utm_grid(10**7, 10**7)),
    ):
        pass


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="limits of file size are POSIX's")
@pytest.mark.parametrize("limit", [100, 3000, 12_000, 100_000, 180_000])
def test_a_disk_that_refuses_bytes_never_costs_the_old_map(
    tmp_path: Path, utm_grid: MakeGrid, limit: int
) -> None:
    path = tmp_path / "map.tif"
    path.write_text("old")
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
import numpy as np
from affine import Affine
from core.classes import MapClass
from core.errors import ResourceError
from core.scene.grid import Grid, Shape
from core.scene.sink import ClassSink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
grid = Grid("", Affine.scale(1, -1), Shape(900, 900))
values = np.random.default_rng(0).choice([0, 3, 7], (900, 900)).astype("uint8")
try:
    classes = [MapClass(3, "a", "#000000"), MapClass(7, "b", "#ffffff")]
    with ClassSink({str(path)!r}, grid, classes) as s:
        for strip in grid.strips(100):
            s.write(strip, values[strip.slices])
except ResourceError as error:
    sys.exit(4)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 4, done.stderr.decode()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]


_SHOW_IN_QGIS = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsRasterLayer
app = QgsApplication([], False)
app.initQgis()
layer = QgsRasterLayer(sys.argv[1], "map")
renderer = layer.renderer()
shown = [(int(c.value), c.color.name(), c.label) for c in renderer.classes()]
print(ascii((layer.isValid(), renderer.type(), shown)), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("style", [True, False])
def test_qgis_shows_names_and_colours_without_help(
    tmp_path: Path, utm_grid: MakeGrid, style: bool
) -> None:
    python = "/usr/bin/python3"
    there = (
        Path(python).exists()
        and not subprocess.run(
            [python, "-c", "import qgis.core"], check=False, capture_output=True
        ).returncode
    )
    if not there:
        pytest.skip("QGIS is not installed")
    grid = utm_grid(30, 20)
    write_classes(tmp_path / "map.tif", grid, class_values(grid))
    if not style:
        (tmp_path / "map.qml").unlink()  # what remains is the colour and attribute table
    done = subprocess.run(
        [python, "-c", _SHOW_IN_QGIS, str(tmp_path / "map.tif")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    expected = (True, "paletted", [(one.value, one.color, one.name) for one in CLASSES])
    assert done.stdout.strip() == ascii(expected), done.stderr
