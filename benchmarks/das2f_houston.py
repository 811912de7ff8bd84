"""DAS²F on the houston scene: our defaults, the published network and a random forest.

All methods see the same spatially blocked folds, in which every labelled pixel validates once,
and are scored on the pooled predictions. The networks are trained as the tool trains its final
model: on all training labels of the fold, for all epochs, without a look at the validation part.
The published network costs about ten times as much a window; it gets the minutes of our defaults,
and with --full all of its own epochs (some seven hours of one core).

    python benchmarks/das2f_houston.py SCENE_FOLDER [--quick | --full] [--only WORD] [--seeds 0,1,2]

writes `results/das2f_houston.json` and `.md` after each trial. Trials that are there already, of
the same libraries and settings, are not repeated: after a change of the network or of the loop,
delete the JSON first. SCENE_FOLDER holds ms.tif, pan.tif and
labels_train.tif; it is not part of the repository.
"""

import argparse
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def _load_package() -> None:
    """The repository root as the package `terraweave`, as the tests load it."""
    spec = importlib.util.spec_from_file_location(
        "terraweave", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not a package.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["terraweave"] = package
    spec.loader.exec_module(package)


if "terraweave" not in sys.modules:
    _load_package()

from terraweave.core.accuracy.confusion import confusion_matrix  # noqa: E402
from terraweave.core.accuracy.scores import Scores  # noqa: E402
from terraweave.core.classes import MapClass  # noqa: E402
from terraweave.core.families.das2f import DAS2F  # noqa: E402
from terraweave.core.families.das2f.configuration import architecture  # noqa: E402
from terraweave.core.families.das2f.fit import (  # noqa: E402
    STEPS_PER_EPOCH,
    Fit,
    fit_network,
)
from terraweave.core.families.das2f.network import Das2f  # noqa: E402
from terraweave.core.families.das2f.patches import (  # noqa: E402
    Patches,
    Pixels,
    cut_patches,
)
from terraweave.core.families.das2f.training_data import labelled_scenes  # noqa: E402
from terraweave.core.job import Features, Job, Source  # noqa: E402
from terraweave.core.progress import Progress  # noqa: E402
from terraweave.core.scene.grid import Window  # noqa: E402
from terraweave.core.scene.scene import Scene  # noqa: E402
from terraweave.core.settings import Value, resolve  # noqa: E402
from terraweave.core.training.checkpoint import Checkpoint  # noqa: E402
from terraweave.core.training.loop import Plan  # noqa: E402

# The scene's own hold-out is every third 16-pixel column block; the folds imitate it.
COLUMNS, ROWS, FOLDS = 16, 32, 3
TREES = 500
CONTEXT = (3, 7, 15)
Predicted = NDArray[np.int64]


@dataclass(frozen=True)
class Houston:
    """The scene, its labelled pixels and their fold."""

    scene: Scene
    pixels: Pixels
    classes: tuple[MapClass, ...]
    fold: NDArray[np.int64]

    def patches(self, window: int) -> Patches:
        """Patches around all labelled pixels, as the tool cuts them."""
        return cut_patches([self.scene], self.pixels, window, self.scene.scales["PAN"], Progress())


@contextmanager
def open_houston(folder: Path) -> Iterator[Houston]:
    """The scene with its labels, read as the tool reads them, and the folds."""
    job = Job(
        task="train",
        family=DAS2F.key,
        inputs={
            "MS": (Source(str(folder / "ms.tif")),), "PAN": (Source(str(folder / "pan.tif")),)
        },
        labels=Features(str(folder / "labels_train.tif")),
    )  # fmt: skip
    with labelled_scenes(job, Progress()) as data:
        fold = folds_of(data.pixels.row, data.pixels.column)
        yield Houston(data.scenes[0], data.pixels, data.classes, fold)


def folds_of(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each pixel: tiles as wide as the hold-out's blocks, dealt out diagonally."""
    _, block = np.unique(column // COLUMNS, return_inverse=True)
    return (block + row // ROWS) % FOLDS


@dataclass(frozen=True)
class Method:
    """A name, what defines it, and (houston, train, validation, seed) → class indexes."""

    name: str
    settings: Mapping[str, Value]
    predict: Callable[[Houston, NDArray[np.bool_], NDArray[np.bool_], int], Predicted]


def forest_features(scene: Scene) -> NDArray[np.float64]:
    """What users of classical tools compute: (feature, row, column) of the whole scene.

    MS bands, statistics of the PAN pixels under each MS pixel, and local mean and deviation of
    the MS bands and of PAN over several windows.
    """
    whole = scene.grid.window
    n = scene.scales["PAN"]
    ms = scene.read("MS", whole).values.astype(np.float64)
    pan = scene.read("PAN", whole).values[0].astype(np.float64)
    under = pan.reshape(whole.rows, n, whole.columns, n)
    statistics = [one(under, axis=(1, 3)) for one in (np.mean, np.std, np.min, np.max)]
    images = [*ms, statistics[0]]
    context = []
    for size in CONTEXT:
        for image in images:
            mean = uniform_filter(image, size, mode="reflect")
            square = uniform_filter(image**2, size, mode="reflect")
            context += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.stack([*ms, *statistics, *context])


def forest() -> Method:
    """A random forest on `forest_features`."""

    def predict(
        houston: Houston, train: NDArray[np.bool_], held: NDArray[np.bool_], seed: int
    ) -> Predicted:
        features = forest_features(houston.scene)[:, houston.pixels.row, houston.pixels.column].T
        model = RandomForestClassifier(
            TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=1
        )
        model.fit(features[train], houston.pixels.target[train])
        return model.predict(features[held]).astype(np.int64)

    return Method("random forest", {"trees": TREES}, predict)


def network(name: str, **changed: Value) -> Method:
    """DAS²F with the tool's defaults but for `changed`."""
    settings = resolve(DAS2F.train_settings, changed)

    def predict(
        houston: Houston, train: NDArray[np.bool_], held: NDArray[np.bool_], seed: int
    ) -> Predicted:
        made = architecture(
            settings,
            ms_bands=houston.scene.read("MS", Window(0, 0, 1, 1)).values.shape[0],
            ratio=houston.scene.scales["PAN"],
            classes=len(houston.classes),
        )
        patches = houston.patches(made.window)
        raw = patches.taken(train)
        statistics = raw.statistics()
        plan = Plan(
            int(settings["epochs"]), STEPS_PER_EPOCH, learning_rate=float(settings["learning_rate"])
        )
        fit = Fit(houston.classes, plan, int(settings["batch"]), seed, torch.device("cpu"))
        torch.manual_seed(seed)
        outcome = fit_network(
            Das2f(made), raw.standardised(statistics), None, fit, Progress(), Checkpoint(None, "")
        )
        trained = Das2f(made).eval()
        trained.load_state_dict(outcome.state)
        return classified(trained, patches.taken(held).standardised(statistics))

    return Method(name, settings, predict)


@torch.inference_mode()
def classified(trained: Das2f, patches: Patches) -> Predicted:
    """The class index of every patch, from one upright window each."""
    parts = [
        trained(*patches.windows(index, torch.zeros_like(index))).argmax(1)
        for index in torch.arange(len(patches)).split(128)
    ]
    return torch.cat(parts).numpy()


def trial(method: Method, houston: Houston, seed: int, folds: Sequence[int]) -> dict[str, float]:
    """Scores of one seed, pooled over the folds, with CPU minutes a training."""
    values = np.array([one.value for one in houston.classes])
    predicted = np.full(len(houston.pixels), -1)
    began = time.process_time()
    for fold in folds:
        held = houston.fold == fold
        predicted[held] = method.predict(houston, ~held, held, seed)
    minutes = (time.process_time() - began) / 60 / len(folds)
    done = predicted >= 0
    matrix = confusion_matrix(
        values[houston.pixels.target[done]], values[predicted[done]], houston.classes
    )
    scores = Scores.from_matrix(matrix, houston.classes)
    return {
        "seed": seed,
        "OA": scores.overall_accuracy or 0.0,
        "AA": scores.average_accuracy or 0.0,
        "kappa": scores.kappa or 0.0,
        "macro_f1": scores.macro_f1 or 0.0,
        "minutes": round(minutes, 3),
    }


class Results:
    """The trials so far, on disk after each of them."""

    def __init__(self) -> None:
        """What an earlier run of the same software left."""
        self._file = RESULTS / "das2f_houston.json"
        self._about = machine()
        found = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        same = found.get("about", {}).get("versions") == self._about["versions"]
        self._methods: dict[str, dict[str, object]] = found["methods"] if same else {}

    def trials(self, method: Method) -> list[dict[str, float]]:
        """The trials of a method; none where its settings have changed."""
        kept = self._methods.get(method.name, {})
        if kept.get("settings") != dict(method.settings):
            return []
        return kept["trials"]  # type: ignore[return-value]

    def add(self, method: Method, found: dict[str, float]) -> None:
        """Keep one more trial and write both files."""
        every = sorted([*self.trials(method), found], key=lambda one: one["seed"])
        self._methods[method.name] = {"settings": dict(method.settings), "trials": every}
        about = {"about": self._about, "methods": self._methods}
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")
        self._file.with_suffix(".md").write_text(self._page(), "utf-8")

    def _page(self) -> str:
        rows = [
            "| method | seeds | OA | AA | κ | macro-F1 | CPU minutes a training |",
            "|---|---|---|---|---|---|---|",
            *(row(name, one["trials"]) for name, one in self._methods.items()),  # type: ignore[arg-type]
        ]
        about = ", ".join(f"{key} {value}" for key, value in self._about["versions"].items())
        return (
            "# DAS²F on houston\n\n" + "\n".join(rows) + f"\n\n{FOLDS} spatially blocked folds "
            f"(tiles of {COLUMNS} columns × {ROWS} rows), scores of the pooled predictions, mean ± "
            "standard deviation over the seeds; one upright window a pixel.\n\n"
            f"{self._about['date']}, {self._about['machine']}; {about}.\n"
        )


def row(name: str, found: Sequence[Mapping[str, float]]) -> str:
    """Mean ± standard deviation over the seeds, as a line of a Markdown table."""
    cells = []
    for key in ("OA", "AA", "kappa", "macro_f1"):
        values = [one[key] for one in found]
        spread = f" ± {np.std(values):.3f}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.3f}{spread}")
    minutes = np.mean([one["minutes"] for one in found])
    return f"| {name} | {len(found)} | {' | '.join(cells)} | {minutes:.1f} |"


def machine() -> dict[str, object]:
    """Date, kind of machine and versions; no names and no paths."""
    threads = torch.get_num_threads()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()} {platform.system()}, {threads} thread"
        f"{'s' if threads > 1 else ''}, {torch.backends.cpu.get_cpu_capability()}",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
        },
    }


