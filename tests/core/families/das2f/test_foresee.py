"""What a run will take, compared by counts with the run itself; never by the clock."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terraweave.core.errors import InputError
from terraweave.core.estimate import Estimate
from terraweave.core.families.das2f import foresee as foresee_module, learn as learn_module
from terraweave.core.families.das2f.apply import predict
from terraweave.core.families.das2f.fit import PixelTrainee
from terraweave.core.families.das2f.foresee import foresee
from terraweave.core.families.das2f.learn import learn
from terraweave.core.job import Extent, Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.samples import landcover
from torch import Tensor

Pairs = Callable[..., Any]


@pytest.fixture(autouse=True)
def short_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted here does not depend on how long was tried."""
    real = foresee_module.seconds_each

    def tried(work: Callable[[int], None], **_: object) -> float:
        return real(work, first=4, most=4)

    monkeypatch.setattr(foresee_module, "seconds_each", tried)
    monkeypatch.setattr(foresee_module, "STEPS_PER_EPOCH", 5)


def told(job: Job) -> Estimate:
    """The estimate of a job."""
    return foresee(replace(job, task="estimate"), Progress())


def test_exact_looks_at_as_many_windows_as_was_said(pair: Pairs) -> None:
    scene = pair(15, 17)
    job = scene.job(mode="exact")
    assert told(job).windows == (15 * 17, 15 * 17)
    assert predict(job, Progress())["WINDOWS"] == 15 * 17


def test_missing_pixels_are_not_counted(pair: Pairs) -> None:
    scene = pair(16, 20)
    scene.ms_values[:, :5, :7] = -1
    scene.write(nodata=-1)
    job = scene.job(mode="exact")
    expected = predict(job, Progress())["WINDOWS"]
    assert expected == 16 * 20 - 35
    assert told(job).windows == (expected, expected)


def test_an_extent_is_counted_alone(pair: Pairs) -> None:
    scene = pair(15, 17)
    extent = Extent(500010, 5400000 - 20, 500030, 5400000 - 8, "EPSG:32632")
    job = replace(scene.job(mode="exact"), extent=extent)
    assert told(job).windows == (60, 60)


@pytest.mark.parametrize("mode", ["stride", "preview", "adaptive"])
def test_a_filled_map_takes_about_as_many_windows_as_was_said(pair: Pairs, mode: str) -> None:
    scene = pair(70, 90)
    job = scene.job(mode=mode)
    low, high = told(job).windows
    assert 0.8 * low <= predict(job, Progress())["WINDOWS"] <= 1.2 * high


def test_orientations_multiply_the_time_and_not_the_windows(pair: Pairs) -> None:
    scene = pair(12, 13)
    once, eight = (told(scene.job(mode="exact", orientations=n)) for n in ("1", "8"))
    assert once.windows == eight.windows
    assert eight.work[1] > 4 * once.work[1]


def test_files_stay_below_the_disk_that_was_said(pair: Pairs) -> None:
    scene = pair(64, 64)
    job = scene.job(mode="stride")
    said = told(job).disk
    predict(job, Progress())
    written = [Path(path).stat().st_size for path in job.outputs.values()]
    # A small file is mostly header.
    assert sum(written) < said + 2**14


def test_what_a_run_refuses_an_estimate_refuses_too(pair: Pairs) -> None:
    scene = pair(12, 13)
    with pytest.raises(InputError, match="Choose one MS raster"):
        told(replace(scene.job(), inputs={}))


def training(folder: Path, **settings: object) -> Job:
    """A training on a small sample scene."""
    landcover.write(folder, 64)
    return Job(
        "train",
        "das2f",
        inputs={"MS": (Source(str(folder / "ms.tif")),), "PAN": (Source(str(folder / "pan.tif")),)},
        labels=Features(str(folder / "labels.gpkg"), field="class_name"),
        settings={"device": "cpu", "epochs": 1, "batch": 2, **settings},
        outputs={"MODEL": str(folder / "model.safetensors")},
    )


@pytest.mark.parametrize(
    ("settings", "trainings"),
    [({"refit": True}, 2), ({"refit": False}, 1), ({"validation_share": 0.0}, 1)],
)
def test_training_draws_as_many_windows_as_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], trainings: int
) -> None:
    job = training(tmp_path, **settings)
    said = told(job)
    drawn = []
    real = PixelTrainee.draw

    def counted(self: PixelTrainee, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        index, orientation = real(self, epoch, step)
        drawn.append(len(index))
        return index, orientation

    monkeypatch.setattr(PixelTrainee, "draw", counted)
    monkeypatch.setattr(learn_module, "STEPS_PER_EPOCH", 5)
    learn(job, Progress())
    assert said.windows == (sum(drawn), sum(drawn)) == (trainings * 10,) * 2
    assert Path(job.output("MODEL")).stat().st_size < said.disk


def test_estimating_a_training_writes_nothing(tmp_path: Path) -> None:
    job = training(tmp_path)
    before = sorted(tmp_path.iterdir())
    told(job)
    assert sorted(tmp_path.iterdir()) == before


def test_folds_are_trainings_too(tmp_path: Path) -> None:
    job = training(tmp_path, cross_validation=3)
    assert told(job).windows == (4 * 10,) * 2
    alone = replace(job, settings={**job.settings, "cross_validation": 1})
    with pytest.raises(InputError, match="One fold"):
        told(alone)


def test_scattered_tiles_lie_in_the_region() -> None:
    region = foresee_module.Window(3, 5, 41, 1000)
    for tile in foresee_module._scattered(region, 20, 32):
        assert tile.intersection(region) == tile
        assert np.all([(tile.row - 3) % 4 == 0, (tile.column - 5) % 4 == 0])
