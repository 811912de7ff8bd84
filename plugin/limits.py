"""The limits in QGIS's options as environment variables of the worker."""

from ..ui.preferences import USUAL_CACHE, cache_megabytes, threads

# What torch, its libraries, numba and GDAL each ask.
_THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
    "GDAL_NUM_THREADS", "TERRAWEAVE_THREADS",
)  # fmt: skip
_CACHE = "TERRAWEAVE_CACHE_MEGABYTES"


def limit_variables() -> dict[str, str]:
    """The variables for what is set; what is not set stays as the worker finds it."""
    cores, cache = threads(), cache_megabytes()
    variables = dict.fromkeys(_THREADS, str(cores)) if cores else {}
    return variables if cache == USUAL_CACHE else {**variables, _CACHE: str(cache)}
