"""A training from layers to a model file, small but real."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from terraweave.core.card import Card, read_card, unfinished
from terraweave.core.errors import Cancelled, InputError
from terraweave.core.families.das2f import learn as learning
from terraweave.core.families.das2f.apply import predict
from terraweave.core.families.das2f.learn import learn
from terraweave.core.job import Features, Job, Source
from terraweave.core.model_file import read_weights
from terraweave.core.progress import Event, Progress

ROWS, COLUMNS = 48, 40


def write(path: Path, values: NDArray[np.generic], gsd: float) -> Source:
    """A GeoTIFF in UTM zone 32, as a source."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype.name,
        crs="EPSG:32632",
        transform=from_origin(500000, 5400000, gsd, gsd),
    ) as file:
        file.write(values)
    return Source(str(path))


def truth() -> NDArray[np.uint8]:
    """Three classes in patches of 8 × 8 pixels, values 2, 5 and 9."""
    random = np.random.default_rng(3)
    patches = random.choice([2, 5, 9], (ROWS // 8, COLUMNS // 8))
    return np.kron(patches, np.ones((8, 8))).astype(np.uint8)


@pytest.fixture(autouse=True)
def _short_epochs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of a few steps, except where the map itself is looked at."""
    if "maps_the_scene" not in request.node.name:
        monkeypatch.setattr(learning, "STEPS_PER_EPOCH", 10)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Train on a class raster whose classes differ in colour and in the finer image's texture."""
    random = np.random.default_rng(4)
    classes = truth()
    level = np.select([classes == 2, classes == 5], [100.0, 130.0], 160.0)
    ms = (level[None] + random.normal(0, 5, (2, ROWS, COLUMNS))).astype(np.float32)
    fine = np.kron(classes, np.ones((2, 2)))
    pan = (100 + random.normal(0, 1, fine.shape) * np.where(fine == 5, 20, 3))[None]
    sparse = np.where(random.random(classes.shape) < 0.6, classes, 0).astype(np.uint8)
    return Job(
        "train",
        "das2f",
        inputs={
            "MS": (write(tmp_path / "ms.tif", ms, 2.0),),
            "PAN": (write(tmp_path / "pan.tif", pan.astype(np.float32), 1.0),),
        },
        labels=Features(write(tmp_path / "labels.tif", sparse[None], 2.0).path),
        settings={"epochs": 2, "batch": 8, "device": "cpu", "refit": False},
        outputs={
            "MODEL": str(tmp_path / "model.safetensors"),
            "REPORT": str(tmp_path / "report.html"),
        },
    )


def test_training_gives_a_model_that_maps_the_scene(job: Job, tmp_path: Path) -> None:
    events: list[Event] = []
    values = learn(job, Progress(events.append))
    card = read_card(job.output("MODEL"))
    assert float(str(values["OA"])) > 0.8
    assert card.metrics["overall_accuracy"] == values["OA"]
    assert [one.value for one in card.classes] == [2, 5, 9]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]
    classes = tmp_path / "classes.tif"
    predict(
        Job("predict", inputs=job.inputs, model=job.output("MODEL"),
            settings={"device": "cpu"}, outputs={"CLASSES": str(classes)}),
        Progress(),
    )  # fmt: skip
    with rasterio.open(classes) as file:
        assert (file.read(1) == truth()).mean() > 0.8


def test_report_and_its_numbers_lie_beside_each_other(job: Job, tmp_path: Path) -> None:
    learn(replace(job, settings={**job.settings, "epochs": 1}), Progress())
    numbers = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert numbers["best_epoch"] == 1
    assert "overall accuracy" in (tmp_path / "report.html").read_text(encoding="utf-8").lower()
    for name in ("report.json", "report.html"):
        assert str(tmp_path) not in (tmp_path / name).read_text(encoding="utf-8")


def test_finished_training_leaves_nothing_but_its_outputs(job: Job, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    learn(replace(job, settings={**job.settings, "epochs": 1, "refit": True}), Progress())
    made = {path.name for path in tmp_path.iterdir()} - before
    assert made == {"model.safetensors", "report.html", "report.json"}


class CancelAfter:
    """Asks for a stop once the given epoch has been reported."""

    def __init__(self, epoch: int) -> None:
        """Nothing seen yet."""
        self._epoch = epoch
        self._stop = False
        self.progress = Progress(self._see, lambda: self._stop)

    def _see(self, event: Event) -> None:
        if event["event"] == "epoch" and event["epoch"] == self._epoch:
            self._stop = True


def test_cancelled_training_keeps_the_best_epoch_and_goes_on_later(
    job: Job, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled, match=r"best epoch so far \(1\) is kept in model\.safetensors"):
        learn(job, CancelAfter(1).progress)
    assert read_card(job.output("MODEL")).training == {
        "stopped_after_epoch": 1,
        "planned_epochs": 2,
        "best_epoch": 1,
        "trained_on_all_labels": False,
        "device": "cpu",
    }
    events: list[Event] = []
    learn(job, Progress(events.append))
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [2]
    resumed = Path(job.output("MODEL"))
    whole = replace(job, outputs={"MODEL": str(tmp_path / "whole.safetensors")})
    learn(whole, Progress())
    one, other = read_weights(resumed), read_weights(whole.output("MODEL"))
    for key, tensor in one.items():
        np.testing.assert_array_equal(tensor.numpy(), other[key].numpy())


def test_cancel_before_the_first_epoch_leaves_the_old_model(job: Job) -> None:
    Path(job.output("MODEL")).write_bytes(b"old model")
    with pytest.raises(Cancelled):
        learn(job, Progress(cancelled=lambda: True))
    assert Path(job.output("MODEL")).read_bytes() == b"old model"


def test_training_goes_on_from_another_model(job: Job, tmp_path: Path) -> None:
    short = {**job.settings, "epochs": 1}
    learn(replace(job, settings=short), Progress())
    first = read_card(job.output("MODEL"))
    second = replace(
        job,
        settings=short,
        model=job.output("MODEL"),
        outputs={"MODEL": str(tmp_path / "second.safetensors")},
    )
    learn(second, Progress())
    card = read_card(second.output("MODEL"))
    assert card.inputs == first.inputs
    start, went_on = read_weights(job.output("MODEL")), read_weights(second.output("MODEL"))
    key = "head.map.weight"
    # A few steps away from where it began, not from other random weights.
    assert abs(start[key] - went_on[key]).mean() < 0.2 * abs(start[key]).mean()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": None}, "No labels were given"),
        ({"outputs": {}}, "No output was named for MODEL"),
        ({"settings": {"epochs": 0}}, r"Epochs \(EPOCHS\) is 0; give a value from 1"),
        ({"settings": {"device": "cuda"}}, "“cuda” cannot be used"),
    ],
)
def test_job_that_cannot_be_done_is_refused_before_the_work(
    job: Job, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        learn(replace(job, **change), Progress())


def test_folder_that_does_not_exist_is_refused_before_the_work(job: Job) -> None:
    with pytest.raises(InputError, match="nowhere"):
        learn(replace(job, outputs={"MODEL": "/nowhere/model.safetensors"}), Progress())


def test_several_scenes_learn_together_and_one_may_lack_labels(job: Job, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    east = 500000 + COLUMNS * 2.0 + 100
    more = {}
    for role, bands, scale in (("MS", 2, 1), ("PAN", 1, 2)):
        values = random.normal(120, 9, (bands, 20 * scale, 20 * scale)).astype(np.float32)
        path = tmp_path / f"east_{role}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", count=bands, height=20 * scale, width=20 * scale,
            dtype="float32", crs="EPSG:32632",
            transform=from_origin(east, 5400000, 2.0 / scale, 2.0 / scale),
        ) as file:  # fmt: skip
            file.write(values)
        more[role] = Source(str(path))
    # The finer images come in the other order: pairs are found by their place.
    inputs = {"MS": (*job.inputs["MS"], more["MS"]), "PAN": (more["PAN"], *job.inputs["PAN"])}
    alone = learn(replace(job, settings={**job.settings, "epochs": 1}), Progress())
    both = learn(replace(job, inputs=inputs, settings={**job.settings, "epochs": 1}), Progress())
    assert both["OA"] == alone["OA"]


def test_cross_validation_measures_every_labelled_pixel_once(job: Job, tmp_path: Path) -> None:
    settings = {**job.settings, "epochs": 1, "cross_validation": 3}
    before = {path.name for path in tmp_path.iterdir()}
    values = learn(replace(job, settings=settings), Progress())
    with rasterio.open(str(job.labels.path if job.labels else "")) as file:
        labelled = int((file.read(1) > 0).sum())
    metrics = read_card(job.output("MODEL")).metrics
    folds = metrics["folds"]
    assert isinstance(folds, list)
    assert metrics["pixels"] == sum(fold["pixels"] for fold in folds) == labelled
    assert values["OA"] == pytest.approx(np.mean([fold["overall_accuracy"] for fold in folds]))
    assert read_card(job.output("MODEL")).training["trained_on_all_labels"] is True
    assert len({path.name for path in tmp_path.iterdir()} - before) == 3


def test_single_fold_is_refused(job: Job) -> None:
    with pytest.raises(InputError, match="CROSS_VALIDATION is 1"):
        learn(replace(job, settings={**job.settings, "cross_validation": 1}), Progress())


def test_last_training_cancelled_keeps_the_measured_model(job: Job) -> None:
    settings = {**job.settings, "epochs": 1, "refit": True}
    started = []

    def see(event: Event) -> None:
        if event.get("stage") == "Training on all labels":
            started.append(event)

    with pytest.raises(Cancelled, match="is kept in model"):
        learn(replace(job, settings=settings), Progress(see, lambda: bool(started)))
    card = read_card(job.output("MODEL"))
    assert card.training["trained_on_all_labels"] is False
    assert "on all labels was stopped before its first epoch was kept" in unfinished(card)
    assert card.metrics["overall_accuracy"] is not None


def test_what_was_measured_is_there_when_the_last_training_begins(job: Job) -> None:
    settings = {**job.settings, "epochs": 1, "refit": True}
    there: list[Card] = []

    def see(event: Event) -> None:
        if event.get("stage") == "Training on all labels" and not there:
            there.append(read_card(job.output("MODEL")))

    learn(replace(job, settings=settings), Progress(see))
    assert there[0].metrics["overall_accuracy"] is not None
    assert unfinished(there[0])
    assert not unfinished(read_card(job.output("MODEL")))
