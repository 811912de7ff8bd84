"""HPCL-Net from layers to a map: a tiny scene with landslides that only the terrain shows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from terraweave.core.card import read_card
from terraweave.core.errors import InputError
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.recipe import HpclNetRecipe
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Event, Progress

EDGE, GSD, DEM_GSD = 192, 2.0, 6.0
WEST, NORTH = 600000.0, 3400000.0
SETTINGS = {
    "epochs": 4,
    "batch": 4,
    "window": 32,
    "working_gsd": 4.0,
    "wide": 60.0,
    "refit": False,
    "validation_share": 0.3,
    "device": "cpu",
    "learning_rate": 0.004,
}
BOWLS = [(70, 60), (70, 290), (200, 130), (310, 300), (320, 70), (190, 320)]
RADIUS = 38.0


def depth(gsd: float, edge: int) -> np.ndarray:
    """How deep bowls are (row, column), metres."""
    row, column = (np.mgrid[:edge, :edge] + 0.5) * gsd
    found = np.zeros((edge, edge))
    for y, x in BOWLS:
        found += 14 * np.exp(-(((row - y) ** 2 + (column - x) ** 2) / (0.6 * RADIUS**2)))
    return found


def written(path: Path, values: np.ndarray, gsd: float, **more: object) -> Source:
    profile = dict(
        driver="GTiff",
        count=values.shape[0],
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype.name,
        crs="EPSG:32647",
        transform=Affine(gsd, 0, WEST, 0, -gsd, NORTH),
    )
    with rasterio.open(path, "w", **{**profile, **more}) as data:
        data.write(values)
    return Source(str(path))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A training on a scene of 384 m; elevation is three times coarser than the image."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    image = random.integers(60, 180, (2, EDGE, EDGE)).astype(np.uint8)
    side = round(EDGE * GSD / DEM_GSD)
    row, column = (np.mgrid[:side, :side] + 0.5) * DEM_GSD
    dem = (2100 + 0.2 * row + 3 * np.sin(column / 40) - depth(DEM_GSD, side))[None]
    shapes = [shapely.Point(WEST + x, NORTH - y).buffer(RADIUS) for y, x in BOWLS]
    labels = tmp_path / "slides.gpkg"
    pyogrio.raw.write(
        labels,
        geometry=np.array([shapely.to_wkb(one) for one in shapes], dtype=object),
        field_data=[],
        fields=[],
        geometry_type="Polygon",
        crs="EPSG:32647",
    )
    return Job(
        "train",
        "hpclnet",
        inputs={
            "IMAGE": (written(tmp_path / "image.tif", image, GSD),),
            "DEM": (written(tmp_path / "dem.tif", dem.astype(np.float32), DEM_GSD),),
        },
        labels=Features(str(labels)),
        settings=SETTINGS,
        outputs={"MODEL": str(tmp_path / "slides.safetensors")},
    )


def told(texts: list[str]) -> Progress:
    def remember(event: Event) -> None:
        if event["event"] == "log":
            texts.append(str(event["text"]))

    return Progress(emit=remember)


def test_from_layers_to_model_to_map_and_polygons(job: Job, tmp_path: Path) -> None:
    scores = HpclNetRecipe().train(job, Progress())
    assert scores["IOU"] > 0.3
    card = read_card(job.outputs["MODEL"])
    assert card.architecture["working_gsd"] == pytest.approx(4.0)
    assert card.input("DEM").std[0] > 0.5
    assert not any("projector" in key for key in json.dumps(card.to_json()).split())
    outputs = {
        "CLASSES": str(tmp_path / "map.tif"),
        "CONFIDENCE": str(tmp_path / "probability.tif"),
        "POLYGONS": str(tmp_path / "map.gpkg"),
        "HILLSHADE": str(tmp_path / "hillshade.tif"),
    }
    HpclNetRecipe().predict(
        replace(
            job,
            task="predict",
            labels=None,
            model=job.outputs["MODEL"],
            settings={"device": "cpu", "minimum_area": 200.0},
            outputs=outputs,
        ),
        Progress(),
    )
    with rasterio.open(outputs["CLASSES"]) as data:
        found = data.read(1) == 1
        assert data.shape == (EDGE, EDGE)
    truth = depth(GSD, EDGE) > 14 * np.exp(-1 / 0.6)
    assert (found & truth).sum() / (found | truth).sum() > 0.35
    with rasterio.open(outputs["HILLSHADE"]) as data:
        shade = data.read(1)
        assert (data.dtypes, data.nodata, data.shape) == (("uint8",), 0, found.shape)
    assert np.ptp(shade[shade > 0].astype(int)) > 60
    layer = pyogrio.raw.read(outputs["POLYGONS"])
    fields = dict(zip(layer[0]["fields"], layer[3], strict=True))
    assert {"slope_mean", "aspect", "aspect_conc", "length_m", "width_m"} <= set(fields)
    assert np.nanmin(fields["elev_min"]) > 2000
    assert (fields["relief_m"] >= 0).all()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda heights: heights * 0 + 812, "same height everywhere"),
        (lambda heights: heights * np.nan, r"odd\.tif \(DEM\) has no pixel with data"),
    ],
)
def test_elevation_that_says_nothing_is_refused(
    job: Job, tmp_path: Path, spoil: Callable[[np.ndarray], np.ndarray], text: str
) -> None:
    with rasterio.open(job.inputs["DEM"][0].path) as data:
        heights = data.read()
    dem = written(tmp_path / "odd.tif", spoil(heights).astype(np.float32), DEM_GSD)
    with pytest.raises(InputError, match=text):
        HpclNetRecipe().train(replace(job, inputs={**job.inputs, "DEM": (dem,)}), Progress())


def test_a_hillshade_in_place_of_heights_is_doubted(job: Job, tmp_path: Path) -> None:
    side = round(EDGE * GSD / DEM_GSD)
    picture = np.random.default_rng(1).integers(1, 255, (1, side, side)).astype(np.uint8)
    dem = written(tmp_path / "shade.tif", picture, DEM_GSD)
    texts: list[str] = []
    quick = replace(job, inputs={**job.inputs, "DEM": (dem,)}, settings={**SETTINGS, "epochs": 1})
    HpclNetRecipe().train(quick, told(texts))
    assert any("8-bit numbers, as a hillshade" in text for text in texts)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"window": 33}, "“small” takes multiples of 8, such as 32 or 40"),
        ({"window": 40, "profile": "paper"}, "“paper” takes multiples of 16, such as 32 or 48"),
        ({"cross_validation": 1}, "One fold"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_read(
    job: Job, settings: dict[str, object], text: str
) -> None:
    unread = replace(job, inputs={}, settings={**SETTINGS, **settings})
    for run in (HpclNetRecipe().train, HpclNetRecipe().estimate):
        with pytest.raises(InputError, match=text):
            run(unread, Progress())


def test_a_wrong_unit_is_told_before_work_begins(job: Job, tmp_path: Path) -> None:
    quick = replace(job, settings={**SETTINGS, "epochs": 1})
    HpclNetRecipe().train(quick, Progress())
    card = read_card(job.outputs["MODEL"])
    assert 8 < card.input("DEM").facts["mean_slope"] < 25

    def heard(run: Callable[[Job, Progress], object], one: Job) -> list[str]:
        """The warnings about the ground, and the stages, in their order."""
        events: list[Event] = []
        run(one, Progress(events.append))
        found = [str(one.get("text") or one.get("stage")) for one in events]
        return [one for one in dict.fromkeys(found) if "VERTICAL_UNIT" in one or "ooking" in one]

    mapping = replace(
        job, task="predict", labels=None, model=job.outputs["MODEL"],
        settings={"device": "cpu"}, outputs={"CLASSES": str(tmp_path / "map.tif")},
    )  # fmt: skip
    wrong = replace(mapping, settings={"device": "cpu", "vertical_unit": "foot"})
    assert heard(HpclNetRecipe().predict, mapping) == ["Looking for the class"]
    first, second = heard(HpclNetRecipe().predict, wrong)
    assert "times less steep than" in first
    assert "(“metre” would fit)" in first
    assert second == "Looking for the class"
    told, stage = heard(HpclNetRecipe().estimate, wrong)
    assert (told, stage) == (first, "Looking at the scene")
    further = replace(
        quick, model=job.outputs["MODEL"],
        outputs={"MODEL": str(tmp_path / "further.safetensors")},
        settings={**quick.settings, "vertical_unit": "foot"},
    )  # fmt: skip
    (told,) = heard(HpclNetRecipe().train, further)
    assert "(“metre” would fit)" in told


def test_an_unknown_vertical_unit_is_refused(job: Job) -> None:
    with pytest.raises(InputError, match="choose one of metre, decimetre"):
        HpclNetRecipe().train(replace(job, settings={"vertical_unit": "fathom"}), Progress())


def test_facts_say_what_is_needed() -> None:
    assert HPCLNET.binary
    assert HPCLNET.reference_role.key == "IMAGE"
    assert HPCLNET.role("DEM").maximum_bands == 1
    assert {one.key for one in HPCLNET.train_settings} >= {"epochs", "lambda_hpcl", "wide", "seed"}
    assert all(one.help.endswith((".", ")")) for one in HPCLNET.train_settings)
