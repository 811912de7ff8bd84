"""One image as it lies on disk: what it is, and its pixels with the mask of what is missing."""

import contextlib
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterWindow

from ..capacity import cache_megabytes
from ..card import Band
from ..classes import MapClass
from ..errors import InputError, ResourceError
from ..job import Source
from .grid import Grid, Shape, Window

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_PLACEHOLDER = re.compile(r"(band|layer|channel)?[ _-]*\d+\Z", re.IGNORECASE)
# Two rows of 256-pixel tiles of a 20,000 pixel wide image need 20 MB; more only fills memory.
_CACHE_MEGABYTES = 128
_SAMPLE = 64
_MOST_BETWEEN = 0.05
_MICROMETRES = {"um": 1.0, "µm": 1.0, "micrometers": 1.0, "micrometres": 1.0, "micrometer": 1.0,
                "microns": 1.0, "nm": 1e-3, "nanometers": 1e-3, "nanometres": 1e-3,
                "nanometer": 1e-3}  # fmt: skip


def raster_environment() -> rasterio.Env:
    """GDAL with a bounded cache, and without anything a stranger's file could have executed."""
    return rasterio.Env(
        GDAL_CACHEMAX=cache_megabytes(_CACHE_MEGABYTES),
        GDAL_VRT_ENABLE_PYTHON="NO",
        GDAL_TIFF_INTERNAL_MASK="YES",
        GTIFF_IGNORE_READ_ERRORS="NO",
    )


@contextlib.contextmanager
def quiet_about(*kinds: type[Warning]) -> Iterator[None]:
    """Without warnings of these kinds; what they say is said in our own words."""
    with warnings.catch_warnings():
        for kind in kinds:
            warnings.simplefilter("ignore", kind)
        yield


@dataclass(frozen=True, slots=True)
class RasterFacts:
    """What is known about an image without reading its pixels.

    `bands` are the bands in use, in order, and `indexes` their numbers (1-based) in the file;
    `named` tells whether their names came with the file rather than being “band 1”, “band 2”;
    `picked`, whether the user chose them. `gsd` is in metres, `nodata` in the raster's numbers.
    """

    title: str
    bands: tuple[Band, ...]
    indexes: tuple[int, ...]
    named: bool
    picked: bool
    data_type: str
    nodata: float | None
    gsd: float
    grid: Grid


def placeholder(name: str) -> bool:
    """Whether a band's name says no more than its number."""
    return not name.strip() or bool(_PLACEHOLDER.match(name.strip()))


