"""What a map will take, compared by counts with the map itself; never by the clock."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from terraweave.core.card import Card
from terraweave.core.errors import InputError
from terraweave.core.estimate import Estimate
from terraweave.core.job import Extent, Job
from terraweave.core.progress import Progress
from terraweave.core.scene.grid import Shape, Window
from terraweave.core.segmentation import blending, foresee as module
from terraweave.core.segmentation.foresee import foresee_prediction
from terraweave.core.segmentation.predict import predict
from terraweave.core.segmentation.validation import HeldOut

from .stand_in import FAMILY, PLACE, job_for, write_card, write_image
from .test_validation import EDGE, site

Make = Callable[..., Any]
Run = Callable[[Job], tuple[Estimate, dict[str, object]]]


@pytest.fixture(autouse=True)
def short_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted here does not depend on how long was tried."""
    monkeypatch.setattr(module, "seconds_each", lambda work, **_: float(work(1) or 1.0))


@pytest.fixture
def run(bright: Make) -> Run:
    """The estimate of a job, and what the job then reports."""

    def make(card: Card, device: torch.device) -> Any:  # noqa: ANN401
        return bright()

    def both(job: Job) -> tuple[Estimate, dict[str, object]]:
        said = foresee_prediction(replace(job, task="estimate"), Progress(), FAMILY, make)
        return said, predict(job, Progress(), FAMILY, make)

    return both


def job(folder: Path, values: NDArray[np.float64], gsd: float = 2.0, **settings: object) -> Job:
    model = write_card(folder / "m.safetensors")
    return job_for(write_image(folder / "image.tif", values, gsd=gsd), model, **settings)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("gsd", [0.9, 2.0])
def test_map_looks_at_as_many_windows_as_was_said(
    tmp_path: Path, run: Run, overlap: float, gsd: float
) -> None:
    said, values = run(job(tmp_path, np.full((61, 83), 90.0), gsd, overlap=overlap))
    assert said.windows == (values["WINDOWS"], values["WINDOWS"])


def test_windows_without_data_are_not_counted(tmp_path: Path, run: Run) -> None:
    values = np.full((64, 96), 90.0)
    values[:40, :70] = np.nan
    said, found = run(job(tmp_path, values))
    whole, _ = run(job(tmp_path, np.full((64, 96), 90.0)))
    assert said.windows == (found["WINDOWS"], found["WINDOWS"])
    assert said.windows[0] < whole.windows[0]


def test_an_extent_is_counted_alone(tmp_path: Path, run: Run) -> None:
    x, y = PLACE
    extent = Extent(x + 20, y - 90, x + 70, y - 40, "EPSG:32632")
    said, found = run(replace(job(tmp_path, np.full((80, 90), 90.0)), extent=extent))
    assert said.windows == (found["WINDOWS"], found["WINDOWS"])


def test_lanes_of_a_wide_scene_are_counted_as_they_are_worked(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blending, "LANE", 32)
    said, found = run(job(tmp_path, np.full((40, 90), 90.0)))
    assert said.windows == (found["WINDOWS"], found["WINDOWS"])


def test_a_large_scene_is_looked_at_in_parts(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COUNTED", 3000)
    said, found = run(job(tmp_path, np.full((160, 170), 90.0)))
    low, high = said.windows
    assert low < found["WINDOWS"] <= high


def test_orientations_multiply_the_time_and_not_the_windows(tmp_path: Path, run: Run) -> None:
    once, _ = run(job(tmp_path, np.full((40, 50), 90.0), orientations="1"))
    eight, _ = run(job(tmp_path, np.full((40, 50), 90.0), orientations="8"))
    assert once.windows == eight.windows
    assert eight.work[0] > 7 * once.work[0]


def test_files_stay_below_the_disk_that_was_said(tmp_path: Path, run: Run) -> None:
    random = np.random.default_rng(0).normal(100, 20, (128, 128))
    one = job(tmp_path, random)
    said, _ = run(one)
    written = sum(Path(path).stat().st_size for path in one.outputs.values())
    assert written < said.disk


def test_what_a_map_refuses_its_estimate_refuses_too(tmp_path: Path, run: Run) -> None:
    with pytest.raises(InputError, match="cannot see in this image what it has learnt to see"):
        run(job(tmp_path, np.full((40, 50), 90.0), gsd=5.0))


def test_judging_gives_the_network_as_many_windows_as_was_said(bright: Make) -> None:
    mask = np.zeros((EDGE, EDGE), bool)
    mask[3:, :20] = True
    ground = HeldOut([site()], [mask], 16)
    quick, whole = ground.windows()
    segmenter = bright()
    ground.quick(segmenter)
    assert sum(segmenter.asked) == quick
    segmenter.asked.clear()
    ground.whole(segmenter, Progress())
    assert sum(segmenter.asked) == whole


def test_a_region_is_touched_by_as_many_windows_as_are_laid_over_it() -> None:
    shape, region = Shape(50, 70), Window(13, 20, 9, 31)
    down, across = blending.Axis(50, 16, 8), blending.Axis(70, 16, 8)

    def beginnings(axis: blending.Axis) -> range:
        return range(axis.first, axis.first + axis.count * axis.step, axis.step)

    touching = [
        (top, left)
        for top in beginnings(down)
        for left in beginnings(across)
        if Window(top, left, 16, 16).intersection(region)
    ]
    assert blending.windows_touching(shape, region, 16, 8) == len(touching)
