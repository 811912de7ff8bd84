"""A segmentation training from layers to a model file, with a network of one convolution."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.transform import from_origin
from terraweave.core.card import Band, CardInput, read_card, unfinished
from terraweave.core.classes import MapClass
from terraweave.core.device import Device
from terraweave.core.errors import Cancelled, InputError
from terraweave.core.family import Family, Reference, Role
from terraweave.core.job import Features, Job, Source
from terraweave.core.model_file import read_weights
from terraweave.core.nn.decay import ParameterGroup, parameter_groups
from terraweave.core.progress import Event, Progress
from terraweave.core.scene.grid import Window
from terraweave.core.scene.scene import Block, Scene
from terraweave.core.segmentation import sites
from terraweave.core.segmentation.design import Effort
from terraweave.core.segmentation.judging import model_threshold
from terraweave.core.segmentation.learn import learn
from terraweave.core.segmentation.losses import segmentation_loss
from terraweave.core.segmentation.orientations import turned
from terraweave.core.segmentation.sampler import Ground, Sampler, channel_statistics
from terraweave.core.segmentation.sites import Site, Sites, _class_of
from terraweave.core.training.loop import Plain, Plan, State
from torch import Tensor, nn

SIZE = 96
Moments = tuple[float, float]
SETTINGS: dict[str, Any] = {
    "device": "cpu", "seed": 0, "validation_share": 0.25, "cross_validation": 0, "block": 0,
    "refit": False,
}  # fmt: skip
TOY = Family(
    key="toy",
    title="Bright spots",
    purpose="Bright spots",
    help="",
    roles=(Role("IMAGE", "Image", "", reference=True),),
    labels="",
    train_settings=(),
    predict_settings=(),
    reference=Reference("", ""),
    recipe=lambda: None,  # type: ignore[arg-type, return-value]
    binary=True,
    target=MapClass(1, "Spot", "#c0392b"),
)


class OneBand:
    """The first band, as a view."""

    channels = 1

    def read(self, scene: Scene, window: Window) -> Block:
        return scene.read("IMAGE", window)

    def turned(self, values: Tensor, orientation: int) -> Tensor:
        return turned(values, orientation)


class Applied(OneBand):
    """A convolution as a segmenter."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        self._network, self._mean, self._std = network, mean, std

    def probabilities(self, values: Tensor, valid: Tensor) -> Tensor:
        return torch.sigmoid(self._network((values - self._mean) / self._std)[:, 0])


class Trained(Plain):
    """The loss of a batch, nothing more."""

    def __init__(self, network: nn.Module, sampler: Sampler, statistics: Moments) -> None:
        self.network = network
        self._sampler, (self._mean, self._std) = sampler, statistics

    def groups(self) -> list[ParameterGroup]:
        return parameter_groups(self.network, 0.01)

    def loss(self, epoch: int, step: int) -> Tensor:
        batch = self._sampler.draw(epoch, step)
        logits = self.network((batch.values - self._mean) / self._std)[:, 0]
        return segmentation_loss(logits, batch.target, batch.labelled)

    def evaluate(self, network: nn.Module) -> None:
        raise AssertionError("the spine judges")


class ToyDesign:
    """One 3×3 convolution."""

    family = TOY
    working_gsd = 0.0

    def __init__(self, settings: Mapping[str, Any], epochs: int = 6) -> None:
        self.settings = {**SETTINGS, **settings}
        plan = Plan(epochs=epochs, steps=12, learning_rate=0.2, average=0.8)
        self.effort = Effort(plan, batch=4, window=16, gap=4)

    def view(self, facts: Mapping[str, Any]) -> OneBand:
        return OneBand()

    def ground(self, site: Site, counts: NDArray[np.bool_]) -> Ground:
        return Ground(site.values, site.valid, (site.target == 1).astype(np.float32), counts)

    def statistics(self, grounds: Sequence[Ground]) -> Moments:
        mean, std = channel_statistics(grounds)
        return float(mean[0]), float(std[0])

    def architecture(self, sites: Sites) -> Mapping[str, object]:
        return {"working_gsd": sites.gsd}

    def inputs(self, sites: Sites, statistics: Moments) -> tuple[CardInput, ...]:
        mean, std = statistics
        return (CardInput("IMAGE", (Band("band 1"),), (mean,), (std,), sites.gsd),)

    def network(self, architecture: Mapping[str, object]) -> nn.Module:
        return nn.Conv2d(1, 1, 3, padding=1)

    def trainee(
        self,
        network: nn.Module,
        sampler: Sampler,
        statistics: Moments,
        effort: Effort,
        device: Device,
    ) -> Trained:
        return Trained(network, sampler, statistics)

    def segmenter(self, network: nn.Module, statistics: Moments, device: Device) -> Applied:
        return Applied(network, *statistics)

    def exported(self, state: State) -> State:
        return state


