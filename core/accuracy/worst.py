"""The layer of the worst places: squares in which a map disagrees most with its reference."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml  # nosec B405 - writes, and reads nothing

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataSourceError

from ..errors import InputError
from ..scene.aside import Together, written_aside
from ..scene.grid import Grid

if TYPE_CHECKING:
    from .assess import WorstPlace

_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON", ".shp": "ESRI Shapefile",
            ".fgb": "FlatGeobuf"}  # fmt: skip
_COLOR = "179,62,0,255"


def write_worst_places(
    path: str | Path,
    places: Sequence["WorstPlace"],
    grid: Grid,
    together: Together | None = None,
) -> None:
    """Write one square for each place, worst first, with a QGIS style beside it.

    Raises:
        InputError: the file's ending stands for no vector format.
    """
    driver = driver_of(path)
    squares = np.array([_square(one, grid) for one in places], dtype=object)
    columns = {
        "rank": np.array([one.rank for one in places], np.int32),
        "wrong": np.array([one.wrong for one in places], np.int64),
        "compared": np.array([one.compared for one in places], np.int64),
        "share": np.array([one.share for one in places], np.float64),
        "mistake": np.array([one.mistake for one in places], dtype=object),
    }
    with written_aside(path, together) as aside:
        try:
            pyogrio.raw.write(
                aside, shapely.to_wkb(squares), list(columns.values()), list(columns),
                layer="worst_places" if driver == "GPKG" else None, driver=driver,
                geometry_type="Polygon", crs=grid.crs or None,
                dataset_options=dataset_options(driver),
            )  # fmt: skip
        except DataSourceError as error:
            raise OSError(str(error)) from error
        _write_style(aside.with_suffix(".qml"))


def driver_of(path: str | Path) -> str:
    """The vector format that the ending of `path` stands for; raises InputError for none."""
    driver = _DRIVERS.get(Path(path).suffix.lower())
    if driver is None:
        raise InputError(
            f"{Path(path).name} is no layer that can be written; let its name end in .gpkg or "
            ".geojson."
        )
    return driver


def dataset_options(driver: str) -> dict[str, str]:
    """How to write the file so that the GDAL of older QGIS versions reads it without complaint."""
    return {"VERSION": "1.2"} if driver == "GPKG" else {}


def _square(place: "WorstPlace", grid: Grid) -> shapely.Polygon:
    columns = (place.column, place.column + place.columns)
    rows = (place.row, place.row + place.rows)
    corners = [(columns[0], rows[0]), (columns[1], rows[0]),
               (columns[1], rows[1]), (columns[0], rows[1])]  # fmt: skip
    return shapely.Polygon([grid.transform @ one for one in corners])


def _write_style(path: Path) -> None:
    """Hollow squares with a strong outline and their rank, so that the map stays visible."""
    root = Xml.Element("qgis", version="3.40.0", styleCategories="Symbology|Labeling")
    renderer = Xml.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0")
    symbols = Xml.SubElement(renderer, "symbols")
    symbol = Xml.SubElement(symbols, "symbol", type="fill", name="0", alpha="1")
    # A white casing below keeps the line visible on any map.
    for color, width in (("255,255,255,230", "1.5"), (_COLOR, "0.7")):
        layer = Xml.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
        options = Xml.SubElement(layer, "Option", type="Map")
        for name, value in (
            ("style", "no"), ("outline_color", color), ("outline_style", "solid"),
            ("outline_width", width), ("outline_width_unit", "MM"),
        ):  # fmt: skip
            Xml.SubElement(options, "Option", name=name, type="QString", value=value)
    labeling = Xml.SubElement(root, "labeling", type="simple")
    settings = Xml.SubElement(labeling, "settings")
    style = Xml.SubElement(
        settings, "text-style",
        fieldName="rank", isExpression="0", fontSize="10", fontSizeUnit="Point", fontWeight="75",
        textColor=_COLOR, textOpacity="1",
    )  # fmt: skip
    Xml.SubElement(
        style, "text-buffer",
        bufferDraw="1", bufferSize="1", bufferSizeUnits="MM", bufferColor="255,255,255,255",
        bufferOpacity="1",
    )  # fmt: skip
    Xml.indent(root)
    start = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    path.write_text(start + Xml.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
