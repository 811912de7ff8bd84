"""Small scenes of two images, and a model that was never trained but classifies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.transform import from_origin
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.families.das2f.architecture import Architecture
from terraweave.core.families.das2f.network import Das2f
from terraweave.core.job import Job, Source
from terraweave.core.model_file import write_model

CLASSES = (
    MapClass(2, "water", "#0072b2"),
    MapClass(5, "fields", "#e69f00"),
    MapClass(9, "roads", "#7f7f7f"),
)
RATIO = 2
BANDS = 3


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def write_raster(path: Path, values: NDArray[np.generic], gsd: float, **more: object) -> Path:
    """A GeoTIFF with its upper left corner at (500000, 5400000) in UTM zone 32."""
    bands, rows, columns = values.shape
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": rows,
        "width": columns,
        "dtype": values.dtype.name,
        "crs": "EPSG:32632",
        "transform": from_origin(500000, 5400000, gsd, gsd),
        **more,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
    return path


class Pair:
    """An MS and a PAN image of random numbers, and jobs that classify them."""

    def __init__(self, folder: Path, model: Path, rows: int, columns: int, seed: int = 0) -> None:
        """Random images of `rows` × `columns` MS pixels."""
        random = np.random.default_rng(seed)
        self.folder = folder
        self.model = model
        self.ms_values = random.normal(100, 20, (BANDS, rows, columns)).astype(np.float32)
        self.pan_values = random.normal(50, 9, (1, rows * RATIO, columns * RATIO)).astype(
            np.float32
        )
        self.write()

    def write(self, **more: object) -> None:
        """Write both images, with further words for the driver such as nodata."""
        self.ms = write_raster(self.folder / "ms.tif", self.ms_values, 2.0, **more)
        self.pan = write_raster(self.folder / "pan.tif", self.pan_values, 1.0, **more)

    def job(self, name: str = "classes", **settings: object) -> Job:
        """A job that writes NAME.tif and NAME_confidence.tif."""
        return Job(
            "predict",
            "das2f",
            inputs={"MS": (Source(str(self.ms)),), "PAN": (Source(str(self.pan)),)},
            model=str(self.model),
            settings={"device": "cpu", **settings},
            outputs={
                "CLASSES": str(self.folder / f"{name}.tif"),
                "CONFIDENCE": str(self.folder / f"{name}_confidence.tif"),
            },
        )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with random weights: 8×8 windows, three bands, ratio 2, three classes."""
    torch.manual_seed(1)
    architecture = Architecture(ms_bands=BANDS, classes=len(CLASSES), ratio=RATIO)
    card = Card(
        family="das2f",
        name="random",
        inputs=(
            CardInput(
                "MS",
                tuple(Band(f"band {i + 1}") for i in range(BANDS)),
                (100.0,) * BANDS,
                (20.0,) * BANDS,
                2.0,
            ),
            CardInput("PAN", (Band("band 1"),), (50.0,), (9.0,), 1.0, RATIO),
        ),
        classes=CLASSES,
        window=architecture.window,
        overlap=architecture.window - 1,
        architecture=architecture.to_json(),
    )
    network = Das2f(architecture)
    # Sharper than at birth, so that pixels differ in class.
    with torch.no_grad():
        network.head.map.weight.mul_(20)  # type: ignore[union-attr, operator]
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    write_model(path, card, network.state_dict())
    return path


@pytest.fixture
def pair(tmp_path: Path, model: Path) -> Callable[..., Pair]:
    """Makes image pairs in a folder of their own."""

    def make(rows: int, columns: int, name: str = "scene") -> Pair:
        folder = tmp_path / name
        folder.mkdir()
        return Pair(folder, model, rows, columns)

    return make
