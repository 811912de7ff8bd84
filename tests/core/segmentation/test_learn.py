"""A segmentation training from layers to a model file, with a network of one convolution."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin
from terraweave.core.card import read_card, unfinished
from terraweave.core.classes import MapClass
from terraweave.core.errors import Cancelled, InputError
from terraweave.core.job import Features, Job, Source
from terraweave.core.model_file import read_weights
from terraweave.core.progress import Event, Progress
from terraweave.core.segmentation import sites
from terraweave.core.segmentation.judging import model_threshold
from terraweave.core.segmentation.learn import learn
from terraweave.core.segmentation.sites import _class_of

from .toy import SIZE, TOY, ToyDesign, scene, write


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
