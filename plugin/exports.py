"""Writes layers to files that the worker can read: rasters as GeoTIFF, features as GeoJSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRasterFileWriter,
    QgsRasterPipe,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QTime

from ..core.errors import Cancelled, InputError, ResourceError

# Enough for a tenth of a millimetre in degrees.
_DIGITS = 12


def write_raster(
    provider: QgsRasterDataProvider,
    path: Path,
    crs: QgsCoordinateReferenceSystem,
    transforms: QgsCoordinateTransformContext,
    feedback: QgsProcessingFeedback,
) -> None:
    """Write all bands of `provider` as they are to the GeoTIFF `path`, in its own grid.

    Raises:
        Cancelled: the user asked for it.
        ResourceError: reading or writing failed.
    """
    pipe = QgsRasterPipe()
    if not pipe.set(provider.clone()):
        raise ResourceError(f"The raster for {path.name} cannot be read; load the layer again.")
    writer = QgsRasterFileWriter(str(path))
    writer.setOutputFormat("GTiff")
    writer.setCreateOptions(["TILED=YES", "COMPRESS=DEFLATE", "ZLEVEL=1", "BIGTIFF=IF_SAFER"])
    with _reporting_to(feedback) as block_feedback:
        code = writer.writeRaster(
            pipe,
            provider.xSize(),
            provider.ySize(),
            provider.extent(),
            crs,
            transforms,
            block_feedback,
        )
    if feedback.isCanceled():
        raise Cancelled("The run was cancelled.")
    if code != QgsRasterFileWriter.WriterError.NoError:
        errors = "; ".join(block_feedback.errors()) or f"code {int(code)}"
        raise ResourceError(
            f"A copy of the raster for the worker could not be written to {path.parent} "
            f"({errors}). Check the layer, and the space in the folder for temporary files."
        )


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


def write_geojson(
    source: QgsProcessingFeatureSource,
    field: str,
    path: Path,
    feedback: QgsProcessingFeedback,
    within: QgsRectangle | None = None,
) -> int:
    """Write the features of `source`, with `field` alone, and return how many there are.

    Coordinates stay in the source's own system. Features without geometry are written as such,
    so that the worker can say how many there are.

    Raises:
        Cancelled: the user asked for it.
        ResourceError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            count = 0
            for line in _lines(source, field, feedback, within):
                file.write((",\n" if count else "\n") + line)
                count += 1
            file.write("\n]}\n")
    except OSError as error:
        raise ResourceError(
            f"A copy of “{source.sourceName()}” for the worker could not be written to "
            f"{path.parent}: {error.strerror}. Free some space there."
        ) from error
    return count


def _lines(
    source: QgsProcessingFeatureSource,
    field: str,
    feedback: QgsProcessingFeedback,
    within: QgsRectangle | None,
) -> Iterator[str]:
    request = QgsFeatureRequest()
    if within is not None:
        request.setFilterRect(within)
    names = [field] if field else []
    request.setSubsetOfAttributes(names, source.fields())
    total = max(source.featureCount(), 1)
    for number, feature in enumerate(source.getFeatures(request)):
        if feedback.isCanceled():
            raise Cancelled("The run was cancelled.")
        if number % 100 == 0:
            feedback.setProgress(100.0 * number / total)
        yield _feature_text(feature, field)


def _feature_text(feature: QgsFeature, field: str) -> str:
    properties = {field: plain_value(feature.attribute(field))} if field else {}
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