def methods(full: bool, **short: Value) -> list[Method]:
    """What is compared."""
    published = network("DAS²F, published configuration, 40 epochs", preset="published", **short)
    return [
        forest(),
        network(
            "DAS²F, published configuration, about equal minutes",
            preset="published",
            **{"epochs": 4, **short},
        ),
        network("DAS²F, defaults", **short),
        *([published] if full else []),
    ]


def main() -> None:
    """Run what is wanted and not there yet, one seed of all methods after the other."""
    parser = argparse.ArgumentParser(description="DAS²F on the houston scene.")
    parser.add_argument("folder", type=Path, help="the folder of the houston scene")
    parser.add_argument("--quick", action="store_true", help="one fold, one epoch, no files")
    parser.add_argument("--full", action="store_true", help="also all epochs as published")
    parser.add_argument("--only", default="", help="methods whose name contains this")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, separated by commas")
    given = parser.parse_args()
    torch.set_num_threads(1)
    results = Results()
    with open_houston(given.folder) as houston:
        if given.quick:
            for method in methods(given.full, epochs=1):
                if given.only in method.name:
                    print(row(method.name, [trial(method, houston, 0, [0])]), flush=True)
            return
        for seed in map(int, given.seeds.split(",")):
            for method in methods(given.full):
                known = [one["seed"] for one in results.trials(method)]
                if given.only in method.name and seed not in known:
                    results.add(method, trial(method, houston, seed, range(FOLDS)))
                    print(row(method.name, results.trials(method)), flush=True)


if __name__ == "__main__":
    main()
