"""Sample scenes as files: rasters and polygons on a common ground in UTM zone 32N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml  # nosec B405 - writes, and reads nothing

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from ..classes import MapClass
from ..scene.aside import Together, written_aside
from ..scene.legend import write_class_legend, write_outline_style

CRS = "EPSG:32632"


@dataclass(frozen=True, slots=True)
class Ground:
    """A grid whose upper left corner all files of a scene share; `gsd` in metres."""

    gsd: float
    west: float = 512000.0
    north: float = 5402000.0

    @property
    def transform(self) -> Affine:
        """From column and row to x and y."""
        return Affine(self.gsd, 0, self.west, 0, -self.gsd, self.north)

    def coordinates(self, ring: NDArray[np.float64]) -> NDArray[np.float64]:
        """The coordinates (…, x and y) of places (…, column and row) in pixels."""
        return np.asarray(ring * (self.gsd, -self.gsd) + (self.west, self.north))


def save_image(
    path: Path, image: NDArray[Any], ground: Ground, bands: Sequence[tuple[str, float]],
    together: Together, nodata: float = 0,
) -> None:  # fmt: skip
    """Write an image (band, row, column); `bands` gives names and wavelengths in µm (0: none)."""
    with written_aside(path, together) as aside, _raster(aside, image, ground, nodata) as raster:
        raster.write(image)
        for number, (name, wavelength) in enumerate(bands, start=1):
            raster.set_band_description(number, name)
            if wavelength:
                raster.update_tags(number, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=wavelength)


def save_class_raster(
    path: Path, values: NDArray[np.uint8], ground: Ground, classes: Sequence[MapClass],
    together: Together, nodata: int = 0,
) -> None:  # fmt: skip
    """Write a map (row, column) with the names and colours of its classes."""
    colors = {0: (0, 0, 0, 0)} | {one.value: (*one.rgb, 255) for one in classes}
    with written_aside(path, together) as aside:
        with _raster(aside, values[None], ground, nodata) as raster:
            raster.write(values, 1)
            raster.set_band_description(1, "class")
            raster.write_colormap(1, colors)
        counts = [int((values == one.value).sum()) for one in classes]
        write_class_legend(aside, classes, counts)


def save_shapes(
    path: Path, shapes: Sequence[shapely.Geometry], fields: Mapping[str, NDArray[Any]],
    together: Together, classes: Sequence[MapClass] = (),
) -> None:  # fmt: skip
    """Write polygons as a GeoPackage; `classes` fill those with a `class_id`, others are hollow."""
    kinds = {shape.geom_type for shape in shapes}
    with written_aside(path, together) as aside:
        pyogrio.raw.write(
            aside, shapely.to_wkb(np.array(shapes, object)), list(fields.values()), list(fields),
            layer=path.stem, driver="GPKG", crs=CRS,
            # Older versions of QGIS warn about the newest version of the format.
            dataset_options={"VERSION": "1.2"},
            geometry_type="Polygon" if kinds <= {"Polygon"} else "MultiPolygon",
        )  # fmt: skip
        if classes:
            _write_style(aside.with_suffix(".qml"), classes)
        else:
            write_outline_style(aside, surveyed=True)


def _raster(path: Path, image: NDArray[Any], ground: Ground, nodata: float) -> Any:  # noqa: ANN401
    count, rows, columns = image.shape
    return rasterio.open(
        path, "w", driver="GTiff", dtype=image.dtype, count=count, height=rows, width=columns,
        crs=CRS, transform=ground.transform, nodata=nodata, tiled=True, blockxsize=256,
        blockysize=256, compress="deflate", predictor=3 if image.dtype.kind == "f" else 2,
    )  # fmt: skip


def _write_style(path: Path, classes: Sequence[MapClass]) -> None:
    """A QGIS style that draws polygons by `class_id`, filled lightly in the classes' colours."""
    root = Xml.Element("qgis", version="3.40.0", styleCategories="Symbology")
    renderer = Xml.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="class_id")
    categories = Xml.SubElement(renderer, "categories")
    symbols = Xml.SubElement(renderer, "symbols")
    for number, one in enumerate(classes):
        Xml.SubElement(categories, "category", symbol=str(number), value=str(one.value),
                       type="long", label=one.name, render="true")  # fmt: skip
        symbol = Xml.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1")
        layer = Xml.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
        options = Xml.SubElement(layer, "Option", type="Map")
        fill = ",".join(str(part) for part in one.rgb)
        for key, value in (
            ("color", f"{fill},90"), ("style", "solid"),
            ("outline_color", f"{fill},255"), ("outline_width", "0.5"),
        ):  # fmt: skip
            Xml.SubElement(options, "Option", name=key, type="QString", value=value)
    Xml.indent(root)
    start = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    path.write_text(start + Xml.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
