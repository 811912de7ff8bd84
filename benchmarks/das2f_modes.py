"""DAS²F: how far the quick modes agree with `exact`, and what they cost.

    python -m benchmarks.das2f_modes FOLDER [FOLDER …] [--epochs 12] [--seeds 0,1]

A folder holds pairs ms*.tif and pan*.tif. With labels_train.tif beside them a model is trained
the way the tool does it. Without labels, six classes are made by k-means of local means of the
MS bands and of PAN's local deviation, and the inner pixels of their areas are the labels: such
classes mean nothing, but the maps have objects of the scene's own sizes. Every pair is then
mapped in every mode by the tool's own prediction. Shares of windows and processor seconds
include the sample that each quick mode compares with `exact`; agreement is that of whole maps.
The constants of `adaptive` were chosen on models of seed 0; other seeds are other models.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter
from sklearn.cluster import KMeans

from benchmarks.measure import RESULTS, machine, table, write
from core.families.das2f.apply import predict
from core.families.das2f.learn import learn
from core.job import Features, Job, Source
from core.progress import Progress

CLASSES, AROUND = 6, 5
MODES: dict[str, dict[str, object]] = {
    "exact": {"mode": "exact"},
    "adaptive": {"mode": "adaptive"},
    "stride 2": {"mode": "stride", "stride": 2},
    "stride 4": {"mode": "stride", "stride": 4},
    "preview": {"mode": "preview"},
}
Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Mapped:
    """A map, how many windows it took, and processor seconds."""

    classes: NDArray[np.uint8]
    windows: int
    seconds: float


def pairs_of(folder: Path) -> list[tuple[Path, Path]]:
    """MS and PAN of every scene in the folder."""
    return [(ms, ms.with_name(ms.name.replace("ms", "pan", 1))) for ms in folder.glob("ms*.tif")]


def pseudo_labels(pairs: list[tuple[Path, Path]], folder: Path) -> Path:
    """A class raster of the first pair: the inner pixels of what k-means makes of it."""
    ms_path, pan_path = pairs[0]
    with rasterio.open(ms_path) as file:
        ms, profile = file.read().astype(np.float64), file.profile
    with rasterio.open(pan_path) as file:
        pan = file.read(1).astype(np.float64)
    rows, columns = ms.shape[1:]
    ratio = pan.shape[0] // rows
    cells = pan[: rows * ratio, : columns * ratio].reshape(rows, ratio, columns, ratio)
    texture = np.log1p(uniform_filter(cells.std(axis=(1, 3)), 3))
    features = np.stack([*(uniform_filter(band, 3) for band in ms), texture], axis=-1)
    features = features.reshape(-1, features.shape[-1])
    features = (features - features.mean(0)) / features.std(0)
    found = KMeans(CLASSES, n_init=4, random_state=0).fit_predict(features) + 1
    found = found.reshape(rows, columns).astype(np.uint8)
    inner = maximum_filter(found, 3) == minimum_filter(found, 3)
    path = folder / "labels.tif"
    profile = {**profile, "count": 1, "dtype": "uint8", "nodata": 0}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.where(inner, found, 0).astype(np.uint8), 1)
    return path


def trained(pairs: list[tuple[Path, Path]], epochs: int, seed: int, model: Path) -> str:
    """Train by the tool on the first pair, and say on what."""
    labels = pairs[0][0].with_name("labels_train.tif")
    words = f"its training labels, {epochs} epochs"
    if not labels.exists():
        labels = pseudo_labels(pairs, model.parent)
        words = f"inner pixels of {CLASSES} classes by k-means (no labels exist), {epochs} epochs"
    ms, pan = pairs[0]
    job = Job(
        task="train",
        family="das2f",
        inputs={"MS": (Source(str(ms)),), "PAN": (Source(str(pan)),)},
        labels=Features(str(labels)),
        settings={"epochs": epochs, "seed": seed, "device": "cpu", "refit": False},
        outputs={"MODEL": str(model)},
    )
    learn(job, Progress())
    return words


def mapped(ms: Path, pan: Path, model: Path, settings: dict[str, object]) -> Mapped:
    """One map by the tool."""
    target = model.with_name("classes.tif")
    job = Job(
        task="predict",
        family="das2f",
        inputs={"MS": (Source(str(ms)),), "PAN": (Source(str(pan)),)},
        model=str(model),
        settings={**settings, "device": "cpu"},
        outputs={"CLASSES": str(target)},
    )
    began = time.process_time()
    values = predict(job, Progress())
    seconds = time.process_time() - began
    with rasterio.open(target) as file:
        return Mapped(file.read(1), int(str(values["WINDOWS"])), seconds)


def compared(folder: Path, epochs: int, seed: int) -> Rows:
    """Every mode on every pair of a folder."""
    pairs = sorted(pairs_of(folder))
    if not pairs:
        raise SystemExit(f"{folder.name} has no ms*.tif; name a folder with pairs of images.")
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model.safetensors"
        words = trained(pairs, epochs, seed, model)
        mapped(*pairs[0], model, MODES["preview"])  # compiles what is to be compiled
        for ms, pan in pairs:
            exact = mapped(ms, pan, model, MODES["exact"])
            for mode, settings in MODES.items():
                one = exact if mode == "exact" else mapped(ms, pan, model, settings)
                known = exact.classes > 0
                rows.append(
                    {
                        "scene": f"{folder.name}, {ms.stem}",
                        "seed": seed,
                        "mode": mode,
                        "agreement": float((one.classes == exact.classes)[known].mean()),
                        "share of windows": one.windows / exact.windows,
                        "core-seconds": one.seconds,
                        "trained on": words,
                    }
                )
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", default="0,1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row
        for seed in map(int, options.seeds.split(","))
        for folder in options.folders
        for row in compared(folder, options.epochs, seed)
    ]
    write("das2f_modes", {"modes": rows})
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    page = f"# Modes of DAS²F\n\n{table(rows)}\n\n{about}.\n"
    (RESULTS / "das2f_modes.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
