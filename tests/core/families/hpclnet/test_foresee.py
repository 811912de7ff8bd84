"""What a training of HPCL-Net will take, counted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from terraweave.core.errors import InputError
from terraweave.core.families.hpclnet import design
from terraweave.core.families.hpclnet.recipe import HpclNetRecipe
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.samples import terrain
from terraweave.core.segmentation import foresee
from terraweave.core.segmentation.sampler import Batch, Sampler


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps an epoch, and one to try the network by."""
    torch.set_num_threads(1)
    monkeypatch.setattr(design, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(foresee, "seconds_each", lambda work, **_: float(work(1) or 0.5))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A training on a small sample scene."""
    paths = terrain.write(tmp_path, 96)
    return Job(
        "train",
        "hpclnet",
        inputs={role: (Source(str(paths[role])),) for role in ("IMAGE", "DEM")},
        labels=Features(str(paths["LABELS"])),
        area=Features(str(paths["AREA"])),
        settings={"device": "cpu", "epochs": 2, "batch": 3, "window": 32, "wide": 100.0},
        outputs={"MODEL": str(tmp_path / "model.safetensors")},
    )


@pytest.mark.parametrize(
    ("settings", "trainings"),
    [({}, 2), ({"refit": False}, 1), ({"validation_share": 0.0}, 1), ({"cross_validation": 2}, 3)],
)
def test_training_draws_as_many_windows_as_was_said(
    job: Job, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], trainings: int
) -> None:
    job = replace(job, settings={**job.settings, **settings})
    said = HpclNetRecipe().estimate(replace(job, task="estimate"), Progress())
    drawn: list[int] = []
    real = Sampler.draw

    def counting(self: Sampler, epoch: int, step: int) -> Batch:
        drawn.append(self.batch)
        return real(self, epoch, step)

    monkeypatch.setattr(Sampler, "draw", counting)
    HpclNetRecipe().train(job, Progress())
    assert said.windows == (sum(drawn), sum(drawn)) == (trainings * 12,) * 2
    assert Path(job.output("MODEL")).stat().st_size < said.disk


def test_an_estimate_tries_what_only_begins_late_in_a_training(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Sampler.draw

    def remembering(self: Sampler, epoch: int, step: int) -> Batch:
        asked.append(epoch)
        return real(self, epoch, step)

    monkeypatch.setattr(Sampler, "draw", remembering)
    HpclNetRecipe().estimate(replace(job, task="estimate"), Progress())
    assert set(asked) == {1}


def test_what_a_training_refuses_its_estimate_refuses_too(job: Job) -> None:
    settings = {**job.settings, "vertical_unit": "fathom"}
    with pytest.raises(InputError, match="choose one of metre, decimetre"):
        HpclNetRecipe().estimate(replace(job, task="estimate", settings=settings), Progress())


def test_a_map_is_foreseen_without_labels(job: Job, tmp_path: Path) -> None:
    HpclNetRecipe().train(replace(job, settings={**job.settings, "refit": False}), Progress())
    mapping = replace(
        job, task="estimate", labels=None, area=None, model=job.output("MODEL"),
        settings={"device": "cpu"}, outputs={"CLASSES": str(tmp_path / "map.tif")},
    )  # fmt: skip
    said = HpclNetRecipe().estimate(mapping, Progress())
    found = HpclNetRecipe().predict(replace(mapping, task="predict"), Progress())
    assert said.windows == (found["WINDOWS"], found["WINDOWS"])
