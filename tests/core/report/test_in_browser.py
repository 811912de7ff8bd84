"""Reports open in a real browser, without a complaint and without a request to anywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from terraweave.core.accuracy.scores import Scores
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.report.training import TrainingReport, split_maps, write_training_report
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


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_report_opens_without_a_complaint(tmp_path: Path, dark: bool) -> None:
    page = written(tmp_path / "report.html")
    picture = tmp_path / "picture.png"
    run = subprocess.run(
        [
            str(BROWSER), *_QUIET, f"--user-data-dir={tmp_path / 'profile'}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            "--window-size=900,2000", f"--screenshot={picture}", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert not re.search(r":CONSOLE[:(]", run.stderr)
    from matplotlib.image import imread

    corner = imread(picture)[5, 5, :3]
    assert (corner < 0.3).all() if dark else (corner > 0.9).all()
