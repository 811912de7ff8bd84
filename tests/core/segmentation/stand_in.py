"""A family that maps bright ground, without any training, and scenes to map."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.family import Family, Recipe, Reference, Role
from terraweave.core.job import Job, Source
from terraweave.core.model_file import write_model
from terraweave.core.segmentation.settings import segmentation_settings

SCAR = MapClass(1, "scar", "#d55e00")
PLACE = (500000.0, 5400000.0)


def _recipe() -> Recipe:
    raise NotImplementedError


FAMILY = Family(
    key="bright",
    title="Bright ground",
    purpose="Bright ground from an image",
    help="",
    roles=(Role("IMAGE", "Image", "", reference=True),),
    labels="",
    train_settings=(),
    predict_settings=segmentation_settings(hysteresis=0.0),
    reference=Reference("", ""),
    recipe=_recipe,
    binary=True,
)


def write_image(
    path: Path,
    values: NDArray[Any],
    gsd: float = 2.0,
    crs: str | None = "EPSG:32632",
    transform: Affine | None = None,
) -> Path:
    """One band (row, column) as GeoTIFF; NaN is missing."""
    rows, columns = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=rows, width=columns, dtype="float32", crs=crs,
        nodata=float("nan"), transform=transform or Affine(gsd, 0, PLACE[0], 0, -gsd, PLACE[1]),
    ) as file:  # fmt: skip
        file.write(values.astype(np.float32), 1)
    return path


def write_card(
    path: Path, window: int = 16, working_gsd: float = 2.0, threshold: float = 0.5
) -> Path:
    """A model file with a card and hardly any weights."""
    card = Card(
        family="bright",
        name="bright",
        inputs=(CardInput("IMAGE", (Band("band 1"),), (100.0,), (20.0,), working_gsd),),
        classes=(SCAR,),
        window=window,
        overlap=window // 2,
        architecture={"working_gsd": working_gsd},
        training={"threshold": threshold},
    )
    write_model(path, card, {"weight": torch.ones(1)})
    return path


def job_for(image: Path, model: Path, name: str = "map", **settings: object) -> Job:
    """A job with all outputs, beside the image."""
    return Job(
        "predict",
        "bright",
        inputs={"IMAGE": (Source(str(image)),)},
        model=str(model),
        settings={"device": "cpu", **settings},
        outputs={
            "CLASSES": str(image.parent / f"{name}.tif"),
            "CONFIDENCE": str(image.parent / f"{name}_confidence.tif"),
            "POLYGONS": str(image.parent / f"{name}_areas.gpkg"),
        },
    )
