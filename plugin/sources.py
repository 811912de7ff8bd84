"""Layers as the worker can read them: a file's own path, or a file that the host writes.

Everything that touches a layer happens in `PreparedRaster.of` and `PreparedFeatures.of`, in the
main thread; what they return can be written from Processing's thread.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ..core.errors import InputError
from ..core.job import Features, Source
from ..core.words import counted
from .exports import FeatureSnapshot, write_geojson, write_raster
from .legends import classes_of

# Formats that QGIS may read with drivers which the worker's GDAL does not have.
_HOST_ONLY = {".ecw", ".sid", ".hdf", ".h5", ".kea", ".bag", ".he5", ".pdf"}


def wkt(crs: QgsCoordinateReferenceSystem) -> str:
    """The coordinate system in the words that GDAL understands best."""
    return crs.toWkt(Qgis.CrsWktVariant.PreferredGdal)


def image_bands(layer: QgsRasterLayer) -> int:
    """The number of bands of `layer` that hold measurements, masks and alpha left out."""
    provider = layer.dataProvider()
    alpha = Qgis.RasterColorInterpretation.AlphaBand
    return sum(
        provider.colorInterpretation(band) != alpha for band in range(1, layer.bandCount() + 1)
    )


def local_path(layer: QgsMapLayer) -> str:
    """The local file that is the whole of `layer`, or an empty string.

    A file inside an archive, a table of a GeoPackage, a subdataset, a remote file and a file in
    memory are no such file.
    """
    parts = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
    path = str(parts.get("path") or "")
    whole = not any(parts.get(key) for key in ("vsiPrefix", "layerName", "openOptions"))
    return path if whole and path and Path(path).is_file() else ""


def taken_layer(layer: QgsMapLayer) -> tuple[str, ...]:
    """The sentence about a file of several layers of which none was named, so QGIS took the first.

    That is how a path without “|layername=…” reaches a tool; QGIS's own windows always ask.
    """
    registry = QgsProviderRegistry.instance()
    parts = registry.decodeUri(layer.providerType(), layer.source())
    path = str(parts.get("path") or "")
    named = parts.get("layerName") or parts.get("layerId") is not None
    if layer.providerType() != "ogr" or named or not Path(path).is_file():
        return ()
    vectors = [
        one.name() for one in registry.querySublayers(path) if one.type() == Qgis.LayerType.Vector
    ]
    first, *others = vectors or [""]
    if not others:
        return ()
    names, file = ", ".join(f"“{one}”" for one in others), Path(path).name
    return (
        f"{file} holds several layers; “{first}” was taken, and not {names}. For another one add "
        f"its name to the path: {file}|layername={others[0]}",
    )


def _readable_path(layer: QgsRasterLayer) -> str:
    """The path that the worker can read in place of `layer`, or an empty string."""
    provider = layer.dataProvider()
    if layer.providerType() != "gdal" or layer.crs() != provider.crs():
        return ""
    if any(provider.userNoDataValues(band) for band in range(1, layer.bandCount() + 1)):
        return ""
    path = local_path(layer)
    return "" if Path(path).suffix.lower() in _HOST_ONLY else path


def _own_copy(layer: QgsRasterLayer) -> QgsRasterLayer:
    """A clone of the run's own, since the user may remove the layer while the run goes on."""
    copy = layer.clone()
    for band in range(1, layer.bandCount() + 1):
        # QGIS's clone forgets these.
        copy.dataProvider().setUserNoDataValue(band, layer.dataProvider().userNoDataValues(band))
    return copy


@dataclass(frozen=True, slots=True)
class PreparedRaster:
    """A raster layer, ready to be handed to the worker from another thread."""

    name: str
    path: str
    copy: QgsRasterLayer | None
    transforms: QgsCoordinateTransformContext

    @classmethod
    def of(cls, layer: QgsRasterLayer, context: QgsProcessingContext) -> "PreparedRaster":
        """What is needed of `layer`; call it in the main thread.

        Raises:
            InputError: the layer has no pixels of its own.
        """
        path = _readable_path(layer)
        provider = layer.dataProvider()
        if not path and not provider.capabilities() & Qgis.RasterInterfaceCapability.Size:
            raise InputError(
                f"“{layer.name()}” is a picture from a server, without pixels of its own; save "
                "it as a GeoTIFF first (Export, Save As…) and choose the resolution there."
            )
        copy = None if path else _own_copy(layer)
        return cls(layer.name(), path, copy, context.transformContext())

    def written(self, folder: Path, stem: str, feedback: QgsProcessingFeedback) -> Source:
        """The raster as the worker reads it; copied to `folder` where that is necessary."""
        if self.copy is None:
            return Source(self.path, self.name)
        path = folder / f"{stem}.tif"
        feedback.pushInfo(f"Copying “{self.name}” to a file for the worker.")
        write_raster(self.copy, path, self.transforms, feedback)
        return Source(str(path), self.name)


@dataclass(frozen=True, slots=True)
class PreparedFeatures:
    """Labels or an area, ready to be handed to the worker from another thread."""

    features: Features
    source: FeatureSnapshot | None = None
    raster: PreparedRaster | None = None
    unsaved: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of_vector(
        cls, source: QgsProcessingFeatureSource, field: str = "", layer: QgsMapLayer | None = None
    ) -> "PreparedFeatures":
        """Features of any provider; `layer` lends names and colours from its style.

        What may not be as the user thinks, such as which layer of a file was taken, is said as
        the features are written.
        """
        classes = classes_of(layer, field) if isinstance(layer, QgsVectorLayer) and field else ()
        name = layer.name() if layer is not None else source.sourceName()
        crs = wkt(source.sourceCrs())
        unsaved = isinstance(layer, QgsVectorLayer) and layer.isModified()
        features = Features("", name, field=field, crs=crs, classes=classes)
        notes = taken_layer(layer) if layer is not None else ()
        behind = layer if isinstance(layer, QgsVectorLayer) else None
        snapshot = FeatureSnapshot(source, behind)
        return cls(features, source=snapshot, unsaved=unsaved, notes=notes)

    def with_notes(self, *notes: str) -> "PreparedFeatures":
        """The same, with more to say."""
        return replace(self, notes=(*self.notes, *(one for one in notes if one)))

    @classmethod
    def of_raster(cls, layer: QgsRasterLayer, context: QgsProcessingContext) -> "PreparedFeatures":
        """A raster of class numbers."""
        features = Features("", layer.name(), classes=classes_of(layer, ""))
        return cls(features, raster=PreparedRaster.of(layer, context))

    def written(self, folder: Path, stem: str, feedback: QgsProcessingFeedback) -> Features:
        """The features as the worker reads them."""
        for note in self.notes:
            feedback.pushWarning(note)
        if self.raster is not None:
            path = self.raster.written(folder, stem, feedback).path
        elif self.source is not None:
            path = str(folder / f"{stem}.geojson")
            count = write_geojson(self.source, self.features.field, Path(path), feedback)
            also = ", those not saved yet among them" if self.unsaved else ""
            feedback.pushInfo(f"“{self.features.title}”: {counted(count, 'feature')}{also}.")
        known = self.features
        return Features(path, known.name, known.layer, known.field, known.crs, known.classes)
