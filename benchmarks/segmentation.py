"""What the comparisons of segmenting families share: trials on held-out ground, kept as they end.

A trial is measured the way the tools measure: on ground that is held out in blocks or whole
scenes, at the threshold that suits it best. Trials that are in the results already are not
repeated; delete the JSON after a change of the networks.
"""

import importlib.util
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def load_package() -> None:
    """The repository root as the package `terraweave`, as the tests load it."""
    if "terraweave" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "terraweave", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not a package.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["terraweave"] = package
    spec.loader.exec_module(package)


load_package()

from terraweave.core.device import choose_device  # noqa: E402
from terraweave.core.job import Job  # noqa: E402
from terraweave.core.progress import Event, Progress  # noqa: E402
from terraweave.core.segmentation.course import SegmentationCourse  # noqa: E402
from terraweave.core.segmentation.design import Design  # noqa: E402
from terraweave.core.segmentation.division import Division, divide  # noqa: E402
from terraweave.core.segmentation.judging import Histogram  # noqa: E402
from terraweave.core.segmentation.sites import Site, Sites, read_sites  # noqa: E402
from terraweave.core.segmentation.tables import boundary  # noqa: E402
from terraweave.core.segmentation.validation import Judged, pooled  # noqa: E402
from terraweave.core.training.loop import State  # noqa: E402
from terraweave.core.training.phases import Phases  # noqa: E402

Scores = dict[str, float]
_TREES, _PIXELS = 200, 60_000


@dataclass
class Measured:
    """A finished trial: its course, the weights of the last fold, and its scores."""

    course: SegmentationCourse[Any]
    state: State
    scores: Scores


def told(event: Event) -> None:
    """Show epochs and warnings, nothing else."""
    if event["event"] == "epoch":
        sys.stderr.write(f"  {event.get('epoch')}: {event.get('loss')} {event.get('iou')}\n")
    elif event.get("level") == "warning":
        sys.stderr.write(f"  {event['text']}\n")


def sites_of(job: Job, design: Design[Any]) -> tuple[Sites, tuple[Division, ...]]:
    """The scenes of a job and how its settings divide them."""
    sites = read_sites(job, design.family, design.view, design.working_gsd, Progress())
    return sites, divide(sites, design.settings, design.effort.gap)


