"""Result rasters, written as the run goes on and complete in themselves."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterWindow

from ..classes import MapClass
from ..errors import InputError
from .aside import Together, check_space, explained, written_aside
from .grid import Grid, Window
from .legend import write_class_legend, write_value_legend
from .source import quiet_about, raster_environment

NO_CLASS = 0
NOT_SEEN = 255
"""Nodata of a class raster in which 0 says that nothing was found."""
BACKGROUND_TAG = "TERRAWEAVE_BACKGROUND"
"""In the metadata of such a raster: the value that says so."""
_TILE = 256
"""Edge of a tile, and what the smallest overview fits into."""
_ABOUT_WRITING = ("writ", "space left", "flush", "disk", "quota", "file too large")


class _AbandonedError(Exception):
    """Unwinds a sink whose run has failed."""


class RasterSink:
    """A GeoTIFF that grows window by window and takes its place when the `with` block ends.

    Tiled and compressed; overviews come at the end. When the block fails, nothing is left and an
    old file stays as it was.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        data_type: str,
        nodata: float,
        overview: Resampling,
        *,
        description: str,
        tags: Mapping[str, object] | None = None,
        together: Together | None = None,
    ) -> None:
        """Say what is to be written; the file is made on entering the `with` block.

        `tags` become the dataset's metadata (no paths, no names of people). With `together` the
        file takes its place at the end of that group.
        """
        self.path = Path(path)
        self.grid = grid
        self._type = np.dtype(data_type)
        self._nodata = nodata
        self._overview = overview
        self._description = description
        self._tags = {key: str(value) for key, value in (tags or {}).items()}
        self._together = together
        self._stack = ExitStack()
        self._aside = self.path
        self._data: Any = None

    def __enter__(self) -> Self:
        """The sink, its file made.

        Raises:
            InputError: the folder is missing or not writable.
            ResourceError: the disk is too full.
        """
        # Compressed results are smaller than this, but nobody can know by how much.
        check_space(self.path, self.grid.shape.pixels * self._type.itemsize // 4)
        with ExitStack() as stack:
            self._aside = stack.enter_context(written_aside(self.path, self._together))
            stack.enter_context(raster_environment())
            stack.enter_context(_errors_raised())
            stack.enter_context(quiet_about(NotGeoreferencedWarning))
            self._data = rasterio.open(self._aside, "w", **self._profile())
            stack.callback(self._abandon)
            self._begin()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or drop it when something went wrong."""
        if kind is not None:
            # The error is somebody else's; here it only means that nothing is to be kept.
            with contextlib.suppress(_AbandonedError):
                self._stack.__exit__(_AbandonedError, _AbandonedError(), None)
            return
        with self._stack:
            self._data.close()
            self._finish()

    @property
    def whereabouts(self) -> Path:
        """Where the file lies until it takes its place; to be read once the sink is closed."""
        return self._aside

    def describe(self, tags: Mapping[str, object]) -> None:
        """Add to the dataset's metadata what is known only now."""
        self._data.update_tags(**{key: str(value) for key, value in tags.items()})

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write `values` (row, column) to `window`, which lies within the grid.

        Raises:
            ResourceError: the disk is full.
        """
        if values.shape != (window.rows, window.columns) or not window.within(self.grid.shape):
            raise ValueError(f"{values.shape} does not fit {window} on {self.grid.shape}")
        place = RasterWindow(window.column, window.row, window.columns, window.rows)
        with explained(self.path):
            self._data.write(values.astype(self._type, copy=False), 1, window=place)

    def _profile(self) -> dict[str, object]:
        return {
            "driver": "GTiff",
            "width": self.grid.shape.columns,
            "height": self.grid.shape.rows,
            "count": 1,
            "dtype": self._type.name,
            "nodata": self._nodata,
            "crs": self.grid.projection,
            "transform": self.grid.transform,
            "tiled": True,
            "blockxsize": _TILE,
            "blockysize": _TILE,
            "compress": "deflate",
            "predictor": 3 if self._type.kind == "f" else 2,
            "BIGTIFF": "IF_SAFER",
            "NUM_THREADS": "ALL_CPUS",
        }

    def _begin(self) -> None:
        """Describe the file before the first pixel, so that nothing has to be moved later."""
        self._data.update_tags(**self._tags)
        self._data.set_band_description(1, self._description)

    def _finish(self) -> None:
        smaller = []
        factor = 2
        while max(self.grid.shape.rows, self.grid.shape.columns) > _TILE * factor // 2:
            smaller.append(factor)
            factor *= 2
        if smaller:
            with rasterio.open(self._aside, "r+") as data:
                data.build_overviews(smaller, self._overview)
        self._check_whole()

    def _check_whole(self) -> None:
        """Make sure that every tile lies in the file; GDAL reports some failures nowhere."""
        size = self._aside.stat().st_size
        with rasterio.open(self._aside) as data:
            for row, column in _tiles(self.grid):
                keys = (f"BLOCK_OFFSET_{column}_{row}", f"BLOCK_SIZE_{column}_{row}")
                place = [data.get_tag_item(key, "TIFF", bidx=1) for key in keys]
                # A tile without a place holds nothing but nodata.
                if None not in place and int(place[0]) + int(place[1]) > size:
                    raise OSError("the file is incomplete")

    def _abandon(self) -> None:
        self._data.close()


class ClassSink(RasterSink):
    """A class raster with colours and names in it: 0 is nodata, the rest are class values.

    With a background, 0 says that none of the classes was found, and `nodata` is another value.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        classes: Sequence[MapClass],
        *,
        background: bool = False,
        tags: Mapping[str, object] | None = None,
        together: Together | None = None,
    ) -> None:
        """`classes` are those that may occur; their values decide between 8 and 16 bits.

        With a `background`, values must be below 255.
        """
        if not classes:
            raise InputError("A class raster needs at least one class.")
        self.classes = tuple(classes)
        largest = max(one.value for one in classes)
        if background and largest >= NOT_SEEN:
            raise InputError(
                f"The class value {largest} has no room in a map with background, where 255 stands "
                "for missing data; use values up to 254."
            )
        self.nodata = NOT_SEEN if background else NO_CLASS
        super().__init__(
            path,
            grid,
            "uint16" if largest > 255 else "uint8",
            self.nodata,
            Resampling.mode,
            description="class",
            tags=tags,
            together=together,
        )
        if background:
            self._tags[BACKGROUND_TAG] = str(NO_CLASS)
        self._counts = np.zeros(65536, dtype=np.int64)

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write class values (row, column), `nodata` where there is none; each window once."""
        super().write(window, values)
        counted = np.bincount(values.ravel().astype(np.intp))
        self._counts[: len(counted)] += counted

    @property
    def counts(self) -> dict[int, int]:
        """How many pixels each class has got so far, by class value."""
        return {one.value: int(self._counts[one.value]) for one in self.classes}

    def _begin(self) -> None:
        super()._begin()
        if self._type.itemsize == 1:
            colors = {one.value: (*one.rgb, 255) for one in self.classes}
            if self.nodata != NO_CLASS:
                # TIFF keeps no transparency but that of nodata; white is the quietest instead.
                colors[NO_CLASS] = (255, 255, 255, 0)
            self._data.write_colormap(1, {self.nodata: (0, 0, 0, 0), **colors})

    def _finish(self) -> None:
        super()._finish()
        write_class_legend(
            self._aside,
            self.classes,
            list(self.counts.values()),
            background=self.nodata != NO_CLASS,
        )


class ValueSink(RasterSink):
    """A raster of numbers (float32), such as confidence from 0 to 1.

    Nodata is NaN: a number such as −1 would leak into the means of programs that overlook it.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        *,
        description: str = "confidence",
        low: float = 0.0,
        high: float = 1.0,
        see_through: bool = False,
        tags: Mapping[str, object] | None = None,
        together: Together | None = None,
    ) -> None:
        """`low` and `high` are the ends of the colour ramp in QGIS; see `write_value_legend`."""
        super().__init__(
            path,
            grid,
            "float32",
            float("nan"),
            Resampling.average,
            description=description,
            tags=tags,
            together=together,
        )
        self._ends = low, high
        self._see_through = see_through

    def _finish(self) -> None:
        super()._finish()
        write_value_legend(self._aside, *self._ends, see_through=self._see_through)


def _tiles(grid: Grid) -> Iterator[tuple[int, int]]:
    for row in range(-(-grid.shape.rows // _TILE)):
        for column in range(-(-grid.shape.columns // _TILE)):
            yield row, column


class _Listener(logging.Handler):
    """Keeps what GDAL complains about."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one complaint, if it is about writing; PROJ complains of other things here."""
        text = record.getMessage()
        if any(word in text.lower() for word in _ABOUT_WRITING):
            self.complaints.append(text)


def states_background(path: str | Path) -> bool:
    """Whether a class raster says where it found nothing, as a `ClassSink` with background does."""
    with raster_environment(), quiet_about(NotGeoreferencedWarning), rasterio.open(path) as data:
        return BACKGROUND_TAG in data.tags()


@contextlib.contextmanager
def _errors_raised() -> Iterator[None]:
    """Raise what GDAL reports only in the log, such as a full disk when a file is closed."""
    listener = _Listener()
    log = logging.getLogger("rasterio._env")
    log.addHandler(listener)
    try:
        yield
    finally:
        log.removeHandler(listener)
    if listener.complaints:
        raise OSError(listener.complaints[0])
