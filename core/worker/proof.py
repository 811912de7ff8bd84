"""Proves that an environment can do the work: it imports, computes, reads and writes.

Each check stands for something users' installations fail at: a library of the system that is
missing, a second PROJ database in the way, a card whose driver is too old for this torch.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ResourceError
from ..job import Job
from ..progress import Progress

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "torch", "numpy", "rasterio", "affine", "safetensors", "shapely", "pyogrio", "numba",
    "jinja2", "markupsafe", "matplotlib",
)  # fmt: skip
# The shape of DAS²F's scans, which every backend claims to know.
_CHANNELS, _STATES = 64, 24


class ProofError(ResourceError):
    """The environment cannot do the work; the message says which check failed and how."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: whether it worked, what was found, and how long it took."""

    name: str
    passed: bool
    finding: str
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The check as part of a result event."""
        return {
            "name": self.name,
            "passed": self.passed,
            "finding": self.finding,
            "seconds": round(self.seconds, 3),
        }


def prove(job: Job, progress: Progress) -> dict[str, object]:
    """Run all checks; the job needs nothing, and returns `checks`.

    Raises:
        ProofError: a check that the work depends on failed.
    """
    checks = []
    for name, check in CHECKS.items():
        with progress.stage(f"Trying {name}", 1 / len(CHECKS)):
            checks.append(tried(name, check))
        progress.log(f"{name}: {checks[-1].finding}")
    failed = [check for check in checks if not check.passed]
    if failed:
        raise ProofError(
            " ".join(f"{check.name} does not work: {check.finding}" for check in failed)
        )
    return {"checks": [check.to_json() for check in checks]}


def tried(name: str, check: Callable[[], str]) -> Check:
    """Run one check; whatever it raises is its finding."""
    started = time.perf_counter()
    try:
        finding, passed = check(), True
    except Exception as error:  # noqa: BLE001 - the point is to learn what is broken
        finding, passed = f"{type(error).__name__}: {error}", False
    return Check(name, passed, finding, time.perf_counter() - started)


def _imports() -> str:
    for name in PACKAGES:
        import_module(name)
    return f"all {len(PACKAGES)} packages import."


def _learns() -> str:
    """A step of gradient descent on the device that `auto` takes, compared with the processor."""
    import torch

    from ..device import choose_device

    device = choose_device("auto")
    loss, gradient = _one_step(device.torch)
    plain_loss, plain_gradient = _one_step(torch.device("cpu"))
    if not torch.isfinite(gradient).all():
        raise ProofError("the gradient of a small network is not finite.")
    if not torch.allclose(loss, plain_loss, rtol=1e-2):
        raise ProofError(f"the device gives a loss of {loss:.4f}, the processor {plain_loss:.4f}.")
    if not torch.allclose(gradient, plain_gradient, rtol=5e-2, atol=1e-3):
        raise ProofError("the gradients of device and processor differ.")
    return device.reason


def _one_step(device: "torch.device") -> "tuple[torch.Tensor, torch.Tensor]":
    """Loss and gradient of a convolution, a selective scan and a linear layer, on the processor."""
    import torch

    from ..nn.backends import random_problem
    from ..nn.scan import selective_scan

    generator = torch.Generator().manual_seed(3)
    problem, target = random_problem(torch.device("cpu"), _CHANNELS, _STATES)
    kernel = (torch.randn(8, 3, 3, 3, generator=generator) / 5).to(device).requires_grad_()
    image = torch.randn(2, 3, 16, 16, generator=generator).to(device)
    u, p, a, d, bias, orders = (value.to(device) for value in problem)
    seen = torch.nn.functional.conv2d(image, kernel, padding=1).mean()
    answer = selective_scan(u * (1 + seen), p, a, d, bias, orders)
    loss = torch.nn.functional.mse_loss(answer, target.to(device))
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = kernel.grad
    if gradient is None:
        raise ProofError("a small network got no gradient.")
    return loss.detach().cpu(), gradient.cpu()


def _rasters() -> str:
    """A raster that is written is the one that is read, and PROJ finds its database."""
    import numpy as np
    import rasterio
    from rasterio.warp import transform

    pixels = np.arange(64 * 48, dtype=np.float32).reshape(1, 64, 48)
    # A degree east of the central meridian of zone 33, on the equator.
    [east], [north] = transform("EPSG:4326", "EPSG:32633", [16.0], [0.0])
    if abs(east - 611_282.0) > 1_000.0 or abs(north) > 1.0:
        raise ProofError(f"PROJ puts 16° E, 0° N at {east:.0f}, {north:.0f} in zone 33.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof.tif"
        profile = {
            "driver": "GTiff", "count": 1, "height": 64, "width": 48, "dtype": "float32",
            "crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, east, 0, -10, north),
            "compress": "deflate", "nodata": -1.0,
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as sink:
            sink.write(pixels)
        with rasterio.open(path) as source:
            same = np.array_equal(source.read(), pixels) and source.crs.to_epsg() == 32633
    if not same:
        raise ProofError("a raster comes back changed.")
    return f"written and read with GDAL {rasterio.__gdal_version__}."


def _features() -> str:
    """A vector file that is written is the one that is read."""
    import numpy as np
    import pyogrio
    import shapely

    square = shapely.box(0, 0, 10, 10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof.gpkg"
        pyogrio.raw.write(
            path, np.array([shapely.to_wkb(square)], object), [np.array([7])], ["class"],
            geometry_type="Polygon", crs="EPSG:32633", driver="GPKG",
        )  # fmt: skip
        _, _, geometries, columns = pyogrio.raw.read(path)
    if not shapely.from_wkb(geometries[0]).equals(square) or int(columns[0][0]) != 7:
        raise ProofError("a polygon comes back changed.")
    return f"written and read with pyogrio {pyogrio.__version__}."


def _scans() -> str:
    """Every scan backend with its self-check; that one is passed over is no failure."""
    found = scan_backends()
    told = "; ".join(f"{one['title']}: {one['finding']}" for one in found)
    if not any(one["works"] for one in found):
        raise ProofError(f"no scan backend passes its check: {told}.")
    return f"{told}."


CHECKS: Mapping[str, Callable[[], str]] = {
    "Packages": _imports,
    "Rasters": _rasters,
    "Features": _features,
    "Selective scan": _scans,
    "Learning": _learns,
}


def scan_backends() -> list[dict[str, object]]:
    """Every scan backend on this machine's device: whether it works, and why not or how well."""
    import torch

    from ..device import choose_device
    from ..errors import InputError
    from ..nn.backends import BACKENDS, choose, self_check

    device = choose_device("auto").torch
    found: list[dict[str, object]] = []
    for key, backend in BACKENDS.items():
        try:
            choice = choose(device, torch.float32, _CHANNELS, _STATES, key)
            difference = self_check(choice.kernel, device, _CHANNELS, _STATES)
            finding = f"agrees with plain torch in float64 to {difference:.1e}"
            found.append(
                {"key": key, "title": backend.title, "works": True, "finding": finding,
                 "difference": difference}
            )  # fmt: skip
        except InputError as error:
            found.append(
                {"key": key, "title": backend.title, "works": False, "finding": str(error)}
            )
    return found
