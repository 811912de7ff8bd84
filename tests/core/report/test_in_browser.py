"""Reports open in a real browser, without a complaint and without a request to anywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from terraweave.core.accuracy.assess import assess
from terraweave.core.accuracy.scores import Scores
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.report.training import TrainingReport, split_maps, write_training_report
from terraweave.core.scene.grid import Grid, Shape
from terraweave.core.scene.sink import ClassSink
from terraweave.core.training.split import blocked_split

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=2000",
)  # fmt: skip


def written(path: Path) -> Path:
    classes = tuple(
        MapClass(i + 1, name, color)
        for i, (name, color) in enumerate(
            {"roads & <b>lanes</b>": "#5a5a5a", "fields": "#00c800", "water": "#0072b2"}.items()
        )
    )
    rows, columns = (grid.ravel() for grid in np.indices((60, 60)))
    values = (columns // 9 + rows // 13) % 3 + 1
    split = blocked_split(rows, columns, values, classes=classes, share=0.25, gap=4, seed=0)
    inputs = (CardInput("MS", (Band("red"),), (1.0,), (2.0,), 1.0),)
    report = TrainingReport(
        "Land cover",
        Card("das2f", "town", inputs, classes, 8, 7, {"levels": 1}),
        epochs=[{"epoch": e + 1, "loss": 1 / (e + 1), "macro_f1": e / 9} for e in range(9)],
        best_epoch=8,
        scores=Scores.from_matrix(np.eye(3) * 50 + 3, classes),
        split=split,
        maps=split_maps(split, rows, columns, rows * 0, ["scene"], [(60, 60)]),
    )
    write_training_report(path, report)
    return path


def assessed(path: Path) -> Path:
    """The report of a map of footprints, with a bit of everything that such a report can have."""
    classes = (
        MapClass(1, "background", "#cccccc"),
        MapClass(2, "mine & <b>pit</b>", "#d55e00"),
    )
    truth = np.ones((60, 80), int)
    truth[5:20, 5:25] = truth[30:50, 40:70] = 2
    mapped = np.roll(truth, 3, axis=1)
    mapped[52:58, 5:9] = 2
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    grid = Grid(CRS.from_epsg(32632).to_wkt(), transform, Shape(60, 80))
    for name, values in (("map.tif", mapped), ("truth.tif", truth)):
        with ClassSink(path.with_name(name), grid, classes) as sink:
            sink.write(grid.window, values)
    job = Job(
        "assess",
        inputs={"CLASSES": (Source(str(path.with_name("map.tif"))),)},
        labels=Features(str(path.with_name("truth.tif"))),
        settings={"unmarked": "background", "sample": "yes"},
        outputs={"REPORT": str(path)},
    )
    assess(job, Progress())
    return path


def browsed(page: Path, *arguments: str) -> str:
    """What the browser says while it shows `page`."""
    run = subprocess.run(
        [
            str(BROWSER), *_QUIET, f"--user-data-dir={page.with_name('profile')}",
            *arguments, page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return run.stderr


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("write", [written, assessed])
@pytest.mark.parametrize("dark", [False, True])
def test_report_opens_without_a_complaint(
    tmp_path: Path, dark: bool, write: Callable[[Path], Path]
) -> None:
    page = write(tmp_path / "report.html")
    picture = tmp_path / "picture.png"
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    said = browsed(page, *scheme, "--window-size=900,2000", f"--screenshot={picture}")
    assert not re.search(r":CONSOLE[:(]", said)
    from matplotlib.image import imread

    corner = imread(picture)[5, 5, :3]
    assert (corner < 0.3).all() if dark else (corner > 0.9).all()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("write", [written, assessed])
def test_report_prints_on_a_few_pages(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    page, paper = write(tmp_path / "report.html"), tmp_path / "report.pdf"
    said = browsed(page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert not re.search(r":CONSOLE[:(]", said)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) <= 6
