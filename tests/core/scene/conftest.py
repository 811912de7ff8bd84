"""Small real rasters and layers, built for each test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from terraweave.core.family import Role
from terraweave.core.job import Source
from terraweave.core.progress import Event, Progress
from terraweave.core.scene.grid import Grid, Shape

UTM = "EPSG:32631"
ORIGIN = (500000.0, 5000000.0)

WriteRaster = Callable[..., Source]
WriteLayer = Callable[..., Path]


@pytest.fixture
def roles() -> tuple[Role, Role]:
    return (
        Role("PAN", "panchromatic image", "", maximum_bands=1, scales=(2, 4)),
        Role("MS", "multispectral image", "", reference=True),
    )


@pytest.fixture
def texts() -> list[str]:
    """What `told` was told, line by line."""
    return []


@pytest.fixture
def told(texts: list[str]) -> Progress:
    """Progress that remembers its log in `texts`."""

    def remember(event: Event) -> None:
        if event["event"] == "log":
            texts.append(str(event["text"]))

    return Progress(emit=remember)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real scenes beside the project."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real scenes are not beside the project")
    return folder


@pytest.fixture
def utm_grid() -> Callable[..., Grid]:
    """Makes a grid of (rows, columns) pixels at the place where the rasters are written."""

    def make(rows: int, columns: int, pixel: float = 2.0) -> Grid:
        crs = CRS.from_string(UTM).to_wkt()
        transform = Affine(pixel, 0, ORIGIN[0], 0, -pixel, ORIGIN[1])
        return Grid(crs, transform, Shape(rows, columns))

    return make


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Writes an array (band, row, column) as GeoTIFF; pixel edge in metres, offset in pixels."""

    def write(
        name: str,
        array: NDArray[Any],
        *,
        pixel: float = 2.0,
        offset: tuple[float, float] = (0.0, 0.0),
        crs: str | None = UTM,
        transform: Affine | None = None,
        names: Sequence[str] = (),
        mask: NDArray[np.bool_] | None = None,
        **profile: object,
    ) -> Source:
        place = Affine(
            pixel, 0, ORIGIN[0] + offset[1] * pixel, 0, -pixel, ORIGIN[1] - offset[0] * pixel
        )
        path = tmp_path / name
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
            rasterio.open(
                path,
                "w",
                driver="GTiff",
                count=array.shape[0],
                height=array.shape[1],
                width=array.shape[2],
                dtype=array.dtype.name,
                crs=crs,
                transform=transform or place,
                **profile,
            ) as data,
        ):
            data.write(array)
            for index, text in enumerate(names, 1):
                data.set_band_description(index, text)
            if mask is not None:
                data.write_mask(mask)
        return Source(str(path))

    return write


@pytest.fixture
def write_layer(tmp_path: Path) -> WriteLayer:
    """Writes shapes in pixel coordinates (column, row) of `utm_grid(…, pixel)` as GeoPackage."""

    def write(
        name: str,
        shapes: Sequence[shapely.Geometry | None],
        *,
        pixel: float = 2.0,
        crs: str | None = UTM,
        **fields: Sequence[Any],
    ) -> Path:
        path = tmp_path / name
        placed = [
            None
            if shape is None
            else shapely.transform(shape, lambda p: p * (pixel, -pixel) + ORIGIN)
            for shape in shapes
        ]
        pyogrio.raw.write(
            path,
            geometry=np.array([shapely.to_wkb(shape) for shape in placed], dtype=object),
            field_data=[np.array(values) for values in fields.values()],
            fields=list(fields),
            geometry_type="Unknown",
            crs=crs,
        )
        return path

    return write
