"""What each part of HPCL-Net is worth: inputs, fusion, contrastive learning, queues, momentum.

    python benchmarks/hpclnet_ablation.py SCENE_FOLDER [--epochs 8] [--seeds 0,1,2] [--only WORD]

SCENE_FOLDER holds either train_image.tif, train_dem.tif and train_labels.tif, or areaA_rgb.tif,
areaA_dsm.tif and areaA_mask.tif; it is not part of the repository. All methods of a seed see the
same blocks of held-out ground and train for the same number of steps.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation import Notebook, forest, measure, paired, sites_of, wanted
from terraweave.core.families.hpclnet import HPCLNET
from terraweave.core.families.hpclnet.design import HpclDesign
from terraweave.core.families.hpclnet.view import RELATIVE, SLOPE, TERRAIN
from terraweave.core.job import Features, Job, Source
from terraweave.core.segmentation.division import Division
from terraweave.core.segmentation.sites import Sites
from terraweave.core.settings import Value, resolve

METHODS: dict[str, dict[str, Value]] = {
    "fusion": {"variant": "fusion", "lambda_hpcl": 0.0},
    "full (fusion, queues, momentum)": {"variant": "fusion"},
    "image only": {"variant": "image", "lambda_hpcl": 0.0},
    "DEM only": {"variant": "dem", "lambda_hpcl": 0.0},
    "stacked bands": {"variant": "stacked", "lambda_hpcl": 0.0},
    "fusion + contrast in the batch": {"contrast": "batch"},
    "fusion + queues": {"contrast": "queues"},
    "full, uniform anchors": {"anchors": "uniform"},
}
FILES = (
    ("train_image.tif", "train_dem.tif", "train_labels.tif"),
    ("areaA_rgb.tif", "areaA_dsm.tif", "areaA_mask.tif"),
)
FOREST = "random forest on colour, relief, slope and context"
USUAL = 8
CONTEXT = (7, 21, 51)


def main() -> None:
    """Run the trials that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=USUAL)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument(
        "--only", default="", help="words of the methods, with semicolons; =NAME for a whole name"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    job = scene_job(options.folder)
    name = options.folder.resolve().name
    notebook = Notebook(f"hpclnet_{name}", f"HPCL-Net on {name}, {USUAL} epochs if not said")
    for seed in (int(one) for one in options.seeds.split(",")):
        _seed(job, notebook, seed, options)
    notebook.write()
    for one in METHODS:
        if one != "fusion":
            sys.stdout.write(paired(notebook, one, "fusion") + "\n")


def scene_job(folder: Path) -> Job:
    """A training on the scene in `folder`."""
    image, dem, labels = next(
        [folder / name for name in names] for names in FILES if (folder / names[0]).exists()
    )
    return Job(
        "train",
        "hpclnet",
        inputs={"IMAGE": (Source(str(image)),), "DEM": (Source(str(dem)),)},
        labels=Features(str(labels)),
    )


def _seed(job: Job, notebook: Notebook, seed: int, options: argparse.Namespace) -> None:
    base: dict[str, Value] = {"epochs": options.epochs, "seed": seed, "device": "cpu"}
    found = None
    for method, changes in METHODS.items():
        if not wanted(method, options.only):
            continue
        given = {**base, **changes}
        design = HpclDesign(resolve(HPCLNET.train_settings, given))
        found = found or sites_of(job, design)
        name = method if options.epochs == USUAL else f"{method}, {options.epochs} epochs"
        notebook.run(name, seed, given, partial(_trial, job, design, *found))
    if not wanted(FOREST, options.only):
        return
    sites, divisions = found or sites_of(job, HpclDesign(resolve(HPCLNET.train_settings, base)))
    bands = sites.view.channels - TERRAIN
    channels = [*range(bands), bands + RELATIVE, bands + SLOPE]

    def plant() -> dict[str, float]:
        return forest(sites, divisions, channels, CONTEXT, seed)

    notebook.run(FOREST, seed, {"seed": seed}, plant)


def _trial(
    job: Job, design: HpclDesign, sites: Sites, divisions: tuple[Division, ...]
) -> dict[str, float]:
    return measure(job, design, sites, divisions).scores


if __name__ == "__main__":
    main()
