"""What a MineC2FNet training in one stage or two will take, counted."""

from dataclasses import replace
from pathlib import Path

import pytest
from terraweave.core.errors import InputError
from terraweave.core.families.minec2fnet.recipe import MineC2FNetRecipe
from terraweave.core.job import Job
from terraweave.core.progress import Progress
from terraweave.core.segmentation import foresee
from terraweave.core.segmentation.sampler import Batch, Sampler
from terraweave.core.segmentation.segmenter import TrainedSegmenter
from torch import Tensor

from .places import QUICK, refinement_of, scenes, write_teacher


@pytest.mark.parametrize("stages", [1, 2])
def test_training_draws_as_many_windows_as_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: int
) -> None:
    monkeypatch.setattr(foresee, "seconds_each", lambda work, **_: float(work(1) or 0.5))
    images, labels = scenes(tmp_path, range(2), "coarse")
    job = Job(
        "train",
        "minec2fnet",
        inputs={"IMAGE": images},
        labels=labels,
        settings={**QUICK, "fine_epochs": 1, "validation_share": 0.3, "block": 36},
        outputs={"MODEL": str(tmp_path / "model.safetensors")},
    )
    if stages == 2:
        fine_images, fine_labels = scenes(tmp_path, range(2, 4), "fine")
        job = replace(
            job,
            inputs={**job.inputs, "FINE_IMAGE": fine_images},
            features={"FINE_LABELS": fine_labels},
        )
    said = MineC2FNetRecipe().estimate(replace(job, task="estimate"), Progress())
    drawn: list[int] = []
    real = Sampler.draw

    def counting(self: Sampler, epoch: int, step: int) -> Batch:
        drawn.append(self.batch)
        return real(self, epoch, step)

    monkeypatch.setattr(Sampler, "draw", counting)
    MineC2FNetRecipe().train(job, Progress())
    assert said.windows == (sum(drawn), sum(drawn))


@pytest.mark.parametrize("with_old", [False, True])
def test_a_refinement_looks_at_as_much_as_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_old: bool
) -> None:
    # Each step and each window that is judged counts as a second, and nothing else does.
    monkeypatch.setattr(foresee, "seconds_each", lambda work, **_: float(work(1) or 1.0))
    monkeypatch.setattr(foresee.time, "perf_counter", lambda: 0.0)
    path = write_teacher(tmp_path / "first.safetensors", ("", "", ""))
    images, labels = scenes(tmp_path, range(2), "fine")
    job = refinement_of(path, images, labels, tmp_path)
    job = replace(job, settings={**job.settings, "validation_share": 0.3, "block": 36})
    if with_old:
        old, old_labels = scenes(tmp_path, range(2, 4), "coarse")
        inputs = {**job.inputs, "OLD_IMAGE": old}
        job = replace(job, inputs=inputs, features={"OLD_LABELS": old_labels})
    said = MineC2FNetRecipe().estimate(replace(job, task="estimate", about="refine"), Progress())
    drawn: list[int] = []
    judged: list[int] = []
    draw, look = Sampler.draw, TrainedSegmenter.probabilities

    def drawing(self: Sampler, epoch: int, step: int) -> Batch:
        drawn.append(self.batch)
        return draw(self, epoch, step)

    def looking(self: TrainedSegmenter, values: Tensor, valid: Tensor) -> Tensor:
        judged.append(len(values))
        return look(self, values, valid)

    monkeypatch.setattr(Sampler, "draw", drawing)
    monkeypatch.setattr(TrainedSegmenter, "probabilities", looking)
    MineC2FNetRecipe().refine(job, Progress())
    assert said.windows == (sum(drawn), sum(drawn))
    assert said.work == (len(drawn) + sum(judged),) * 2


def test_an_estimate_refuses_what_the_refinement_would(tmp_path: Path) -> None:
    images, labels = scenes(tmp_path, range(1), "fine")
    job = refinement_of(tmp_path / "none.safetensors", images, labels, tmp_path)
    asked = replace(job, task="estimate", about="refine", model="")
    with pytest.raises(InputError, match="No teacher was given"):
        MineC2FNetRecipe().estimate(asked, Progress())
