"""Outputs are written beside their target and renamed when whole.

A crash, a cancelled run or a power cut leaves the old file or the new one, never half of one.
"""

import contextlib
import errno
import glob
import hashlib
import os
import platform
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from ..errors import InputError, ResourceError, TerraweaveError

_MARK = "~terraweave-"
_SPARE_BYTES = 4 * 2**20
# What programs lay beside a file, and what would describe the old one after a new one took over.
_STALE = (".aux.xml", ".ovr", ".msk", "-wal", "-shm", "-journal")


class Together:
    """Outputs of one run that take their places together, at the end of the `with` block.

    When anything fails before, none of the old files has been touched.
    """

    def __init__(self) -> None:
        """No outputs yet; `written_aside` adds them."""
        self._finished: list[tuple[Path, Path]] = []

    def __enter__(self) -> "Together":
        """The group itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Rename all outputs, or remove what was written when something went wrong."""
        try:
            if kind is None:
                for aside, target in self._finished:
                    _take_place(aside, target)
        finally:
            for aside, _ in self._finished:
                _remove(aside)

    def add(self, aside: Path, target: Path) -> None:
        """Let the whole file `aside` become `target` at the end."""
        self._finished.append((aside, target))


@contextmanager
def written_aside(path: str | Path, together: Together | None = None) -> Iterator[Path]:
    """A path beside `path` to write to; it becomes `path` when the block ends well.

    What lies beside it under the same stem (sidecars, the parts of a shapefile) goes with it. With
    `together` the renaming waits for the end of that group. What a killed run left behind for the
    same target is removed first.

    Raises:
        InputError: the folder is missing or not writable.
        ResourceError: the disk is full, or the file cannot be written.
    """
    target = Path(path).absolute()
    check_writable(target)
    remove_leftovers(target)
    aside = target.with_name(f".{target.stem}{_MARK}{_token()}{target.suffix}")
    kept = False
    try:
        with explained(target):
            yield aside
            _flush(aside)
            if together is None:
                _take_place(aside, target)
            else:
                together.add(aside, target)
                kept = True
    finally:
        if not kept:
            _remove(aside)


@contextmanager
def scratch_beside(path: str | Path) -> Iterator[Path]:
    """A path beside the output `path` for what is needed on the way; gone when the block ends.

    Raises:
        InputError: the folder is missing or not writable.
    """
    target = Path(path).absolute()
    check_writable(target)
    remove_leftovers(target)
    scratch = target.with_name(f".{target.stem}{_MARK}{_token()}.scratch")
    try:
        yield scratch
    finally:
        _remove(scratch)


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """Where errors of the disk or of GDAL while writing `path` become sentences."""
    try:
        yield
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise _explained(error, Path(path).absolute()) from error


def check_writable(path: str | Path) -> None:
    """Make sure that a file can be written to the folder of `path`, by trying.

    Raises:
        InputError: the folder is missing or not writable, or `path` is a folder.
        ResourceError: the disk is full.
    """
    target = Path(path).absolute()
    if target.is_dir():
        raise InputError(f"{target} is a folder; give the name of a file in it.")
    probe = target.with_name(f".{target.stem}{_MARK}{_token()}.probe")
    try:
        with probe.open("wb") as file:
            file.write(b"\0")
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
        raise _explained(error, target) from error
    if target.exists() and not os.access(target, os.W_OK):
        raise InputError(
            f"{target} is write-protected; choose another name, or remove the protection."
        )


def check_space(path: str | Path, needed: int) -> None:
    """Make sure that `needed` bytes fit beside `path`.

    Raises:
        ResourceError: the disk has less room than that.
    """
    folder = Path(path).absolute().parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # some network drives do not say
    if free < needed + _SPARE_BYTES:
        raise ResourceError(
            f"The disk of {folder} has {_size(free)} free; about {_size(needed)} are needed. "
            "Free some space, or choose a folder on another disk."
        )


def remove_leftovers(path: str | Path) -> None:
    """Remove what runs that were killed have left beside `path`; runs under way keep theirs."""
    target = Path(path).absolute()
    pattern = f".{glob.escape(target.stem)}{_MARK}*"
    for leftover in target.parent.glob(pattern):
        machine, _, rest = leftover.name.partition(_MARK)[2].partition("-")
        number = rest.partition("-")[0]
        if machine == _machine() and number.isdigit() and not _alive(int(number)):
            with contextlib.suppress(OSError):
                leftover.unlink()


def _token() -> str:
    return f"{_machine()}-{os.getpid()}-{secrets.token_hex(3)}"


def _machine() -> str:
    """Four characters that tell machines apart, because process numbers only count on one."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:4]


def _alive(number: int) -> bool:
    if number == os.getpid():
        return True
    if sys.platform == "win32":
        return False  # files in use cannot be removed there anyway
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _parts(aside: Path) -> list[Path]:
    """The file and what lies beside it under its stem; the file itself comes last."""
    found = set(aside.parent.glob(f"{glob.escape(aside.stem)}*"))
    return [*sorted(found - {aside}), *([aside] if aside in found else [])]


def _flush(aside: Path) -> None:
    """Have everything on the disk before it gets its final name."""
    for part in _parts(aside):
        with part.open("rb+") as file:
            os.fsync(file.fileno())


def _take_place(aside: Path, target: Path) -> None:
    parts = _parts(aside)
    names = {part: target.with_name(target.stem + part.name[len(aside.stem) :]) for part in parts}
    stale = {target.with_name(target.name + ending) for ending in _STALE} - set(names.values())
    for path in stale:
        path.unlink(missing_ok=True)
    for part, final in names.items():
        try:
            part.replace(final)
        except OSError as error:
            raise ResourceError(
                f"{final} could not be replaced ({error.strerror}); close the programs that use "
                "it and run again."
            ) from error
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove(aside: Path) -> None:
    for part in _parts(aside):
        with contextlib.suppress(OSError):
            part.unlink()


def _explained(error: BaseException, target: Path) -> TerraweaveError:
    """What went wrong with writing `target`, as a sentence."""
    folder = target.parent
    number = error.errno if isinstance(error, OSError) else None
    kept = " The old file was left as it is." if target.exists() else ""
    if not folder.is_dir():
        return InputError(f"The folder {folder} does not exist; create it, or choose another.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(
            f"The folder {folder} is not writable; choose another folder, or ask for the right "
            "to write there."
        )
    if number in (errno.ENOSPC, errno.EDQUOT) or _disk_full(error, folder):
        free = shutil.disk_usage(folder).free
        return ResourceError(
            f"The disk of {folder} is full ({_size(free)} free) while writing {target.name}; "
            f"free some space, or choose a folder on another disk.{kept}"
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else _texts(error)[-1]
    reason = reason.rstrip(".")
    return ResourceError(
        f"{target.name} could not be written to {folder}: {reason}. Check the disk, or choose "
        f"another folder.{kept}"
    )


def _texts(error: BaseException) -> list[str]:
    """What an error says, and what those behind it say; the first cause comes last."""
    texts = []
    one: BaseException | None = error
    while one is not None:
        texts.append(str(one))
        one = one.__cause__ or one.__context__
    return texts


def _disk_full(error: BaseException, folder: Path) -> bool:
    """Whether GDAL, which speaks in texts, ran out of space."""
    if any(
        word in text.lower()
        for text in _texts(error)
        for word in ("no space left", "disk full", "disk is full")
    ):
        return True
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < 2**20
    return False


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
