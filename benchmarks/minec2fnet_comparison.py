"""Coarse to fine on mining footprints: MineC2FNet against what one would do without it.

    python benchmarks/minec2fnet_comparison.py FOLDER [--epochs 20] [--folds 4] [--seeds 0,1,2]

FOLDER holds coarse/*.tif with coarse/coarse.gpkg and fine/*.tif with fine/fine.gpkg; it is not
part of the repository. For each seed one teacher learns from the coarse scenes; every method then
goes on with the fine scenes for the same number of steps, and each fine scene is held out once.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation import (
    Notebook,
    Scores,
    forest,
    histogram_iou,
    measure,
    paired,
    scored,
    sites_of,
    wanted,
)
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.design import FootprintDesign
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.segmentation.division import Division
from terraweave.core.segmentation.earlier import Earlier
from terraweave.core.segmentation.sites import Sites
from terraweave.core.segmentation.validation import HeldOut
from terraweave.core.segmentation.view import Segmenter
from terraweave.core.settings import Value, resolve

SILENT: dict[str, Value] = {"lambda_prediction": 0.0, "lambda_feature": 0.0}
GENTLE: dict[str, Value] = {
    "rate_factor": 0.3, "lambda_prediction": 0.3, "lambda_feature": 0.3,
}  # fmt: skip
HALF: dict[str, Value] = {"teacher_share": 0.5}
STUDENTS: dict[str, dict[str, Value]] = {
    "fine-tuning": SILENT,
    "MineC2FNet, trust by pixel": {"trust": "pixel"},
    "plain distillation": {"trust": "none"},
    "feature L2": {"trust": "none", "feature": "squared", "lambda_prediction": 0.0},
    "MineC2FNet, hard trust": {"trust": "hard"},
    "MineC2FNet, trust by sample": {"trust": "sample"},
    "MineC2FNet, trust by confidence": {"trust": "confidence"},
    "MineC2FNet, faster and gentler, half its teacher": {**GENTLE, **HALF},
    "fine-tuning faster, half its teacher": {**SILENT, "rate_factor": 0.3, **HALF},
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
    parser.add_argument(
        "--only", default="", help="words of the methods, with semicolons; =NAME for a whole name"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name = options.folder.resolve().name
    notebook = Notebook(f"minec2fnet_{name}", f"MineC2FNet on {name}, fine scenes held out")
    for seed in (int(one) for one in options.seeds.split(",")):
        _seed(notebook, seed, options)
    notebook.write()
    for one in STUDENTS:
        if one != "fine-tuning":
            sys.stdout.write(paired(notebook, one, "fine-tuning") + "\n")


def scenes_job(folder: Path, part: str) -> Job:
    """A training on all scenes of one part."""
    images = sorted((folder / part).glob("*.tif"))
    return Job(
        "train",
        "minec2fnet",
        inputs={"IMAGE": tuple(Source(str(one)) for one in images)},
        labels=Features(str(folder / part / f"{part}.gpkg")),
    )


@dataclass(frozen=True)
class Fine:
    """A teacher, and the fine scenes as they are divided."""

    job: Job
    teacher: Earlier
    known: Segmenter
    minutes: float
    sites: Sites
    divisions: tuple[Division, ...]

    def trial(self, design: FootprintDesign) -> Scores:
        """What a training comes to."""
        return measure(self.job, design, self.sites, self.divisions).scores

    def unrefined(self) -> Scores:
        """The teacher itself on all held-out ground."""
        window = self.teacher.card.window
        judged = []
        for one in self.divisions:
            masks = [one.validating(number) for number in range(len(self.sites.sites))]
            held_out = HeldOut(self.sites.sites, masks, window)
            judged += held_out.whole(self.known, Progress())
        scores = scored(judged, self.sites.gsd)
        as_it_comes = histogram_iou(judged, float(self.teacher.card.training["threshold"]))
        return {**scores, "iou_as_it_comes": as_it_comes, "cpu_minutes": self.minutes}


def fine_of(folder: Path, teaching: Mapping[str, Value], folded: Mapping[str, Value]) -> Fine:
    """Train a teacher on the coarse scenes; read and divide the fine ones."""
    coarse, fine = scenes_job(folder, "coarse"), scenes_job(folder, "fine")
    teacher_design = FootprintDesign(resolve(MINEC2FNET.train_settings, teaching))
    taught = measure(coarse, teacher_design, *sites_of(coarse, teacher_design))
    course = taught.course
    card = replace(course.card, training={"threshold": course.threshold})
    teacher = Earlier(card, taught.state)
    design = FootprintDesign(resolve(MINEC2FNET.train_settings, folded), teacher, fine=True)
    known, minutes = course.segmenter(taught.state), taught.scores["cpu_minutes"]
    return Fine(fine, teacher, known, minutes, *sites_of(fine, design))


def _seed(notebook: Notebook, seed: int, options: argparse.Namespace) -> None:
    base: dict[str, Value] = {"epochs": options.epochs, "seed": seed, "device": "cpu"}
    if options.fine_epochs:
        base["fine_epochs"] = options.fine_epochs
    folded = {**base, "cross_validation": options.folds}
    fine = fine_of(options.folder, base, folded)

    def alone() -> Scores:
        return fine.trial(FootprintDesign(resolve(MINEC2FNET.train_settings, folded), fine=True))

    def plant() -> Scores:
        sites = fine.sites
        return forest(sites, fine.divisions, range(sites.view.channels), CONTEXT, seed)

    others = {
        "coarse only (teacher, threshold chosen on the fine scenes)": fine.unrefined,
        "fine only, from scratch": alone,
        "random forest on fine scenes": plant,
    }
    for method, trial in others.items():
        if wanted(method, options.only):
            notebook.run(method, seed, folded, trial)
    for method, changes in STUDENTS.items():
        if wanted(method, options.only):
            given = {**folded, **changes}
            settings = resolve(MINEC2FNET.train_settings, given)
            design = FootprintDesign(settings, fine.teacher, fine=True)
            notebook.run(method, seed, given, partial(fine.trial, design))


if __name__ == "__main__":
    main()
