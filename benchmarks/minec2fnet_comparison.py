"""Coarse to fine on mining footprints: MineC2FNet against what one would do without it.

    python benchmarks/minec2fnet_comparison.py FOLDER [--epochs 20] [--folds 4] [--seeds 0,1,2]

FOLDER holds coarse/*.tif with coarse/coarse.gpkg and fine/*.tif with fine/fine.gpkg; it is not
part of the repository. For each seed one teacher learns from the coarse scenes; every method then
goes on with the fine scenes for the same number of steps, and each fine scene is held out once.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation import Notebook, forest, measure, paired, scored, sites_of
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.design import FootprintDesign
from terraweave.core.job import Features, Job, Source
from terraweave.core.segmentation.earlier import Earlier
from terraweave.core.settings import Value, resolve

SILENT: dict[str, Value] = {"lambda_prediction": 0.0, "lambda_feature": 0.0}
STUDENTS: dict[str, dict[str, Value]] = {
    "fine-tuning": SILENT,
    "MineC2FNet, trust by pixel": {"trust": "pixel"},
    "plain distillation": {"trust": "none"},
    "feature L2": {"trust": "none", "feature": "squared", "lambda_prediction": 0.0},
    "MineC2FNet, hard trust": {"trust": "hard"},
    "MineC2FNet, trust by sample": {"trust": "sample"},
    "MineC2FNet, trust by confidence": {"trust": "confidence"},
}
CONTEXT = (5, 15, 31)


def main() -> None:
    """Run the trials that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--fine-epochs", type=int, default=0, help="0: the tool's default")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="words of the methods, with commas")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    coarse, fine = _job(options.folder, "coarse"), _job(options.folder, "fine")
    name = options.folder.resolve().name
    notebook = Notebook(f"minec2fnet_{name}", f"MineC2FNet on {name}, fine scenes held out")
    for seed in (int(one) for one in options.seeds.split(",")):
        _seed(coarse, fine, notebook, seed, options)
    notebook.write()
    for one in STUDENTS:
        if one != "fine-tuning":
            sys.stdout.write(paired(notebook, one, "fine-tuning") + "\n")


def _job(folder: Path, part: str) -> Job:
    images = sorted((folder / part).glob("*.tif"))
    return Job(
        "train",
        "minec2fnet",
        inputs={"IMAGE": tuple(Source(str(one)) for one in images)},
        labels=Features(str(folder / part / f"{part}.gpkg")),
    )


def _seed(
    coarse: Job, fine: Job, notebook: Notebook, seed: int, options: argparse.Namespace
) -> None:
    base: dict[str, Value] = {"epochs": options.epochs, "seed": seed, "device": "cpu"}
    if options.fine_epochs:
        base["fine_epochs"] = options.fine_epochs
    folded = {**base, "cross_validation": options.folds}
    teacher_design = FootprintDesign(resolve(MINEC2FNET.train_settings, base))
    coarse_sites = sites_of(coarse, teacher_design)
    taught = measure(coarse, teacher_design, *coarse_sites)
    teacher = Earlier(taught.course.card, taught.state)
    fine_design = FootprintDesign(resolve(MINEC2FNET.train_settings, folded), teacher, fine=True)
    sites, divisions = sites_of(fine, fine_design)
    known = taught.course.segmenter(taught.state)

    def alone() -> dict[str, float]:
        design = FootprintDesign(resolve(MINEC2FNET.train_settings, folded), fine=True)
        return measure(fine, design, sites, divisions).scores

    def unrefined() -> dict[str, float]:
        from terraweave.core.progress import Progress
        from terraweave.core.segmentation.validation import HeldOut

        masks = [[one.validating(n) for n in range(len(sites.sites))] for one in divisions]
        window = fine_design.effort.window
        judged = [
            answer
            for some in masks
            for answer in HeldOut(sites.sites, some, window).whole(known, Progress())
        ]
        return {**scored(judged, sites.gsd), "cpu_minutes": taught.scores["cpu_minutes"]}

    def plant() -> dict[str, float]:
        return forest(sites, divisions, range(sites.view.channels), CONTEXT, seed)

    others = {
        "coarse only (teacher, threshold chosen on the fine scenes)": unrefined,
        "fine only, from scratch": alone,
        "random forest on fine scenes": plant,
    }
    for method, trial in others.items():
        if _wanted(method, options.only):
            notebook.run(method, seed, folded, trial)
    for method, changes in STUDENTS.items():
        if not _wanted(method, options.only):
            continue
        given = {**folded, **changes}
        design = FootprintDesign(resolve(MINEC2FNET.train_settings, given), teacher, fine=True)

        def refined(design: FootprintDesign = design) -> dict[str, float]:
            return measure(fine, design, sites, divisions).scores

        notebook.run(method, seed, given, refined)


def _wanted(method: str, only: str) -> bool:
    return any(word in method for word in only.split(","))


if __name__ == "__main__":
    main()
