"""Writes layers to files that the worker can read: rasters as GeoTIFF, features as GeoJSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as Xml  # nosec B405 - writes only

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRasterNuller,
    QgsRasterPipe,
    QgsVectorLayer,
    QgsVectorLayerFeatureSource,
)
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QTime

from ..core.classes import NAME_FIELDS
from ..core.errors import Cancelled, InputError, ResourceError

# Enough for a tenth of a millimetre in degrees.
_DIGITS = 12


def write_raster(
    layer: QgsRasterLayer,
    path: Path,
    transforms: QgsCoordinateTransformContext,
    feedback: QgsProcessingFeedback,
) -> None:
    """Write all bands of `layer` as they are to the GeoTIFF `path`, in the layer's own grid.

    Names of bands go into GDAL's companion file, since the writer leaves them out.

    Raises:
        Cancelled: the user asked for it.
        ResourceError: reading or writing failed.
    """
    writer = QgsRasterFileWriter(str(path))
    writer.setOutputFormat("GTiff")
    writer.setCreateOptions(["TILED=YES", "COMPRESS=DEFLATE", "ZLEVEL=1", "BIGTIFF=IF_SAFER"])
    size = layer.width(), layer.height()
    with _reporting_to(feedback) as block_feedback:
        code = writer.writeRaster(
            _pipe_of(layer), *size, layer.extent(), layer.crs(), transforms, block_feedback
        )
    if feedback.isCanceled():
        raise Cancelled("The run was cancelled.")
    if code != QgsRasterFileWriter.WriterError.NoError:
        errors = "; ".join(block_feedback.errors()) or f"code {int(code)}"
        raise ResourceError(
            f"A copy of the raster for the worker could not be written to {path.parent} "
            f"({errors}). Check the layer, and the space in the folder for temporary files."
        )
    _write_band_names(layer.dataProvider(), path)


def _pipe_of(layer: QgsRasterLayer) -> QgsRasterPipe:
    """The layer's pixels, with the user's own nodata values where the file has none."""
    provider = layer.dataProvider()
    pipe = QgsRasterPipe()
    if not pipe.set(provider.clone()):
        raise ResourceError(f"“{layer.name()}” cannot be read; load the layer again.")
    nuller = QgsRasterNuller()
    for band in range(1, layer.bandCount() + 1):
        ranges = provider.userNoDataValues(band)
        if ranges and not provider.sourceHasNoDataValue(band):
            nuller.setNoData(band, ranges)
            nuller.setOutputNoDataValue(band, ranges[0].min())
    pipe.insert(1, nuller)
    return pipe


def _write_band_names(provider: QgsRasterDataProvider, path: Path) -> None:
    root = Xml.Element("PAMDataset")
    for band in range(1, provider.bandCount() + 1):
        if name := provider.bandDescription(band):
            element = Xml.SubElement(root, "PAMRasterBand", band=str(band))
            Xml.SubElement(element, "Description").text = name
    companion = path.with_name(path.name + ".aux.xml")
    if len(root) and not companion.exists():
        companion.write_text(Xml.tostring(root, encoding="unicode"), encoding="utf-8")


@contextmanager
def _reporting_to(feedback: QgsProcessingFeedback) -> Iterator[QgsRasterBlockFeedback]:
    """A raster writer's feedback that is cancelled with `feedback` and moves its progress bar."""
    inner = QgsRasterBlockFeedback()
    # The user cancels from another thread, and this one runs no event loop: call directly.
    feedback.canceled.connect(inner.cancel, Qt.ConnectionType.DirectConnection)
    inner.progressChanged.connect(feedback.setProgress, Qt.ConnectionType.DirectConnection)
    try:
        yield inner
    finally:
        feedback.canceled.disconnect(inner.cancel)


class FeatureSnapshot:
    """The features of a source as they are now, to be read in any thread and at any time.

    QGIS's own source keeps a bare pointer to its layer, which the user may remove from the project
    while the run waits. Make it in the main thread.
    """

    def __init__(
        self, source: QgsProcessingFeatureSource, layer: QgsVectorLayer | None = None
    ) -> None:
        """`layer` is the one behind `source`; without one the source itself must live on."""
        self.name = source.sourceName()
        self.fields = QgsFields(source.fields())
        self.count = source.featureCount()
        self._source = source if layer is None else QgsVectorLayerFeatureSource(layer)
        some = layer is not None and self.count != layer.featureCount()
        # Only the selected ones, or those that fit an expression.
        self._chosen = list(source.allFeatureIds()) if some else None

    def features(self, request: QgsFeatureRequest) -> Iterator[QgsFeature]:
        """The features that `request` asks for."""
        if self._chosen is not None:
            request.setFilterFids(self._chosen)
        return iter(self._source.getFeatures(request))


def write_geojson(
    source: FeatureSnapshot,
    field: str,
    path: Path,
    feedback: QgsProcessingFeedback,
) -> int:
    """Write the features of `source` and return how many there are.

    Of the attributes only `field` and one that may name its values are kept. Coordinates stay in
    the source's own system. Features without geometry are written as such, so that the worker
    can say how many there are.

    Raises:
        Cancelled: the user asked for it.
        ResourceError: the file cannot be written.
    """
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            for line in _lines(source, field, feedback):
                file.write((",\n" if count else "\n") + line)
                count += 1
            file.write("\n]}\n")
    except OSError as error:
        raise ResourceError(
            f"A copy of “{source.name}” for the worker could not be written to "
            f"{path.parent}: {error.strerror}. Free some space there."
        ) from error
    return count


def _lines(source: FeatureSnapshot, field: str, feedback: QgsProcessingFeedback) -> Iterator[str]:
    names = _kept_fields(source.fields.names(), field)
    request = QgsFeatureRequest()
    request.setSubsetOfAttributes(names, source.fields)
    total = max(source.count, 1)
    for number, feature in enumerate(source.features(request)):
        if feedback.isCanceled():
            raise Cancelled("The run was cancelled.")
        if number % 100 == 0:
            feedback.setProgress(100.0 * number / total)
        yield _feature_text(feature, names)


def _kept_fields(names: list[str], field: str) -> list[str]:
    if not field:
        return []
    spoken = next((one for name in NAME_FIELDS for one in names if one.casefold() == name), field)
    return [field] if spoken == field else [field, spoken]


def _feature_text(feature: QgsFeature, names: list[str]) -> str:
    properties = {name: plain_value(feature.attribute(name)) for name in names}
    geometry = feature.geometry()
    shape = "null" if geometry.isNull() or geometry.isEmpty() else geometry.asJson(_DIGITS)
    return f'{{"type": "Feature", "properties": {json.dumps(properties)}, "geometry": {shape}}}'


def plain_value(value: object) -> str | int | float | bool | None:
    """An attribute as JSON can say it; QGIS's NULL becomes None.

    Raises:
        InputError: the value is no text, number or date.
    """
    if isinstance(value, QDate | QTime | QDateTime):
        return value.toString(Qt.DateFormat.ISODate)
    if isinstance(value, str | int | float):
        return value
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return None
    raise InputError(
        f"The class field holds {value!r}; choose a field with texts or numbers as classes."
    )