def measure(
    job: Job, design: Design[Any], sites: Sites, divisions: tuple[Division, ...]
) -> Measured:
    """Train and measure as the tools do, fold by fold, without the training on all labels."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder, "trial.safetensors"))
        job = Job(job.task, job.family, job.inputs, job.labels, outputs={"MODEL": model})
        design.view(sites.facts[0])
        device = choose_device("cpu")
        course = SegmentationCourse(job, design, sites, divisions, device, Progress(told))
        found = Phases(course, model, Progress(told)).measure()
    scores = scored(course.judged, course.sites.gsd)
    scores["cpu_minutes"] = (time.process_time() - began) / 60
    return Measured(course, found.outcome.state, scores)


def scored(judged: Sequence[Judged], gsd: float) -> Scores:
    """IoU, precision and recall at the best threshold, and how well outlines agree."""
    whole = pooled(judged)
    threshold = whole.best_threshold
    (hit, missed), (wrong, _) = whole.matrix(threshold)
    found = {
        "iou": whole.iou(threshold) or 0.0,
        "precision": hit / max(hit + wrong, 1),
        "recall": hit / max(hit + missed, 1),
        "threshold": threshold,
        "gsd": gsd,
    }
    for pixels in (1, 2, 3):
        counts = boundary(judged, threshold, float(pixels))
        found[f"boundary_f1_{pixels}px"] = counts.f1 or 0.0
        found[f"boundary_iou_{pixels}px"] = counts.iou or 0.0
    return found


def forest(
    sites: Sites,
    divisions: Sequence[Division],
    channels: Sequence[int],
    windows: Sequence[int],
    seed: int,
) -> Scores:
    """A random forest on `channels` and their mean and deviation over `windows` (pixels)."""
    began = time.process_time()
    features = [context(site, channels, windows) for site in sites.sites]
    judged = []
    for division in divisions:
        random = np.random.default_rng(seed)
        model = RandomForestClassifier(
            _TREES, min_samples_leaf=5, n_jobs=1, random_state=seed, class_weight="balanced"
        )
        rows, targets = [], []
        for number, site in enumerate(sites.sites):
            flat = np.flatnonzero(division.training(number))
            take = random.choice(flat, min(len(flat), _PIXELS // len(sites.sites)), replace=False)
            rows.append(features[number].reshape(len(features[number]), -1)[:, take].T)
            targets.append((site.target.ravel()[take] == 1).astype(int))
        model.fit(np.concatenate(rows), np.concatenate(targets))
        for number, site in enumerate(sites.sites):
            known = division.validating(number)
            if known.any():
                answer = np.zeros(known.shape, np.float32)
                answer[known] = model.predict_proba(features[number][:, known].T)[:, 1]
                judged.append(Judged(site.title, answer, site.target == 1, known))
    scores = scored(judged, sites.gsd)
    return {**scores, "cpu_minutes": (time.process_time() - began) / 60}


def context(site: Site, channels: Sequence[int], windows: Sequence[int]) -> NDArray[np.float32]:
    """Features (feature, row, column): channels, and their local mean and deviation."""
    weight = site.valid.astype(np.float32)
    found = []
    for channel in channels:
        values = site.values[channel] * weight
        found.append(site.values[channel])
        for window in windows:
            share = np.maximum(uniform_filter(weight, window), 1e-3)
            mean = uniform_filter(values, window) / share
            square = uniform_filter(values * site.values[channel], window) / share
            found += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.stack(found).astype(np.float32)


class Notebook:
    """The trials of one comparison, written after each."""

    def __init__(self, stem: str, title: str) -> None:
        """`stem` names the files in the folder of results."""
        self._json = RESULTS / f"{stem}.json"
        self._text = RESULTS / f"{stem}.md"
        self._title = title
        self.trials: dict[str, dict[str, Any]] = {}
        if self._json.exists():
            self.trials = json.loads(self._json.read_text(encoding="utf-8"))["trials"]

    def run(
        self, method: str, seed: int, settings: Mapping[str, object], trial: Callable[[], Scores]
    ) -> Scores:
        """The scores of one trial, done now or before."""
        key = f"{method} · seed {seed}"
        if key in self.trials and self.trials[key]["settings"] == dict(settings):
            return dict(self.trials[key]["scores"])
        sys.stderr.write(f"{key}\n")
        scores = {name: round(value, 4) for name, value in trial().items()}
        self.trials[key] = {
            "method": method, "seed": seed, "settings": dict(settings), "scores": scores,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }  # fmt: skip
        sys.stderr.write(f"{key}: {scores}\n")
        self.write()
        return scores

    def write(self) -> None:
        """Write both files."""
        about = {
            "machine": platform.machine(), "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }  # fmt: skip
        text = json.dumps({"about": about, "trials": self.trials}, indent=1, ensure_ascii=False)
        self._json.write_text(text + "\n", encoding="utf-8")
        self._text.write_text(self._table(), encoding="utf-8")

    def _table(self) -> str:
        methods = list(dict.fromkeys(one["method"] for one in self.trials.values()))
        lines = [
            f"# {self._title}\n",
            "Held-out ground only; mean ± standard deviation over seeds, each of which also "
            "divides the ground anew. One thread.\n",
            "| method | seeds | IoU | precision | recall | boundary F1, 2 pixels | CPU minutes |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in methods:
            rows = [one["scores"] for one in self.trials.values() if one["method"] == method]
            cells = [
                _spread([row[key] for row in rows])
                for key in ("iou", "precision", "recall", "boundary_f1_2px")
            ]
            minutes = statistics.mean(row["cpu_minutes"] for row in rows)
            lines.append(f"| {method} | {len(rows)} | {' | '.join(cells)} | {minutes:.1f} |")
        return "\n".join(lines) + "\n"


def wanted(method: str, only: str) -> bool:
    """Whether one of the words `only`, with semicolons between, is in the method's name.

    A word after “=” must be the whole name.
    """
    words = (word.strip() for word in only.split(";"))
    return any(method == word[1:] if word[:1] == "=" else word in method for word in words)


def paired(notebook: Notebook, one: str, other: str) -> str:
    """How much `one` has over `other` on the same seeds, in IoU."""
    scores = {
        (trial["method"], trial["seed"]): trial["scores"]["iou"]
        for trial in notebook.trials.values()
    }
    seeds = [seed for method, seed in scores if method == one and (other, seed) in scores]
    if not seeds:
        return f"{one} against {other}: no common seed"
    gains = [scores[one, seed] - scores[other, seed] for seed in seeds]
    return f"{one} against {other}: {_spread(gains)} IoU over {len(gains)} seeds"


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def histogram_iou(judged: Sequence[Judged], threshold: float) -> float:
    """The IoU at a threshold that was chosen elsewhere."""
    return Histogram().joined([one.histogram for one in judged]).iou(threshold) or 0.0
