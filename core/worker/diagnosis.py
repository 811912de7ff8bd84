"""What the worker knows about itself: versions, devices, scan backends, timings."""

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING

from .. import __version__
from ..job import Job
from ..progress import Progress
from .proof import CHECKS, PACKAGES, scan_backends, tried

if TYPE_CHECKING:
    import torch

_OPTIONAL = ("mamba-ssm", "causal-conv1d", "triton")


def diagnose(job: Job, progress: Progress) -> dict[str, object]:
    """Facts about this worker; nothing in them names a user or a folder.

    The values: `versions`, `system`, `devices`, `checks` and `scans` as lists and tables, and
    `seconds` with the time of importing torch and of multiplying two matrices.
    """
    with progress.stage("Importing torch", 0.2, preparing=True):
        started = time.perf_counter()
        import torch

        seconds = {"import_torch": round(time.perf_counter() - started, 3)}
    with progress.stage("Looking at devices", 0.1):
        devices = _devices()
    checks = []
    for name, check in CHECKS.items():
        with progress.stage(f"Trying {name}", 0.1):
            checks.append(tried(name, check).to_json())
    with progress.stage("Trying the scan backends", 0.1):
        scans = scan_backends()
    with progress.stage("Timing", 1.0):
        seconds |= _timings(torch.device("cpu"), "processor")
        if torch.cuda.is_available():
            seconds |= _timings(torch.device("cuda"), "card")
    return {
        "terraweave": __version__,
        "versions": versions(),
        "system": _system(),
        "devices": devices,
        "checks": checks,
        "scans": scans,
        "seconds": seconds,
    }


def versions() -> dict[str, str]:
    """The versions of the packages that count; a dash where one is not installed."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *_OPTIONAL):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "–"
    return found


def _system() -> dict[str, object]:
    import torch

    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "raster_cache_megabytes": _raster_cache(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
    }


def _raster_cache() -> int:
    """How much memory GDAL may keep pixels in while a scene is open."""
    from rasterio.env import getenv

    from ..scene.source import raster_environment

    with raster_environment():
        return int(getenv()["GDAL_CACHEMAX"])


def _devices() -> dict[str, object]:
    import torch

    from ..device import choose_device

    cards = [
        {
            "name": torch.cuda.get_device_name(index),
            "memory_gib": round(torch.cuda.get_device_properties(index).total_memory / 2**30, 1),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(index))),
        }
        for index in range(torch.cuda.device_count())
    ]
    return {
        "built_for_cuda": torch.version.cuda or "",
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cards": cards,
        "choice": choose_device("auto").reason,
    }


def _timings(device: "torch.device", name: str) -> dict[str, float]:
    """Seconds of a product of two matrices and of one scan there and back, the second time."""
    import torch

    from ..nn.backends import random_problem
    from ..nn.scan import selective_scan

    left = torch.rand(768, 768).to(device)
    (u, p, a, d, bias, orders), _ = random_problem(device, 64, 24)

    def product() -> None:
        (left @ left).sum().item()

    def scan() -> None:
        leaf = u.clone().requires_grad_()
        loss = selective_scan(leaf, p, a, d, bias, orders).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        if leaf.grad is not None:
            leaf.grad.sum().item()

    return {f"{name}_product": _second_time(product), f"{name}_scan": _second_time(scan)}


def _second_time(work: Callable[[], None]) -> float:
    work()
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 5)
