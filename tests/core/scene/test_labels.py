"""Labels land on the pixels whose centres they hold, whatever they come as."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from rasterio.warp import transform as transform_points
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.job import Features, Source
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Grid, Shape, Window
from terraweave.core.scene.labels import BACKGROUND, open_labels

MakeGrid = Callable[..., Grid]
WriteRaster = Callable[..., Source]
WriteLayer = Callable[..., Path]


def box(column: float, row: float, columns: float, rows: float) -> shapely.Polygon:
    return shapely.box(column, row, column + columns, row + rows)


def expected(shape: tuple[int, int], *boxes: tuple[int, int, int, int, int]) -> NDArray[np.int32]:
    """An array with (value, column, row, columns, rows) filled in."""
    array = np.zeros(shape, dtype=np.int32)
    for value, column, row, columns, rows in boxes:
        array[row : row + rows, column : column + columns] = value
    return array


@pytest.fixture
def grid(utm_grid: MakeGrid) -> Grid:
    return utm_grid(15, 17)


@pytest.fixture
def fields(write_layer: WriteLayer) -> Path:
    """Two rectangles: class 5 “meadow” and class 2 “water”."""
    return write_layer(
        "fields.gpkg",
        [box(1, 2, 4, 3), box(9, 8, 6, 5)],
        code=[5, 2],
        class_name=["meadow", "water"],
        share=[0.5, 1.0],
    )


def test_whole_numbers_keep_their_values(grid: Grid, fields: Path) -> None:
    labels = open_labels(Features(str(fields), field="code"), grid)
    np.testing.assert_array_equal(
        labels.read(grid.window), expected((15, 17), (5, 1, 2, 4, 3), (2, 9, 8, 6, 5))
    )
    assert [(one.value, one.name) for one in labels.classes] == [(2, "water"), (5, "meadow")]


def test_texts_are_numbered_in_sorted_order(grid: Grid, fields: Path) -> None:
    labels = open_labels(Features(str(fields), field="class_name"), grid)
    assert [(one.value, one.name) for one in labels.classes] == [(1, "meadow"), (2, "water")]
    assert labels.read(grid.window)[3, 2] == 1


def test_names_and_colours_of_the_style_are_kept(grid: Grid, fields: Path) -> None:
    style = (MapClass(5, "Wiese", "#00ff00"),)
    labels = open_labels(Features(str(fields), field="code", classes=style), grid)
    assert labels.classes[1] == style[0]
    by_text = (MapClass(9, "water", "#0000ff"),)
    labels = open_labels(Features(str(fields), field="class_name", classes=by_text), grid)
    assert labels.classes[1] == MapClass(2, "water", "#0000ff")


@given(
    st.lists(st.floats(0, 12).map(lambda x: round(x * 4) / 4), min_size=4, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_a_pixel_belongs_to_the_polygon_that_holds_its_centre(
    tmp_path_factory: pytest.TempPathFactory, sides: list[float]
) -> None:
    x, y, width, height = sides[0], sides[1], sides[2] + 0.3, sides[3] + 0.3
    path = tmp_path_factory.mktemp("layer") / "a.geojson"
    shapes = [box(x, y, width, height), box(40, 40, 1, 1)]
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(shape) for shape in shapes], dtype=object),
        field_data=[np.array([1, 2])], fields=["code"], geometry_type="Polygon", crs="EPSG:32631",
    )  # fmt: skip
    flat = Grid("", Affine.identity(), Shape(20, 20))
    found = open_labels(Features(str(path), field="code"), flat).read(flat.window)
    centres = np.arange(20) + 0.5
    # A centre right on an edge counts to one side only; which one does not matter here.
    for row, cy in enumerate(centres):
        for column, cx in enumerate(centres):
            if cx in (x, x + width) or cy in (y, y + height):
                continue
            inside = x < cx < x + width and y < cy < y + height
            assert found[row, column] == int(inside)


def test_neighbours_that_meet_on_pixel_centres_do_not_conflict(
    grid: Grid, write_layer: WriteLayer, told: Progress, texts: list[str]
) -> None:
    path = write_layer(
        "a.gpkg", [box(0, 0, 17, 7.5), box(0, 7.5, 8.5, 7.5), box(8.5, 7.5, 8.5, 7.5)],
        code=[1, 2, 3],
    )  # fmt: skip
    pixels = open_labels(Features(str(path), field="code"), grid).pixels(told)
    assert texts == []
    assert len(pixels.values) == 15 * 17


def test_points_label_their_pixel(grid: Grid, write_layer: WriteLayer) -> None:
    points = [shapely.Point(3.9, 4.1), shapely.MultiPoint([(0.5, 0.5), (16.9, 14.9)])]
    path = write_layer("points.gpkg", points, kind=["a", "b"])
    found = open_labels(Features(str(path), field="kind"), grid).read(grid.window)
    assert {(r, c): found[r, c] for r, c in np.argwhere(found).tolist()} == {
        (4, 3): 1, (0, 0): 2, (14, 16): 2
    }  # fmt: skip


def test_pixels_claimed_by_two_classes_are_ignored_and_counted(
    grid: Grid, write_layer: WriteLayer, told: Progress, texts: list[str]
) -> None:
    shapes = [box(0, 0, 6, 6), box(4, 4, 6, 6), box(0, 0, 2, 2), shapely.Point(5.5, 0.5)]
    path = write_layer("a.gpkg", shapes, code=[3, 1, 3, 9])
    pixels = open_labels(Features(str(path), field="code"), grid).pixels(told)
    array = expected((15, 17), (3, 0, 0, 6, 6), (1, 4, 4, 6, 6), (0, 4, 4, 2, 2), (0, 5, 0, 1, 1))
    rebuilt = np.zeros((15, 17), dtype=np.int32)
    rebuilt[pixels.rows, pixels.columns] = pixels.values
    np.testing.assert_array_equal(rebuilt, array)
    assert pixels.counts == {1: 32, 3: 31}
    assert texts == ["5 pixels of a.gpkg lie in features of different classes; they are ignored."]


def test_a_window_shows_what_the_whole_shows(grid: Grid, write_layer: WriteLayer) -> None:
    shapes = [shapely.Point(8, 7).buffer(6.3), box(0, 0, 5, 5), shapely.Point(12.2, 1.7)]
    path = write_layer("a.gpkg", shapes, code=[1, 2, 3])
    labels = open_labels(Features(str(path), field="code"), grid)
    whole = np.pad(labels.read(grid.window), 4)
    for window in (Window(3, 4, 5, 6), Window(-4, -4, 23, 25), Window(14, 16, 3, 3)):
        part = labels.read(window)
        rows, columns = window.shifted(4, 4).slices
        np.testing.assert_array_equal(part, whole[rows, columns])


def test_labels_in_another_crs_find_their_place(grid: Grid, fields: Path, tmp_path: Path) -> None:
    meta, _, shapes, data = pyogrio.raw.read(fields)

    def to_degrees(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xs, ys = transform_points("EPSG:32631", "EPSG:4326", points[:, 0], points[:, 1])
        return np.stack([xs, ys], axis=1)

    placed = shapely.transform(shapely.from_wkb(shapes), to_degrees)
    path = tmp_path / "degrees.geojson"
    pyogrio.raw.write(
        path, geometry=np.array(shapely.to_wkb(placed), dtype=object), field_data=data,
        fields=meta["fields"], geometry_type="Polygon", crs="EPSG:4326",
    )  # fmt: skip
    first = open_labels(Features(str(fields), field="code"), grid).read(grid.window)
    second = open_labels(Features(str(path), field="code"), grid).read(grid.window)
    np.testing.assert_array_equal(first, second)


def test_the_crs_of_the_job_goes_before_what_geojson_says(
    grid: Grid, fields: Path, tmp_path: Path
) -> None:
    meta, _, shapes, data = pyogrio.raw.read(fields)
    path = tmp_path / "plain.geojson"
    pyogrio.raw.write(
        path, geometry=shapes, field_data=data, fields=meta["fields"], geometry_type="Polygon"
    )
    labels = open_labels(Features(str(path), field="code", crs=grid.crs), grid)
    assert (labels.read(grid.window) > 0).sum() == 42


def test_outside_the_area_nothing_is_labelled(
    grid: Grid, fields: Path, write_layer: WriteLayer
) -> None:
    area = Features(str(write_layer("area.gpkg", [box(0, 0, 3, 15)])))
    labels = open_labels(Features(str(fields), field="code"), grid, area)
    np.testing.assert_array_equal(labels.read(grid.window), expected((15, 17), (5, 1, 2, 2, 3)))


def test_background_is_what_was_surveyed_and_not_drawn(grid: Grid, write_layer: WriteLayer) -> None:
    path = write_layer("mines.gpkg", [box(1, 1, 2, 2)])
    area = Features(str(write_layer("area.gpkg", [box(0, 0, 5, 5)])))
    labels = open_labels(Features(str(path)), grid, area, background=True)
    np.testing.assert_array_equal(
        labels.read(grid.window), expected((15, 17), (BACKGROUND, 0, 0, 5, 5), (1, 1, 1, 2, 2))
    )
    assert [one.value for one in labels.classes] == [1]


def test_a_class_raster_on_the_grid_is_taken_as_it_is(
    grid: Grid, write_raster: WriteRaster
) -> None:
    array = np.random.default_rng(0).choice([0, 3, 8, 255], (1, 15, 17)).astype("uint8")
    source = write_raster("classes.tif", array, nodata=255)
    labels = open_labels(Features(source.path), grid)
    np.testing.assert_array_equal(labels.read(grid.window), np.where(array == 255, 0, array)[0])
    assert [one.value for one in labels.classes] == [3, 8]


def test_a_class_raster_on_a_finer_grid_gives_the_nearest_pixel(
    grid: Grid, write_raster: WriteRaster
) -> None:
    array = np.random.default_rng(0).integers(1, 9, (1, 45, 51)).astype("uint16")
    source = write_raster("classes.tif", array, pixel=2 / 3)
    labels = open_labels(Features(source.path), grid)
    np.testing.assert_array_equal(labels.read(grid.window), array[0, 1::3, 1::3])


def test_zero_in_a_raster_is_background_where_asked_for(
    grid: Grid, write_raster: WriteRaster
) -> None:
    array = np.random.default_rng(0).choice([0, 1, 255], (1, 15, 17)).astype("uint8")
    source = write_raster("mask.tif", array, nodata=255)
    labels = open_labels(Features(source.path), grid, background=True)
    wanted = np.select([array[0] == 1, array[0] == 0], [1, BACKGROUND], 0)
    np.testing.assert_array_equal(labels.read(grid.window), wanted)


def test_the_colours_of_a_raster_are_kept(grid: Grid, write_raster: WriteRaster) -> None:
    array = np.random.default_rng(0).choice([1, 2], (1, 15, 17)).astype("uint8")
    source = write_raster("classes.tif", array)
    with rasterio.open(source.path, "r+") as data:
        data.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 0, 255, 255)})
    labels = open_labels(Features(source.path), grid)
    assert [one.color for one in labels.classes] == ["#ff0000", "#0000ff"]


def test_broken_shapes_are_repaired_or_skipped_and_said(
    grid: Grid, write_layer: WriteLayer, told: Progress, texts: list[str]
) -> None:
    bow = shapely.Polygon([(0, 0), (6, 6), (6, 0), (0, 6)])
    shapes = [bow, None, shapely.Polygon(), box(10, 10, 2, 2), box(8, 8, 1, 1)]
    path = write_layer("a.gpkg", shapes, kind=["a", "b", "a", "b", None])
    labels = open_labels(Features(str(path), field="kind"), grid, progress=told)
    assert texts == [
        "2 features of a.gpkg without a geometry are skipped.",
        "1 feature of a.gpkg without a class are skipped.",
        "1 feature of a.gpkg with invalid geometries are repaired.",
    ]
    found = labels.read(grid.window)
    assert (found == 2).sum() == 4
    assert found[2, 1] == 1
    assert found[0, 3] == 0


def refusal(grid: Grid, features: Features, area: Features | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_labels(features, grid, area)
    return str(caught.value)


def test_a_missing_field_lists_those_there_are(grid: Grid, fields: Path) -> None:
    said = refusal(grid, Features(str(fields), "My fields", field="klass"))
    assert said == "My fields has no field “klass”; it has code, class_name, share."


def test_no_field_lists_those_there_are(grid: Grid, fields: Path) -> None:
    assert "Choose the field of fields.gpkg" in refusal(grid, Features(str(fields)))


def test_a_single_class_is_refused(grid: Grid, write_layer: WriteLayer) -> None:
    path = write_layer("a.gpkg", [box(0, 0, 1, 1), box(2, 2, 1, 1)], kind=["oak", "oak"])
    assert "holds only the class “oak”" in refusal(grid, Features(str(path), field="kind"))


def test_an_empty_layer_is_refused(grid: Grid, write_layer: WriteLayer) -> None:
    path = write_layer("a.gpkg", [], kind=np.array([], dtype=object))
    assert "holds no features" in refusal(grid, Features(str(path), field="kind"))


def test_fractions_are_refused(grid: Grid, fields: Path) -> None:
    assert "holds fractions such as 0.5" in refusal(grid, Features(str(fields), field="share"))


@pytest.mark.parametrize("value", [0, -3, 70000])
def test_values_out_of_range_are_refused(grid: Grid, write_layer: WriteLayer, value: int) -> None:
    path = write_layer("a.gpkg", [box(0, 0, 1, 1), box(2, 2, 1, 1)], code=[1, value])
    assert f"holds {value}; class values go from 1" in refusal(
        grid, Features(str(path), field="code")
    )


def test_labels_of_another_place_are_refused(grid: Grid, write_layer: WriteLayer) -> None:
    path = write_layer("a.gpkg", [box(900, 0, 1, 1), box(902, 2, 1, 1)], code=[1, 2])
    features = Features(str(path), field="code")
    assert "No feature of a.gpkg lies in the scene" in refusal(grid, features)
    assert not open_labels(features, grid, required=False).read(grid.window).any()


def test_an_area_of_another_place_is_refused(
    grid: Grid, fields: Path, write_layer: WriteLayer
) -> None:
    area = Features(str(write_layer("area.gpkg", [box(900, 0, 1, 1)])))
    assert "the surveyed area, lies in the scene" in refusal(
        grid, Features(str(fields), field="code"), area
    )


def test_polygons_between_pixel_centres_are_said(
    grid: Grid, write_layer: WriteLayer, told: Progress
) -> None:
    path = write_layer("a.gpkg", [box(1.6, 1.6, 0.3, 0.3), box(3.6, 3.6, 0.3, 0.3)], code=[1, 2])
    labels = open_labels(Features(str(path), field="code"), grid)
    with pytest.raises(InputError, match=r"No pixel of the scene gets a label from a\.gpkg"):
        labels.pixels(told)


def test_labels_without_a_crs_are_refused(grid: Grid, write_layer: WriteLayer) -> None:
    path = write_layer("a.gpkg", [box(0, 0, 1, 1), box(2, 2, 1, 1)], crs=None, code=[1, 2])
    assert "has no coordinate system" in refusal(grid, Features(str(path), field="code"))


def test_lines_are_refused(grid: Grid, write_layer: WriteLayer) -> None:
    lines = [shapely.LineString([(0, 0), (3, 3)]), box(2, 2, 1, 1)]
    path = write_layer("a.gpkg", lines, code=[1, 2])
    assert "1 feature with lines" in refusal(grid, Features(str(path), field="code"))


def test_an_image_is_no_class_raster(grid: Grid, write_raster: WriteRaster) -> None:
    several = write_raster("a.tif", np.ones((3, 15, 17), dtype=np.uint8))
    assert "has 3 bands; a class raster" in refusal(grid, Features(several.path))
    fractions = write_raster("b.tif", np.full((1, 15, 17), 0.5, dtype=np.float32))
    assert "holds the value 0.5" in refusal(grid, Features(fractions.path))


def test_a_missing_layer_is_said(grid: Grid, tmp_path: Path) -> None:
    path = tmp_path / "no.gpkg"
    assert "no.gpkg cannot be read" in refusal(grid, Features(str(path), field="code"))


def test_the_layer_that_was_taken_of_several_is_named(
    grid: Grid, fields: Path, write_layer: WriteLayer, told: Progress, texts: list[str]
) -> None:
    other = write_layer("other.gpkg", [box(1, 1, 1, 1), box(3, 3, 1, 1)], code=[1, 2])
    meta, _, shapes, data = pyogrio.raw.read(other)
    pyogrio.raw.write(
        fields, shapes, data, meta["fields"], layer="second", geometry_type="Polygon",
        crs=meta["crs"], driver="GPKG", append=True,
    )  # fmt: skip
    first, *_ = (name for name, _ in pyogrio.list_layers(fields))
    labels = open_labels(Features(str(fields), field="code"), grid, progress=told)
    assert (labels.read(grid.window) == 5).sum() == 12
    assert texts == [
        f"fields.gpkg holds several layers; “{first}” was taken, and not “second”. Save the one "
        "that you mean as a file of its own, or name it (in QGIS: path|layername=…)."
    ]
    texts.clear()
    named = open_labels(Features(str(fields), layer="second", field="code"), grid, progress=told)
    assert (named.read(grid.window) > 0).sum() == 2
    assert not texts
