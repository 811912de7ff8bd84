"""What a MineC2FNet training in one stage or two will take, counted."""

from dataclasses import replace
from pathlib import Path

import pytest
from terraweave.core.families.minec2fnet.recipe import MineC2FNetRecipe
from terraweave.core.job import Job
from terraweave.core.progress import Progress
from terraweave.core.segmentation import foresee
from terraweave.core.segmentation.sampler import Batch, Sampler

from .places import QUICK, scenes


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
