"""Scores the demo's map against the whole truth and draws both beside the images."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyogrio
import rasterio
from matplotlib.patches import Patch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.accuracy.confusion import confusion_matrix
from core.accuracy.scores import Scores
from core.card import read_card
from core.classes import MapClass

Image = NDArray[np.float64]


def main(folder: Path) -> None:
    """Print the scores and write `demo.png` into the folder of the demo."""
    classes = read_card(folder / "model.safetensors").classes
    truth, mapped = read_truth(folder, classes), read(folder / "classes.tif")[0]
    scores = Scores.from_matrix(confusion_matrix(truth, mapped, classes), classes)
    print("\nThe map against the truth of the whole scene (training saw a few labels only):")
    for title, score in (
        ("overall accuracy", scores.overall_accuracy),
        ("kappa", scores.kappa),
        ("macro F1", scores.macro_f1),
    ):
        print(f"  {title:<17}{'–' if score is None else f'{score:.3f}'}")
    draw(folder, classes, truth, mapped)


def read(path: Path) -> Image:
    """All bands of a raster, (band, row, column)."""
    with rasterio.open(path) as raster:
        return np.asarray(raster.read(), np.float64)


def read_truth(folder: Path, classes: tuple[MapClass, ...]) -> Image:
    """The truth in the class values of the model, which numbered the class names by itself."""
    truth = read(folder / "truth.tif")[0]
    _, _, _, (numbers, names) = pyogrio.raw.read(
        folder / "labels.gpkg", columns=["class_id", "class_name"], read_geometry=False
    )
    values = {one.name: one.value for one in classes}
    renumbered = np.zeros_like(truth)
    for number, name in set(zip(numbers, names, strict=True)):
        renumbered[truth == number] = values.get(name, 0)
    return renumbered


def draw(folder: Path, classes: tuple[MapClass, ...], truth: Image, mapped: Image) -> None:
    """Four panels and a legend: colour image, panchromatic image, map, truth."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = {
        "Multispectral": true_colour(folder / "ms.tif"),
        "Panchromatic": stretched(read(folder / "pan.tif")[0])[..., None].repeat(3, axis=2),
        "DAS²F map": painted(mapped, classes),
        "Truth": painted(truth, classes),
    }
    figure, axes = plt.subplots(2, 2, figsize=(10, 10.6), layout="constrained")
    for axis, (title, image) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(title)
        axis.set_axis_off()
    legend = [Patch(color=one.color, label=one.name) for one in classes]
    figure.legend(handles=legend, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(folder / "demo.png", dpi=120)


def true_colour(path: Path) -> Image:
    """Red, green and blue of a raster, found by band name; else its first three bands."""
    with rasterio.open(path) as raster:
        names = [str(name).lower() for name in raster.descriptions]
        found = [names.index(name) for name in ("red", "green", "blue") if name in names]
        bands = np.asarray(raster.read(), np.float64)
    chosen = found if len(found) == 3 else list(range(min(3, len(bands))))
    return np.dstack([stretched(bands[index]) for index in chosen])


def stretched(band: Image) -> Image:
    """A band between its 2nd and 98th percentile, as 0 to 1."""
    low, high = np.nanpercentile(band, (2, 98))
    return np.clip((band - low) / max(high - low, 1e-9), 0.0, 1.0)


def painted(values: Image, classes: tuple[MapClass, ...]) -> Image:
    """Class values in the colours of the classes, white where there is none."""
    image = np.ones((*values.shape, 3))
    for one in classes:
        image[values == one.value] = np.array(one.rgb) / 255
    return image


if __name__ == "__main__":
    main(Path(sys.argv[1]))