def write(path: Path, values: NDArray[np.generic], west: float = 500_000.0) -> str:
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1],
        dtype=values.dtype.name, crs="EPSG:32632", nodata=255,
        transform=from_origin(west, 5_400_000, 2, 2),
    ) as file:  # fmt: skip
        file.write(values, 1)
    return str(path)


def scene(folder: Path, number: int = 0) -> tuple[str, str]:
    """An image with bright spots, and a raster of them with 0 for background."""
    random = np.random.default_rng(number)
    truth = np.kron(random.random((SIZE // 8, SIZE // 8)) > 0.7, np.ones((8, 8))).astype(np.uint8)
    image = (60 + 100 * truth + random.normal(0, 20, truth.shape)).clip(0, 250).astype(np.uint8)
    image[:10, :10] = 255
    west = 500_000.0 + 1000 * number
    return (
        write(folder / f"image{number}.tif", image, west),
        write(folder / f"truth{number}.tif", truth, west),
    )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    image, truth = scene(tmp_path)
    return Job(
        "train",
        "toy",
        inputs={"IMAGE": (Source(image),)},
        labels=Features(truth),
        outputs={"MODEL": str(tmp_path / "m.safetensors"), "REPORT": str(tmp_path / "r.html")},
    )


def test_training_finds_what_can_be_found(job: Job) -> None:
    events: list[Event] = []
    learnt = learn(job, ToyDesign({}), Progress(events.append))
    iou = learnt.values["IOU"]
    assert isinstance(iou, float)
    assert iou > 0.75
    card = read_card(job.output("MODEL"))
    assert card.classes == (TOY.target,)
    assert 0.1 <= float(str(card.training["threshold"])) <= 0.9
    assert set(read_weights(job.output("MODEL"))) == {"weight", "bias"}
    told = [str(one.get("text")) for one in events]
    assert not any("No surveyed area" in one for one in told)
    assert any("pixels of 0 are ground without the class" in one for one in told)
    assert len([one for one in events if one["event"] == "epoch"]) == 6


def test_report_speaks_of_one_class(job: Job) -> None:
    learnt = learn(job, ToyDesign({"refit": True}), Progress())
    text = Path(job.output("REPORT")).read_text(encoding="utf-8")
    assert "tells “Spot” from everything else" in text
    assert "Kappa" not in text.split("<h2>")[0]
    numbers = json.loads(Path(job.output("REPORT")).with_suffix(".json").read_text("utf-8"))
    found = numbers["scores"]["classes"][0]
    assert found["iou"] == pytest.approx(learnt.values["IOU"])
    assert learnt.card.training["trained_on_all_labels"] is True


def test_where_the_class_is_not_held_out_nothing_is_scored_and_all_epochs_count(
    job: Job, tmp_path: Path
) -> None:
    truth = np.zeros((SIZE, SIZE), np.uint8)
    truth[40:44, 40:44] = 1
    alone = replace(job, labels=Features(write(tmp_path / "alone.tif", truth)))
    events: list[Event] = []
    learnt = learn(alone, ToyDesign({}), Progress(events.append))
    assert any("no validation pixel" in str(one.get("text")) for one in events)
    assert {learnt.values[name] for name in ("IOU", "F1", "PRECISION", "RECALL")} == {None}
    assert learnt.values["BEST_EPOCH"] == 6
    assert all("iou" not in one for one in events if one["event"] == "epoch")


def test_missing_data_never_counts(job: Job) -> None:
    learnt = learn(job, ToyDesign({}), Progress())
    site = learnt.course.sites.sites[0]
    assert (site.target[:10, :10] == 255).all()
    assert not site.valid[:10, :10].any()
    assert learnt.measured.scores is not None
    assert learnt.measured.scores.total < SIZE * SIZE


def test_several_scenes_are_held_out_as_a_whole(tmp_path: Path, job: Job) -> None:
    pairs = [scene(tmp_path, number) for number in range(5)]
    mosaic = tmp_path / "all.tif"
    whole = np.full((SIZE, 500 * 4 + SIZE), 255, np.uint8)
    for number, (_, truth) in enumerate(pairs):
        with rasterio.open(truth) as data:
            whole[:, 500 * number : 500 * number + SIZE] = data.read(1)
    write(mosaic, whole)
    job = replace(
        job,
        inputs={"IMAGE": tuple(Source(image) for image, _ in pairs)},
        labels=Features(str(mosaic)),
    )
    said: list[str] = []
    learnt = learn(job, ToyDesign({}), Progress(lambda one: said.append(str(one.get("text")))))
    assert any("of 5 scenes are held out as a whole" in one for one in said)
    held = [one.holds_out for one in learnt.course._divisions]
    assert held == [True]
    rows = learnt.course.tables()
    assert not rows or len(rows[0].rows) < 5


def test_cross_validation_gives_scores_of_each_fold(job: Job) -> None:
    learnt = learn(job, ToyDesign({"cross_validation": 2}, epochs=3), Progress())
    assert len(learnt.measured.folds) == 2
    assert learnt.card.training["folds"] == 2
    assert learnt.card.training["trained_on_all_labels"] is True


def test_cancelled_training_keeps_its_best_epoch_and_goes_on(job: Job) -> None:
    epochs: list[Event] = []

    def cancelled() -> bool:
        return len(epochs) >= 3

    def note(event: Event) -> None:
        if event["event"] == "epoch":
            epochs.append(event)

    with pytest.raises(Cancelled, match="best epoch so far"):
        learn(job, ToyDesign({}), Progress(note, cancelled))
    kept = read_card(job.output("MODEL"))
    best = max(range(3), key=lambda number: (epochs[number]["iou"], number))
    assert kept.training["stopped_after_epoch"] == 3
    assert kept.training["planned_epochs"] == epochs[0]["epochs"]
    assert kept.training["best_epoch"] == best + 1
    assert model_threshold(kept) == epochs[best]["threshold"]
    assert f"stopped after epoch 3 of {epochs[0]['epochs']}" in unfinished(kept)
    straight = learn(
        replace(job, outputs={"MODEL": job.output("MODEL") + "2.safetensors"}),
        ToyDesign({}), Progress(),
    )  # fmt: skip
    said: list[str] = []
    # Another process has another state of chance.
    torch.manual_seed(99)
    again = Progress(lambda one: said.append(str(one.get("text"))))
    resumed = learn(job, ToyDesign({}), again)
    assert not unfinished(read_card(job.output("MODEL")))
    assert any(one.startswith("Going on after epoch") for one in said)
    for key, value in straight.state.items():
        assert torch.equal(value, resumed.state[key])


def test_cancelling_leaves_a_finished_model_of_another_training_as_it_was(job: Job) -> None:
    learn(job, ToyDesign({"seed": 1}, epochs=1), Progress())
    path = Path(job.output("MODEL"))
    before, epochs = path.read_bytes(), []

    def note(event: Event) -> None:
        if event["event"] == "epoch":
            epochs.append(event)

    with pytest.raises(Cancelled, match="holds another model, which stays as it was"):
        learn(job, ToyDesign({}), Progress(note, lambda: len(epochs) >= 2))
    assert path.read_bytes() == before
    said: list[str] = []
    learn(job, ToyDesign({}), Progress(lambda one: said.append(str(one.get("text")))))
    assert "Going on after epoch 2 of an earlier run." in said
    assert path.read_bytes() != before


def test_warnings_of_the_whole_run_stand_in_the_report(tmp_path: Path, job: Job) -> None:
    """Those about labels, scenes and the division are no less worth reading than the scores."""
    pairs = [scene(tmp_path, number) for number in range(5)]
    marks = [
        [[(500_000 + 1000 * n + dx, 5_400_000 - dy) for dx, dy in
          ((20, 20), (60, 20), (60, 60), (20, 60), (20, 20))]] for n in range(4)
    ]  # fmt: skip
    layer = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "EPSG:32632"}},
        "features": [
            {"type": "Feature", "properties": {},
             "geometry": {"type": "Polygon", "coordinates": ring}} for ring in marks
        ],
    }  # fmt: skip
    labels = tmp_path / "spots.geojson"
    labels.write_text(json.dumps(layer))
    images = tuple(Source(image) for image, _ in pairs)
    said: list[str] = []
    learn(
        replace(job, inputs={"IMAGE": images}, labels=Features(str(labels))),
        ToyDesign({}, epochs=1),
        Progress(lambda one: said.append(str(one.get("text")))),
    )
    told = json.loads(Path(job.output("REPORT")).with_suffix(".json").read_text("utf-8"))
    for words in (
        "No surveyed area (AREA) was given",
        "all ground there counts as background",
        "A single scene, image",
    ):
        assert [one for one in told["warnings"] if words in one], words
        assert [one for one in said if words in one], words
    assert any("lies in image4" in one for one in told["warnings"])
    assert [one for one in told["tables"] if one["title"] == "Held-out scenes"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0, "gets a label from .* less than 2 m a pixel"),
        (1, "covers everything that the images show"),
    ],
)
def test_labels_of_one_kind_are_refused(
    tmp_path: Path, job: Job, value: int, sentence: str
) -> None:
    same = np.full((SIZE, SIZE), value, np.uint8)
    job = replace(job, labels=Features(write(tmp_path / "same.tif", same)))
    with pytest.raises(InputError, match=sentence):
        learn(job, ToyDesign({}), Progress())


