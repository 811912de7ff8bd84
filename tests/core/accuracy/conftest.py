"""Small maps and references on disk, and a run of `assess` over them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from terraweave.core.accuracy.assess import assess
from terraweave.core.classes import MapClass
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Event, Progress
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.scene.sink import ClassSink

CLASSES = (
    MapClass(1, "water", "#0072b2"),
    MapClass(2, "field", "#e69f00"),
    MapClass(5, "forest", "#009e73"),
)
_ENDINGS = {"REPORT": ".html", "TABLE": ".json", "DISAGREEMENT": ".tif", "WORST": ".gpkg"}


class Workbench:
    """Writes layers into a folder and assesses them."""

    classes = CLASSES

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []

    def grid(self, rows: int, columns: int, gsd: float = 10.0) -> Grid:
        """A grid in UTM zone 32 N."""
        transform = Affine(gsd, 0, 500_000, 0, -gsd, 5_000_000)
        return Grid(rasterio.crs.CRS.from_epsg(32632).to_wkt(), transform, Shape(rows, columns))

    def map(
        self,
        values: np.ndarray,
        classes: tuple[MapClass, ...] = CLASSES,
        name: str = "map.tif",
        gsd: float = 10.0,
    ) -> Path:
        """A class raster as Terraweave writes it, 0 = nodata."""
        path = self.folder / name
        grid = self.grid(*values.shape, gsd)
        with ClassSink(path, grid, classes) as sink:
            sink.write(grid.window, values)
        return path

    def layer(
        self,
        shapes: list[shapely.Geometry],
        attributes: dict[str, list[object]],
        name: str = "reference.gpkg",
        crs: str = "EPSG:32632",
    ) -> Path:
        """A vector layer; the shapes are in (column, row) of a grid of 10 m."""
        path = self.folder / name
        grid = self.grid(1, 1)
        placed = shapely.transform(
            np.array(shapes, dtype=object),
            lambda points: np.array([grid.transform @ tuple(one) for one in points]),
        )
        if crs != "EPSG:32632":
            placed = _reprojected(placed, crs)
        kinds = {one.geom_type for one in shapes}
        columns = [
            np.array(some, dtype=object if isinstance(some[0], str) else None)
            for some in attributes.values()
        ]
        pyogrio.raw.write(
            path, shapely.to_wkb(placed), columns, list(attributes), driver="GPKG", crs=crs,
            geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
        )  # fmt: skip
        return path

    def assess(
        self,
        on: Path,
        reference: Path,
        *,
        field: str = "",
        area: Path | None = None,
        outputs: tuple[str, ...] = ("REPORT", "TABLE", "DISAGREEMENT", "WORST"),
        **settings: object,
    ) -> dict[str, object]:
        """The values of a run that writes its outputs as assessed.*."""
        job = Job(
            "assess",
            inputs={"CLASSES": (Source(str(on)),)},
            labels=Features(str(reference), field=field),
            area=Features(str(area)) if area else None,
            settings=settings,
            outputs={
                key: str(self.folder / f"assessed_{key.lower()}{_ENDINGS[key]}") for key in outputs
            },
        )
        return assess(job, Progress(self.events.append))

    @property
    def warnings(self) -> list[str]:
        """The warnings said so far."""
        return [str(one["text"]) for one in self.events if one.get("level") == "warning"]


def _reprojected(shapes: np.ndarray, crs: str) -> np.ndarray:
    def moved(points: np.ndarray) -> np.ndarray:
        return np.column_stack(
            rasterio.warp.transform("EPSG:32632", crs, points[:, 0], points[:, 1])
        )

    return shapely.transform(shapes, moved)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A workbench in an empty folder."""
    return Workbench(tmp_path)


@pytest.fixture
def truth() -> Callable[[int], np.ndarray]:
    """A map of 40 × 60 pixels in vertical stripes of water, field and forest."""

    def made(width: int = 20) -> np.ndarray:
        stripes = np.array([1, 2, 5])[(np.arange(60) // width) % 3]
        return np.tile(stripes, (40, 1))

    return made
