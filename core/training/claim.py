"""One training at a time writes to a model file: the second is refused before it begins.

The claim is a lock of the operating system on a small file beside the model, so it ends with the
process that holds it, however that ends; what a killed run leaves behind claims nothing.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ..errors import InputError
from ..scene.aside import check_writable

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows lets nobody read what is locked, so a byte far behind the text is.
_LOCKED_BYTE = 2**20
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_MOST_TRIES = 20
_LONGEST_NOTE = 1000


@contextmanager
def claimed(path: str | Path) -> Iterator[None]:
    """Let nobody else train into the model file `path` while the block runs.

    Where the disk knows no locks (some network drives), or the lock's file is somebody else's,
    nothing is claimed.

    Raises:
        InputError: another training writes to it, or the folder is not writable.
    """
    model = Path(path).absolute()
    check_writable(model)
    place = model.with_name(f"{model.stem}.training.lock")
    try:
        number = _locked(place)
    except _Held:
        raise InputError(
            f"Another training writes to {model.name} right now{_told(place)}. Wait until it has "
            "ended or cancel it, or name another file for MODEL."
        ) from None
    try:
        if number is not None:
            _note(number)
        yield
    finally:
        if number is not None:
            _release(place, number)


class _Held(Exception):
    """Somebody else has the lock."""


def _locked(place: Path) -> int | None:
    """The open file `place` with a lock on it, None where there can be none; raises `_Held`."""
    for _ in range(_MOST_TRIES):
        try:
            number = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return None
        try:
            _lock(number)
        except OSError as error:
            os.close(number)
            if error.errno in _HELD:
                raise _Held from error
            return None
        if _same(place, number):
            return number
        os.close(number)  # whoever held it has removed the file meanwhile
    return None


def _lock(number: int) -> None:
    if sys.platform == "win32":
        os.lseek(number, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        os.lseek(number, 0, os.SEEK_SET)
    else:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _same(place: Path, number: int) -> bool:
    try:
        return os.path.samestat(place.stat(), os.fstat(number))
    except OSError:
        return False


def _note(number: int) -> None:
    """Write who holds the lock, for the sentence that others get."""
    about = {"process": os.getpid(), "since": datetime.now().astimezone().isoformat("T", "minutes")}
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.write(number, json.dumps(about).encode())


def _told(place: Path) -> str:
    """Who holds the lock, as far as that is known."""
    try:
        with place.open("rb") as file:
            about = json.loads(file.read(_LONGEST_NOTE))
        since = datetime.fromisoformat(about["since"])
        return f" (process {int(about['process'])}, since {since:%d %B, %H:%M})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _release(place: Path, number: int) -> None:
    """Remove the file, and with it the lock."""
    if sys.platform == "win32":  # where an open file cannot be removed
        os.close(number)
        with contextlib.suppress(OSError):
            place.unlink()
        return
    # In this order nobody locks the file between, only to lose it.
    with contextlib.suppress(OSError):
        place.unlink()
    os.close(number)