class Image:
    """An open raster file; closes with the `with` block.

    Pixels are missing where any band in use has the nodata value, is NaN or infinite, or where
    the file's mask or alpha band says so. An alpha band is a mask and never a band in use.
    """

    def __init__(self, source: Source, bands: tuple[int, ...] = ()) -> None:
        """Open the file of `source`; `bands` (1-based) goes before the source's own choice.

        Raises:
            InputError: the file is missing, no raster, cut off, or of a type that cannot be used.
        """
        self.title = source.title
        self._path = Path(source.path)
        self._data = _opened(source)
        try:
            self._alpha = _alpha_band(self._data)
            self.indexes = self._chosen(bands or source.bands)
            self._picked = bool(bands or source.bands)
            self._check_types()
        except InputError:
            self._data.close()
            raise
        self._nodata = [self._data.nodatavals[index - 1] for index in self.indexes]
        flags = self._data.mask_flag_enums[self.indexes[0] - 1]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self._stamp = self._size_and_time()
        self.grid = _grid(self._data, self.title)
        self.facts = self._facts()

    def __enter__(self) -> "Image":
        """The image itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def _chosen(self, bands: tuple[int, ...]) -> tuple[int, ...]:
        count = self._data.count
        if not bands:
            chosen = tuple(i for i in range(1, count + 1) if i != self._alpha)
            if not chosen:
                raise InputError(f"{self.title} has no band besides its alpha band.")
            return chosen
        for index in bands:
            if not 1 <= index <= count:
                raise InputError(
                    f"{self.title} has no band {index}; choose bands from 1 to {count}."
                )
        return bands

    def _check_types(self) -> None:
        for index in self.indexes:
            kind = self._data.dtypes[index - 1]
            if kind.startswith("complex"):
                raise InputError(
                    f"Band {index} of {self.title} holds complex numbers ({kind}); convert it to "
                    "amplitude or intensity first."
                )

    def _size_and_time(self) -> tuple[int, int] | None:
        """Size and time of change; None where the source is no plain file."""
        try:
            state = self._path.stat()
        except (OSError, ValueError):
            return None
        return state.st_size, state.st_mtime_ns

    def _facts(self) -> RasterFacts:
        data = self._data
        texts = [(data.descriptions[index - 1] or "").strip() for index in self.indexes]
        named = not any(placeholder(text) for text in texts)
        # Two bands of one name cannot be told apart by it.
        named = named and len({text.casefold() for text in texts}) == len(texts)
        bands = tuple(
            Band(text or f"band {index}", _wavelength(data, index))
            for text, index in zip(texts, self.indexes, strict=True)
        )
        nodata = self._nodata[0]
        return RasterFacts(
            title=self.title,
            bands=bands,
            indexes=self.indexes,
            named=named,
            picked=self._picked,
            data_type=data.dtypes[self.indexes[0] - 1],
            nodata=nodata if nodata is not None and math.isfinite(nodata) else None,
            gsd=self.grid.gsd,
            grid=self.grid,
        )

    @property
    def unit(self) -> str:
        """What the file calls the unit of the first band's values; empty where it says nothing."""
        return self._data.units[self.indexes[0] - 1] or ""

    def palette(self, values: Sequence[int]) -> tuple[MapClass, ...]:
        """Classes with the colours that the file's colour table has for `values`, if it has one."""
        try:
            table = self._data.colormap(self.indexes[0])
        except ValueError:
            return ()
        colors = {value: table.get(value, (0, 0, 0))[:3] for value in values}
        if len(set(colors.values())) < len(values):
            return ()  # a table that does not tell the classes apart is of no help
        return tuple(
            MapClass(value, f"class {value}", "#{:02x}{:02x}{:02x}".format(*color))
            for value, color in colors.items()
        )

    def read(self, window: Window) -> tuple[Floats, Mask]:
        """Values (band, row, column) and what is valid of them (row, column).

        `window` lies within the image. Invalid pixels are 0 in every band.

        Raises:
            ResourceError: the file was removed, cut off or changed since it was opened.
        """
        place = RasterWindow(window.column, window.row, window.columns, window.rows)
        with self._watched(window):
            raw = self._data.read(list(self.indexes), window=place)
            valid = self._file_mask(place, window.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            values = raw.astype(np.float32, copy=False)
        for band, nodata in enumerate(self._nodata):
            valid &= _present(raw[band], values[band], nodata)
        if not valid.all():
            values[:, ~valid] = 0
        return values, valid

    def _file_mask(self, place: RasterWindow, shape: Shape) -> Mask:
        if self._alpha:
            return np.asarray(self._data.read(self._alpha, window=place) > 0)
        if self._masked:
            return np.asarray(self._data.read_masks(self.indexes[0], window=place) > 0)
        return np.ones((shape.rows, shape.columns), dtype=bool)

    @contextlib.contextmanager
    def _watched(self, window: Window) -> Iterator[None]:
        """Turn trouble with the file during a run into a sentence.

        GDAL fills what it cannot read with zeros in some formats and says nothing, so the file's
        size and time are compared as well.
        """
        try:
            yield
        except (RasterioIOError, CPLE_BaseError, OSError) as error:
            raise ResourceError(
                f"{self.title} cannot be read at rows {window.row} to {window.end_row - 1}: the "
                "file is damaged, cut off, or was changed during the run. Copy it again from "
                "where it came, and start anew."
            ) from error
        if self._stamp is not None and self._size_and_time() != self._stamp:
            raise ResourceError(
                f"{self.title} was removed or changed while it was being read; nothing was "
                "written. Start anew when the file is complete."
            )


def _opened(source: Source) -> DatasetReader:
    try:
        with quiet_about(NotGeoreferencedWarning):
            data = rasterio.open(source.path)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        with contextlib.suppress(OSError, ValueError):
            if not source.path.startswith("/vsi") and not Path(source.path).exists():
                raise InputError(
                    f"{source.title} does not exist; it may have been moved or renamed."
                ) from error
        raise InputError(
            f"{source.title} cannot be opened as a raster; it may be damaged or of an unknown "
            "format. Open it in QGIS, or save it as GeoTIFF."
        ) from error
    if data.count == 0:
        data.close()
        raise InputError(
            f"{source.title} holds several rasters and none of its own; choose one of its "
            "subdatasets."
        )
    return data


def _alpha_band(data: DatasetReader) -> int:
    """The 1-based index of the alpha band, or 0.

    GDAL calls the fourth of four 8-bit bands alpha unless told otherwise, so the near infrared of
    many aerial images bears that name. A band with a name of its own, or with more than a few
    values between nothing and all, is data.
    """
    kinds = list(data.colorinterp)
    if ColorInterp.alpha not in kinds:
        return 0
    index = kinds.index(ColorInterp.alpha) + 1
    name = (data.descriptions[index - 1] or "").strip().casefold()
    if name and not placeholder(name) and "alpha" not in name and "mask" not in name:
        return 0
    sample = _sample(data, index)
    between = (sample > 0) & (sample < sample.max(initial=0))
    return 0 if between.mean() > _MOST_BETWEEN else index


def _sample(data: DatasetReader, index: int) -> NDArray[Any]:
    """Pixels of nine small windows spread over a band; unreadable ones are left for later."""
    rows, columns = min(_SAMPLE, data.height), min(_SAMPLE, data.width)
    found = [np.zeros(1, dtype=np.float64)]
    for down in (0.0, 0.5, 1.0):
        for right in (0.0, 0.5, 1.0):
            row, column = int((data.height - rows) * down), int((data.width - columns) * right)
            with contextlib.suppress(RasterioError, CPLE_BaseError):
                window = RasterWindow(column, row, columns, rows)
                found.append(data.read(index, window=window).ravel().astype(np.float64))
    return np.concatenate(found)


def _grid(data: DatasetReader, title: str) -> Grid:
    crs = data.crs.to_wkt() if data.crs else ""
    transform = Affine(*tuple(data.transform)[:6])
    if transform.determinant == 0 or not all(math.isfinite(one) for one in transform):
        raise InputError(f"{title} has pixels without an area; its georeference is damaged.")
    return Grid(crs, transform, Shape(data.height, data.width))


def _present(raw: NDArray[Any], values: Floats, nodata: float | None) -> Mask:
    present: Mask = np.isfinite(values)
    if nodata is not None and math.isfinite(nodata):
        # A float raster holds its nodata value as rounded to its own type.
        present &= raw != (raw.dtype.type(nodata) if raw.dtype.kind == "f" else nodata)
    return present


def _wavelength(data: DatasetReader, index: int) -> float | None:
    """The centre wavelength in micrometres, as GDAL (IMAGERY) and ENVI write it."""
    imagery = {key.upper(): text for key, text in data.tags(index, ns="IMAGERY").items()}
    tags = {key.lower(): text for key, text in data.tags(index).items()}
    with contextlib.suppress(KeyError, ValueError):
        return _positive(float(imagery["CENTRAL_WAVELENGTH_UM"]))
    with contextlib.suppress(KeyError, ValueError):
        number = float(tags["wavelength"])
        unit = tags.get("wavelength_units", "").strip().lower()
        # Without a unit: nobody observes the Earth at 100 micrometres, or at less than 100 nm.
        return _positive(number * _MICROMETRES.get(unit, 1e-3 if number > 100 else 1.0))
    return None


def _positive(number: float) -> float | None:
    return number if math.isfinite(number) and number > 0 else None
