"""What might make MineC2FNet better, tried scene by scene on the fine scenes that it trains on.

    python benchmarks/minec2fnet_search.py FOLDER [--epochs 20] [--folds 4] [--seeds 0] [--only W]

Teachers differ in how they learn from coarse outlines, and are judged as they are, at a threshold
chosen on the fine scenes. Students differ from “student”, which is the tool's default, in what
their name says, and have one teacher. FOLDER is that of the comparison.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from minec2fnet_comparison import GENTLE, HALF, SILENT, fine_of
from segmentation import Notebook, Scores, paired, wanted
from terraweave.core.families.minec2fnet import MINEC2FNET
from terraweave.core.families.minec2fnet.design import FootprintDesign
from terraweave.core.settings import Value, resolve


@dataclass(frozen=True)
class Change:
    """What differs from the default: settings, and parts of the augmentation."""

    settings: Mapping[str, Value] = field(default_factory=dict)
    augmentation: Mapping[str, Any] = field(default_factory=dict)


TEACHERS: dict[str, dict[str, Value]] = {
    "teacher": {},
    "teacher, outlines as drawn": {"boundary": "hard"},
    "teacher, ring without labels": {"boundary": "ring"},
    "teacher, outlines uncertain by 30 m": {"boundary_uncertainty": 30.0},
    "teacher, outlines uncertain by 120 m": {"boundary_uncertainty": 120.0},
    "teacher, 10 epochs": {"epochs": 10},
    "teacher, 40 epochs": {"epochs": 40},
    "teacher, windows of 256": {"window": 256, "batch": 4},
    "teacher, pixels of 20 m": {"working_gsd": 20.0},
}
STUDENTS: dict[str, Change] = {
    "student": Change(),
    "fine-tuning": Change(SILENT),
    "fine-tuning, learning rate × 0.3": Change({**SILENT, "rate_factor": 0.3}),
    "fine-tuning, learning rate × 1": Change({**SILENT, "rate_factor": 1.0}),
    "student, learning rate × 0.3": Change({"rate_factor": 0.3}),
    "student, learning rate × 0.3, 12 epochs": Change({"rate_factor": 0.3, "fine_epochs": 12}),
    "student, 12 epochs": Change({"fine_epochs": 12}),
    "student, λ 1": Change({"lambda_prediction": 1.0, "lambda_feature": 1.0}),
    "student, λ 10": Change({"lambda_prediction": 10.0, "lambda_feature": 10.0}),
    "student, γ 3": Change({"gamma": 3.0}),
    "student, answers only": Change({"lambda_feature": 0.0}),
    "student, features only": Change({"lambda_prediction": 0.0}),
    "student, attention maps": Change({"feature": "attention-map"}),
    "student, no augmentation": Change({}, {"scale": 1.0, "gain": 0.0, "offset": 0.0, "blur": 0.0}),
    "student, strong augmentation": Change({}, {"scale": 1.6, "gain": 0.2, "offset": 0.3}),
    "fine-tuning, learning rate × 0.3, half its teacher": Change(
        {**SILENT, "rate_factor": 0.3, "teacher_share": 0.5}
    ),
    "fine-tuning, learning rate × 1, half its teacher": Change(
        {**SILENT, "rate_factor": 1.0, "teacher_share": 0.5}
    ),
    "student, learning rate × 0.3, λ 0.3, half its teacher": Change({**GENTLE, **HALF}),
}


def main() -> None:
    """Run the trials that are missing and print what each has over its base."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", default="0")
    parser.add_argument(
        "--only", default="", help="words of the methods, with semicolons; =NAME for a whole name"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name = options.folder.resolve().name
    notebook = Notebook(f"minec2fnet_{name}_search", f"MineC2FNet on {name}: a search")
    for seed in (int(one) for one in options.seeds.split(",")):
        base: dict[str, Value] = {"epochs": options.epochs, "seed": seed, "device": "cpu"}
        folded = {**base, "cross_validation": options.folds}
        _students(notebook, options, base, folded)
        for method, changes in TEACHERS.items():
            if wanted(method, options.only):
                given = {**base, **changes}
                notebook.run(method, seed, given, partial(_teacher, options.folder, given, folded))
    notebook.write()
    for method in (*STUDENTS, *TEACHERS):
        base_method = method.split(",")[0]
        if base_method != method:
            sys.stdout.write(paired(notebook, method, base_method) + "\n")


def _teacher(folder: Path, given: Mapping[str, Value], folded: Mapping[str, Value]) -> Scores:
    return fine_of(folder, given, folded).unrefined()


def _students(
    notebook: Notebook,
    options: argparse.Namespace,
    base: Mapping[str, Value],
    folded: Mapping[str, Value],
) -> None:
    chosen = {name: one for name, one in STUDENTS.items() if wanted(name, options.only)}
    if not chosen:
        return
    fine = fine_of(options.folder, base, folded)
    for method, change in chosen.items():
        given = {**folded, **change.settings}
        settings = resolve(MINEC2FNET.train_settings, given)
        design = FootprintDesign(settings, fine.teacher, fine=True)
        design.augmentation = replace(design.augmentation, **change.augmentation)
        told = {**given, **change.augmentation}
        notebook.run(method, int(given["seed"]), told, partial(fine.trial, design))


if __name__ == "__main__":
    main()
