"""All that a scene may be like, through a whole training and a map: what comes out stays right."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points, transform_bounds
from terraweave.core.card import Card, read_card
from terraweave.core.families.hpclnet import design
from terraweave.core.families.hpclnet.recipe import HpclNetRecipe
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Event, Progress

UTM, DEGREES = CRS.from_epsg(32632), CRS.from_epsg(4326)
WEST, NORTH = 512000.0, 5402000.0
GSD, EDGE = 4.0, 96
SIDE = GSD * EDGE
WINDOW = 32
PLACE = Affine(GSD, 0, WEST, 0, -GSD, NORTH)
RADIUS = 40.0
BOWLS = [(80, 80), (80, 290), (200, 190), (300, 300), (310, 80)]
NODATA = -9999.0
SETTINGS = {
    "epochs": 1, "batch": 2, "window": WINDOW, "working_gsd": GSD, "wide": 100.0, "refit": False,
    "validation_share": 0.3, "device": "cpu", "lambda_hpcl": 0.1,
}  # fmt: skip
Doubles = NDArray[np.float64]


def ground(x: Doubles, y: Doubles) -> Doubles:
    """Heights at metres east and south of the corner: hills with bowls, known everywhere."""
    found = 1850 + 0.15 * x + 12 * np.sin(x / 60 + y / 90) + 9 * np.cos(y / 75)
    for south, east in BOWLS:
        found = found - 12 * np.exp(-((y - south) ** 2 + (x - east) ** 2) / (0.6 * RADIUS**2))
    return np.asarray(found)


@dataclass
class Ground:
    """What to write: an image and an elevation model, each with a grid of its own."""

    folder: Path
    edge: int = EDGE
    bands: int = 3
    place: Affine = PLACE
    crs: CRS | None = UTM
    dem_gsd: float = GSD
    dem_start: tuple[float, float] = (-20.0, -20.0)
    dem_side: tuple[float, float] = (SIDE + 40.0, SIDE + 40.0)
    dem_crs: CRS | None = UTM
    unit: float = 1.0
    hole: float | None = None
    settings: dict[str, object] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def image(self, name: str = "image.tif", column: int = 0, columns: int | None = None) -> Source:
        """The image, or some columns of it."""
        columns = columns or self.edge
        random = np.random.default_rng(column)
        values = random.integers(60, 180, (self.bands, self.edge, columns)).astype(np.uint8)
        place = self.place @ Affine.translation(column, 0)
        return self._written(name, values, place, self.crs)

    def dem(self) -> Source:
        """The hills in `unit` metres, on a grid of their own."""
        start_x, start_y = self.dem_start
        columns, rows = (max(2, round(side / self.dem_gsd)) for side in self.dem_side)
        place = Affine(self.dem_gsd, 0, WEST + start_x, 0, -self.dem_gsd, NORTH - start_y)
        if self.dem_crs == DEGREES:
            box = (
                place.c,
                place.f - rows * self.dem_gsd,
                place.c + columns * self.dem_gsd,
                place.f,
            )
            west, south, east, north = transform_bounds(UTM, DEGREES, *box)
            place = Affine((east - west) / columns, 0, west, 0, (south - north) / rows, north)
        row, column = np.mgrid[:rows, :columns] + 0.5
        x, y = place.a * column + place.c, place.e * row + place.f
        if self.dem_crs == DEGREES:
            found = transform_points(DEGREES, UTM, x.ravel().tolist(), y.ravel().tolist())
            x, y = (np.reshape(one, row.shape) for one in found[:2])
        heights = (ground(x - WEST, NORTH - y) / self.unit).astype(np.float32)
        if self.hole is not None:
            heights[rows // 2 : rows // 2 + 8, columns // 2 : columns // 2 + 10] = self.hole
        if self.dem_crs is None:
            place = self.place
        return self._written("dem.tif", heights[None], place, self.dem_crs, NODATA)

    def _written(
        self,
        name: str,
        values: NDArray,
        place: Affine,
        crs: CRS | None,
        nodata: float | None = None,
    ) -> Source:
        path = self.folder / name
        count, height, width = values.shape
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, crs=crs,
            dtype=values.dtype.name, transform=place, nodata=nodata,
        ) as data:  # fmt: skip
            data.write(values)
        return Source(str(path))

    def polygons(
        self, name: str, shapes: list[shapely.Geometry], crs: CRS | None = UTM
    ) -> Features:
        """Shapes in metres east and south of the corner, as a layer."""
        there = [
            shapely.transform(one, lambda at: at * (1, -1) + (WEST, NORTH) if crs else at)
            for one in shapes
        ]
        path = self.folder / f"{name}.gpkg"
        pyogrio.raw.write(
            path, geometry=np.array([shapely.to_wkb(one) for one in there], dtype=object),
            field_data=[], fields=[], geometry_type="Polygon", crs=crs.to_string() if crs else None,
        )  # fmt: skip
        return Features(str(path))

    def slides(self) -> Features:
        """The bowls as polygons."""
        shapes = [shapely.Point(x, y).buffer(RADIUS) for y, x in BOWLS]
        return self.polygons("slides", shapes)

    def job(self, **more: object) -> Job:
        """The training of all this."""
        job = Job(
            "train",
            "hpclnet",
            inputs={"IMAGE": (self.image(),), "DEM": (self.dem(),)},
            labels=self.slides(),
            settings={**SETTINGS, **self.settings},
            outputs={"MODEL": str(self.folder / "model.safetensors")},
        )
        return replace(job, **more)

    def trained(self, **more: object) -> Card:
        """The card of the model that the training of all this wrote."""
        job = self.job(**more)
        scores = HpclNetRecipe().train(job, self._listening())
        assert scores["IOU"] is None or 0 <= scores["IOU"] <= 1
        return read_card(job.outputs["MODEL"])

    def mapped(self, image: Source | None = None) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Classes and probabilities (row, column) of a map; its other outputs are looked at."""
        outputs = {
            "CLASSES": "map.tif", "CONFIDENCE": "sure.tif", "POLYGONS": "areas.gpkg",
            "HILLSHADE": "shade.tif",
        }  # fmt: skip
        paths = {key: str(self.folder / name) for key, name in outputs.items()}
        inputs = {"IMAGE": (image or self.image(),), "DEM": (self.dem(),)}
        known = ("vertical_unit",)
        job = Job(
            "predict",
            "hpclnet",
            inputs=inputs,
            model=str(self.folder / "model.safetensors"),
            settings={
                "device": "cpu", "minimum_area": 0.0, "threshold": 0.5,
                **{key: value for key, value in self.settings.items() if key in known},
            },
            outputs=paths,
        )  # fmt: skip
        HpclNetRecipe().predict(job, self._listening())
        read = {}
        for key in ("CLASSES", "CONFIDENCE", "HILLSHADE"):
            with rasterio.open(paths[key]) as data, rasterio.open(inputs["IMAGE"][0].path) as seen:
                assert (data.shape, data.crs, data.transform) == (
                    seen.shape,
                    seen.crs,
                    seen.transform,
                )
                read[key] = data.read(1)
        classes, sure = read["CLASSES"], read["CONFIDENCE"]
        known_here = classes != 255
        np.testing.assert_array_equal(known_here, np.isfinite(sure))
        assert set(np.unique(classes)) <= {0, 1, 255}
        assert ((sure[known_here] >= 0) & (sure[known_here] <= 1)).all()
        # What has slopes for the network has a shade for the eye, but for the elevation's own rim.
        assert (read["HILLSHADE"][1:-1, 1:-1][known_here[1:-1, 1:-1]] > 0).mean() > 0.98
        shapes = shapely.from_wkb(pyogrio.raw.read(paths["POLYGONS"])[2])
        assert shapely.is_valid(shapes).all()
        return classes, sure

    def _listening(self) -> Progress:
        def remember(event: Event) -> None:
            if event["event"] == "log":
                self.said.append(str(event["text"]))

        return Progress(emit=remember)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps an epoch: nothing is learnt here."""
    torch.set_num_threads(1)
    monkeypatch.setattr(design, "STEPS_PER_EPOCH", 3)


@pytest.fixture(scope="module")
def relief(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The deviation of relative elevation in metres, as the plainest scene has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design, "STEPS_PER_EPOCH", 3)
        return Ground(tmp_path_factory.mktemp("plain")).trained().input("DEM").std[0]


@pytest.mark.parametrize(
    ("change", "within", "missing"),
    [
        (dict(dem_gsd=40.0, dem_start=(-120.0, -120.0), dem_side=(640.0, 640.0)), 0.4, 0),
        (dict(dem_start=(-22.0, -18.0)), 0.02, 0),
        (dict(dem_gsd=5.0, dem_crs=DEGREES), 0.05, 0),
        (dict(dem_gsd=30.0, dem_crs=DEGREES, dem_start=(-90.0, -90.0), dem_side=(600.0, 600.0)),
         0.3, 0),
        (dict(hole=NODATA), 0.15, 80),
        (dict(hole=np.nan), 0.15, 80),
        (dict(dem_side=(0.7 * SIDE, SIDE + 40.0)), 0.3, 0.3 * EDGE * EDGE),
        (dict(unit=0.3048, settings={"vertical_unit": "foot"}), 1e-3, 0),
    ],
    ids=["10 times coarser", "shifted", "in degrees", "coarse and in degrees", "nodata", "NaN",
         "partial overlap", "feet"],
)  # fmt: skip
def test_any_elevation_gives_the_same_relief_and_a_whole_map(
    tmp_path: Path, relief: float, change: dict[str, object], within: float, missing: float
) -> None:
    """Coarse pixels flatten the bowls, and holes swallow one; any slip in units would be larger."""
    scene = Ground(tmp_path, **change)
    card = scene.trained()
    assert card.input("DEM").std[0] == pytest.approx(relief, rel=within)
    classes, _ = scene.mapped()
    assert missing <= (classes == 255).sum() <= 2.5 * missing


def test_feet_and_metres_give_the_same_map(tmp_path: Path) -> None:
    plain = Ground(tmp_path)
    plain.trained()
    _, metres = plain.mapped()
    _, feet = replace(plain, unit=0.3048, settings={"vertical_unit": "foot"}).mapped()
    np.testing.assert_allclose(feet, metres, atol=2e-3)


@pytest.mark.parametrize("bands", [1, 4, 14])
def test_any_number_of_bands_is_an_image(tmp_path: Path, bands: int) -> None:
    scene = Ground(tmp_path, bands=bands)
    assert len(scene.trained().input("IMAGE").mean) == bands
    classes, _ = scene.mapped()
    assert (classes != 255).all()


@pytest.mark.parametrize("gsd", [1.0, 10.0])
def test_without_any_coordinate_system_map_units_are_metres(tmp_path: Path, gsd: float) -> None:
    scene = Ground(
        tmp_path, crs=None, dem_crs=None, place=Affine.scale(gsd, -gsd), dem_start=(0.0, 0.0),
        dem_side=(SIDE, SIDE),
    )  # fmt: skip
    truth = np.zeros((1, EDGE, EDGE), np.uint8)
    truth[:, 20:50, 30:60] = 1
    labels = scene._written("truth.tif", truth, scene.place, None)
    scene.trained(labels=Features(labels.path))
    classes, _ = scene.mapped()
    assert (classes != 255).all()
    assert any("no coordinate system" in line for line in scene.said)


def test_several_images_share_one_elevation(tmp_path: Path) -> None:
    scene = Ground(tmp_path)
    halves = (scene.image("west.tif", 0, EDGE // 2), scene.image("east.tif", EDGE // 2, EDGE // 2))
    scene.trained(inputs={"IMAGE": halves, "DEM": (scene.dem(),)})
    classes, _ = scene.mapped(halves[1])
    assert (classes != 255).all()


@pytest.mark.parametrize("labels", ["raster", "polygons"])
def test_ground_outside_the_surveyed_area_teaches_nothing(
    tmp_path: Path, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Ground(tmp_path)
    given = scene.slides()
    if labels == "raster":
        row, column = (np.mgrid[:EDGE, :EDGE] + 0.5) * GSD
        near = [np.hypot(row - y, column - x) < RADIUS for y, x in BOWLS]
        truth = np.any(near, axis=0).astype(np.uint8)[None]
        given = Features(scene._written("truth.tif", truth, scene.place, UTM).path)
    area = scene.polygons("area", [shapely.box(0, 0, 0.6 * SIDE, SIDE)])
    counted: list[NDArray[np.bool_]] = []
    real = design.HpclDesign.ground

    def counting(self: design.HpclDesign, site: object, counts: NDArray[np.bool_]) -> object:
        counted.append(counts)
        return real(self, site, counts)

    monkeypatch.setattr(design.HpclDesign, "ground", counting)
    scene.trained(labels=given, area=area)
    edge = round(0.6 * EDGE)
    assert all(not one[:, edge + 1 :].any() for one in counted)
    assert any(one[:, : edge - 1].any() for one in counted)
    classes, _ = scene.mapped()
    assert (classes != 255).all()


def test_a_scene_smaller_than_a_window_is_mapped(tmp_path: Path) -> None:
    scene = Ground(tmp_path)
    scene.trained()
    small = replace(scene, edge=WINDOW - 9)
    classes, _ = small.mapped(small.image("small.tif"))
    assert classes.shape == (WINDOW - 9, WINDOW - 9)
    assert (classes != 255).all()


def test_a_scene_smaller_than_a_window_teaches(tmp_path: Path) -> None:
    scene = Ground(tmp_path, settings={"window": 128})
    scene.trained()
    classes, _ = scene.mapped()
    assert (classes != 255).all()