@pytest.mark.parametrize("spoilt", ["bands", "pixels", "size"])
def test_a_last_scene_that_does_not_fit_is_refused_before_the_first_is_read(
    tmp_path: Path, job: Job, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = tmp_path / "last.tif"
    bands, gsd = (2 if spoilt == "bands" else 1), (9.0 if spoilt == "pixels" else 2.0)
    with rasterio.open(
        last, "w", driver="GTiff", count=bands, height=SIZE, width=SIZE, dtype="uint8",
        crs="EPSG:32632", transform=from_origin(500_000, 5_400_000, gsd, gsd),
    ) as file:  # fmt: skip
        file.write(np.ones((bands, SIZE, SIZE), np.uint8))
    if spoilt == "size":
        monkeypatch.setattr(sites, "_MOST_BYTES", 1.5 * 4 * SIZE * SIZE)
    stages: list[object] = []
    both = replace(job, inputs={"IMAGE": (*job.inputs["IMAGE"], Source(str(last)))})
    sentence = {
        "bands": r"last\.tif has 2 bands; the model was trained on 1 band",
        "pixels": r"last\.tif has pixels of 9 m, too coarse",
        "size": r"The scenes take .* clip them to the labelled ground",
    }[spoilt]
    with pytest.raises(InputError, match=sentence):
        learn(both, ToyDesign({}), Progress(lambda one: stages.append(one.get("stage"))))
    assert set(stages) - {None} == {"Reading images and labels"}


def test_scenes_without_data_are_refused_alone_and_told_among_others(
    tmp_path: Path, job: Job
) -> None:
    blank = write(tmp_path / "blank.tif", np.full((SIZE, SIZE), np.nan, np.float32))
    alone = replace(job, inputs={"IMAGE": (Source(blank),)})
    with pytest.raises(InputError, match=r"blank\.tif \(IMAGE\) has no pixel with data .* nodata"):
        learn(alone, ToyDesign({}), Progress())
    said: list[str] = []
    both = replace(job, inputs={"IMAGE": (*job.inputs["IMAGE"], Source(blank))})
    learn(both, ToyDesign({}, epochs=1), Progress(lambda one: said.append(str(one.get("text")))))
    (told,) = [one for one in said if one.startswith("blank.tif (IMAGE) has no pixel")]
    assert told.endswith("The other scenes are learnt from.")


def test_a_named_class_has_the_familys_colour_unless_one_was_chosen(job: Job) -> None:
    named = (MapClass(1, "Scar", "#123456"),)
    assert job.labels is not None
    chosen = replace(job, labels=replace(job.labels, classes=named))
    assert learn(chosen, ToyDesign({}, epochs=1), Progress()).card.classes == named
    assert _class_of(named, TOY, job.labels) == MapClass(1, "Scar", "#c0392b")
