"""Keeps freed memory for the next batch instead of handing it back to the system."""

import ctypes
import logging
import platform
from functools import cache

logger = logging.getLogger(__name__)

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 32 * 2**20
_MOST_KEPT = 512 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep blocks of up to 32 MB when they are freed; whether it does.

    Batch after batch needs the same few megabytes. Threads that get them fresh from the system
    spend a third of their time on page faults. Only glibc can be asked; elsewhere nothing changes.
    It concerns the whole process, and is harmless: peak memory stays what it was.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError) as error:
        logger.info("The C library cannot be asked to keep memory: %s", error)
        return False
    done = (mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK), mallopt(_TRIM_THRESHOLD, _MOST_KEPT))
    return all(done)
