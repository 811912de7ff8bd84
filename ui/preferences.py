"""What the user has set for all runs in QGIS's options, and under which keys it is kept."""

from qgis.core import QgsSettings

DEVICE_SETTING = "terraweave/device"
THREADS_SETTING = "terraweave/threads"
CACHE_SETTING = "terraweave/cache_megabytes"
# Megabytes; the worker's own choice where nothing is set.
USUAL_CACHE = 128
LEAST_CACHE, MOST_CACHE = 16, 65536


def threads() -> int:
    """How many cores of the processor a run may keep busy; 0 for all."""
    return max(0, _number(THREADS_SETTING, 0))


def cache_megabytes() -> int:
    """How much memory reading and writing rasters may take for itself."""
    return min(max(_number(CACHE_SETTING, USUAL_CACHE), LEAST_CACHE), MOST_CACHE)


def _number(key: str, otherwise: int) -> int:
    """A whole number; what somebody has written there by hand may be anything."""
    text = str(QgsSettings().value(key, "") or "").strip()
    return int(text) if text.isdecimal() else otherwise
