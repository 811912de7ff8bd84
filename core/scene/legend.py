"""How a result raster tells what its values mean: attribute table, class names, QGIS style."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml  # nosec B405 - writes, and reads nothing

from ..classes import MapClass

# GDAL's numbers for the type (whole, real, text) and the use of a column of an attribute table.
_WHOLE, _TEXT = 0, 2
_PIXEL_COUNT, _NAME, _VALUE, _RED, _GREEN, _BLUE = 1, 2, 5, 6, 7, 8
_RAMP = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
# The one of the plugin's `styling.py`, for those who open the file without it.
_SEE_THROUGH_RAMP = ("#ffffb2", "#ffffb2", "#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")
# Casings and lines with their widths in millimetres; those of the plugin's `outlines.py`, for
# those who open the file without it.
_FOUND = (("255,255,255,255", "1.3"), ("213,94,0,255", "0.7"))
_SURVEYED = (("26,26,26,255", "0.9"), ("255,255,255,255", "0.3"))
_ALPHAS = (0, 144, 255, 255, 255, 255)


def write_class_legend(
    path: Path,
    classes: Sequence[MapClass],
    counts: Sequence[int] | None = None,
    *,
    background: bool = False,
) -> None:
    """Lay GDAL's description (.aux.xml) and a QGIS style (.qml) beside the class raster `path`.

    `counts` are the pixels of each class, for the attribute table. With a `background`, the value
    0 is called so; it has no colour, so that QGIS shows what lies beneath.
    """
    root = Xml.Element("PAMDataset")
    band = Xml.SubElement(root, "PAMRasterBand", band="1")
    largest = max(one.value for one in classes)
    if largest <= 255:
        names = {0: "background"} if background else {}
        names |= {one.value: one.name for one in classes}
        categories = Xml.SubElement(band, "CategoryNames")
        for value in range(largest + 1):
            Xml.SubElement(categories, "Category").text = names.get(value, "")
    band.append(_attribute_table(classes, counts))
    _write(root, path.with_name(path.name + ".aux.xml"))
    _write(_class_style(classes), path.with_suffix(".qml"), qgis=True)


def write_value_legend(path: Path, low: float, high: float, *, see_through: bool = False) -> None:
    """Lay a QGIS style with a colour ramp from `low` to `high` beside the raster `path`.

    With `see_through`, low values have no colour and all are half transparent, to lie over a
    hillshade.
    """
    _write(_value_style(low, high, see_through), path.with_suffix(".qml"), qgis=True)


def write_outline_style(path: Path, *, surveyed: bool = False) -> None:
    """Lay a QGIS style beside the polygons in `path`: a line with a casing around what is beneath.

    What was `surveyed` is told from what was found.
    """
    root = Xml.Element("qgis", version="3.40.0", styleCategories="Symbology")
    renderer = Xml.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0")
    symbol = Xml.SubElement(
        Xml.SubElement(renderer, "symbols"), "symbol", type="fill", name="0", alpha="1"
    )
    _add_layer(symbol, "SimpleFill", {"style": "no", "outline_style": "no"})
    for color, width in _SURVEYED if surveyed else _FOUND:
        line = {"line_color": color, "line_width": width, "joinstyle": "round"}
        _add_layer(symbol, "SimpleLine", line)
    _write(root, path.with_suffix(".qml"), qgis=True)


def _add_layer(symbol: Xml.Element, kind: str, values: Mapping[str, str]) -> None:
    layer = Xml.SubElement(symbol, "layer", {"class": kind, "enabled": "1"})
    options = Xml.SubElement(layer, "Option", type="Map")
    for name, value in values.items():
        Xml.SubElement(options, "Option", name=name, type="QString", value=value)


def _attribute_table(classes: Sequence[MapClass], counts: Sequence[int] | None) -> Xml.Element:
    table = Xml.Element("GDALRasterAttributeTable", tableType="thematic")
    columns = [("Value", _WHOLE, _VALUE), ("Class", _TEXT, _NAME), ("Red", _WHOLE, _RED),
               ("Green", _WHOLE, _GREEN), ("Blue", _WHOLE, _BLUE)]  # fmt: skip
    if counts is not None:
        columns.insert(1, ("Count", _WHOLE, _PIXEL_COUNT))
    for index, (name, kind, usage) in enumerate(columns):
        column = Xml.SubElement(table, "FieldDefn", index=str(index))
        Xml.SubElement(column, "Name").text = name
        Xml.SubElement(column, "Type").text = str(kind)
        Xml.SubElement(column, "Usage").text = str(usage)
    for index, one in enumerate(classes):
        row = Xml.SubElement(table, "Row", index=str(index))
        cells = [one.value, one.name, *one.rgb]
        if counts is not None:
            cells.insert(1, counts[index])
        for cell in cells:
            Xml.SubElement(row, "F").text = str(cell)
    return table


def _class_style(classes: Sequence[MapClass]) -> Xml.Element:
    root, renderer = _style("paletted")
    palette = Xml.SubElement(renderer, "colorPalette")
    for one in classes:
        Xml.SubElement(
            palette,
            "paletteEntry",
            value=str(one.value),
            color=one.color,
            alpha="255",
            label=one.name,
        )
    return root


def _value_style(low: float, high: float, see_through: bool) -> Xml.Element:
    root, renderer = _style("singlebandpseudocolor")
    if see_through:
        renderer.set("opacity", "0.5")
    ramp = _SEE_THROUGH_RAMP if see_through else _RAMP
    renderer.set("classificationMin", f"{low:g}")
    renderer.set("classificationMax", f"{high:g}")
    shader = Xml.SubElement(
        Xml.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=f"{low:g}",
        maximumValue=f"{high:g}",
    )
    for index, color in enumerate(ramp):
        value = low + (high - low) * index / (len(ramp) - 1)
        alpha = _ALPHAS[index] if see_through else 255
        Xml.SubElement(
            shader, "item", value=f"{value:g}", color=color, alpha=str(alpha), label=f"{value:g}"
        )
    return root


def _style(kind: str) -> tuple[Xml.Element, Xml.Element]:
    root = Xml.Element("qgis", version="3.40.0", styleCategories="Symbology")
    pipe = Xml.SubElement(root, "pipe")
    renderer = Xml.SubElement(
        pipe, "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1"
    )
    return root, renderer


def _write(root: Xml.Element, path: Path, *, qgis: bool = False) -> None:
    Xml.indent(root)
    start = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" if qgis else ""
    path.write_text(start + Xml.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
