"""Tiny places with a bright square each, and trainings on them as short as can be."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.warp import transform_geom
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.families.minec2fnet.architecture import Architecture
from terraweave.core.families.minec2fnet.network import FootprintNet
from terraweave.core.job import Features, Job, Source
from terraweave.core.model_file import write_model

EDGE = 72
UTM = "EPSG:32632"
COLOURS = ("blue", "green", "red")
QUICK = {"epochs": 1, "batch": 1, "window": 64, "device": "cpu", "refit": False}
WHOLE = {"validation_share": 0.0}


def site(
    folder: Path,
    number: int,
    seed: int,
    *,
    crs: str = UTM,
    gsd: float = 10.0,
    bands: tuple[str, ...] = ("", "", ""),
    west: float = 500_000.0,
) -> tuple[Source, list[list[list[float]]]]:
    """An image with a bright square of 300 m, and the ring around the square."""
    random = np.random.default_rng(seed)
    edge = round(EDGE * 10 / gsd)
    values = random.normal(1000, 100, (len(bands), edge, edge))
    row, column = (random.integers(10, 30, 2) * 10 / gsd).astype(int)
    side = round(300 / gsd)
    values[:, row : row + side, column : column + side] += 800
    west, north = west + number * 5_000, 5_400_000
    path = folder / f"site{number}_{seed}_{gsd:g}.tif"
    profile = {"driver": "GTiff", "count": len(bands), "height": edge, "width": edge}
    place = {"crs": crs, "transform": from_origin(west, north, gsd, gsd)}
    with rasterio.open(path, "w", dtype="uint16", **profile, **place) as file:
        file.write(values.clip(1, 5000).astype(np.uint16))
        for index, name in enumerate(bands, 1):
            if name:
                file.set_band_description(index, name)
    left, top = west + gsd * float(column), north - gsd * float(row)
    corners = ((0, 0), (300, 0), (300, -300), (0, -300), (0, 0))
    return Source(str(path)), [[[left + x, top + y] for x, y in corners]]


def layer(
    folder: Path,
    name: str,
    shapes: Iterable[object],
    *,
    kind: str = "Polygon",
    crs: str = UTM,
    called: str = "",
) -> Features:
    """Shapes as a layer; `called` is what its field “kind” holds."""
    features = [
        {
            "type": "Feature",
            "properties": {"kind": called},
            "geometry": {"type": kind, "coordinates": one},
        }
        for one in shapes
    ]
    path = folder / f"{name}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    field = "kind" if called else ""
    return Features(str(path), name, field=field, crs=CRS.from_user_input(crs).to_wkt())


def scenes(folder: Path, numbers: range, name: str) -> tuple[tuple[Source, ...], Features]:
    """Sites, and one layer with their squares."""
    images, squares = zip(*(site(folder, number, 100 + number) for number in numbers), strict=True)
    return images, layer(folder, name, squares)


def in_degrees(squares: Iterable[object], crs: str) -> list[object]:
    """Squares in geographic coordinates."""
    return [
        transform_geom(crs, "EPSG:4326", {"type": "Polygon", "coordinates": one})["coordinates"]
        for one in squares
    ]


def write_teacher(
    path: Path, bands: tuple[str, ...] = COLOURS, family: str = "minec2fnet", **architecture: object
) -> Path:
    """A model of this family that never learnt anything."""
    torch.manual_seed(0)
    own = Architecture(len(bands))
    count = len(bands)
    card = Card(
        family=family,
        name=path.stem,
        inputs=(
            CardInput(
                "IMAGE",
                tuple(Band(one) for one in bands),
                (1000.0,) * count,
                (200.0,) * count,
                10.0,
            ),
        ),
        classes=(MapClass(1, "Mine", "#d95f02"),),
        window=64,
        overlap=32,
        architecture={**own.to_json(), "working_gsd": 10.0, **architecture},
        training={"threshold": 0.4},
        metrics={"classes": [{"name": "Mine", "iou": 0.5, "f1": 0.667}]},
    )
    write_model(path, card, FootprintNet(own).state_dict())
    return path


def refinement(job: Job, folder: Path) -> Job:
    """A refinement of the job's model on a third site."""
    images, labels = scenes(folder, range(2, 3), "fine")
    return refinement_of(Path(job.output("MODEL")), images, labels, folder)


def refinement_of(teacher: Path, images: tuple[Source, ...], labels: Features, folder: Path) -> Job:
    """A refinement of any model."""
    settings = {"epochs": 2, "batch": 1, "device": "cpu", "refit": False, **WHOLE}
    return Job(
        task="refine",
        family="minec2fnet",
        model=str(teacher),
        inputs={"IMAGE": images},
        labels=labels,
        settings=settings,
        outputs={"MODEL": str(folder / "refined.safetensors")},
    )
