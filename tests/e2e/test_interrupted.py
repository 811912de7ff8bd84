"""Runs that are cut short: a killed worker, a killed host, a full disk, a cancel."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsRasterLayer,
)
from terraweave.core.card import read_card, unfinished
from terraweave.core.families import FAMILIES
from terraweave.core.worker.wire import GRACE_SECONDS
from terraweave.plugin.algorithms.predict import PredictAlgorithm
from terraweave.plugin.algorithms.train import TrainAlgorithm
from terraweave.plugin.interpreter import VARIABLE

Given = dict[str, Any]
Headless = Any
# On top of the worker's own grace: the machine may be busy with something else.
SLACK = 30.0


def long_mapping(mapping: Given) -> Given:
    """The same prediction, of every pixel in all orientations: minutes of work."""
    return mapping | {"MODE": "exact", "ORIENTATIONS": "8"}


def files_in(folder: Path) -> set[str]:
    """The names of the files in a folder that a person sees."""
    return {one.name for one in folder.iterdir() if not one.name.startswith(".")}


def test_killed_worker_is_a_sentence_and_the_old_file_stays(
    headless: Headless, mapping: Given, tmp_path: Path
) -> None:
    old = Path(mapping["CLASSES"])
    old.write_text("the old map")
    host = headless.start("predictdas2f", long_mapping(mapping))
    headless.read_until(host, "Classifying")
    os.kill(headless.worker_of(host), signal.SIGKILL)
    text, _ = host.communicate(timeout=300)
    assert host.returncode == 1
    assert "The worker was killed by SIGKILL, perhaps for lack of memory" in text
    assert old.read_text() == "the old map"
    assert files_in(tmp_path) == {"classes.tif"}


def test_next_run_clears_what_a_killed_one_left(headless: Headless, mapping: Given) -> None:
    folder = Path(mapping["CLASSES"]).parent
    host = headless.start("predictdas2f", long_mapping(mapping))
    headless.read_until(host, "Classifying")
    os.kill(headless.worker_of(host), signal.SIGKILL)
    host.communicate(timeout=300)
    status, text = headless.run("predictdas2f", mapping)
    assert status == 0, text
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_killed_host_leaves_no_worker_and_no_half_file(
    headless: Headless, training: Given, tmp_path: Path
) -> None:
    host = headless.start("traindas2f", training)
    headless.read_until(host, "Epoch 1 of")
    worker_ended = headless.watch(headless.worker_of(host))
    host.kill()
    assert worker_ended(GRACE_SECONDS + SLACK)
    host.communicate()
    model = Path(training["MODEL"])
    # The worker keeps the best epoch on its way out; whole or not at all.
    if model.exists():
        assert read_card(model).family == "das2f"
        assert "was not finished: it was stopped after epoch" in unfinished(read_card(model))
    assert {Path(name).suffix for name in files_in(tmp_path)} <= {".safetensors", ".resume"}


def test_full_disk_is_a_sentence_and_the_old_file_stays(
    headless: Headless, mapping: Given, small_disk: Path
) -> None:
    old = small_disk / "classes.tif"
    old.write_text("the old map")
    (small_disk / "ballast").write_bytes(bytes(52 * 1024))
    mapping["CLASSES"] = str(old)
    mapping["CONFIDENCE"] = str(small_disk / "confidence.tif")
    status, text = headless.run("predictdas2f", mapping)
    assert status == 1
    assert "free some space" in text.lower()
    assert old.read_text() == "the old map"
    assert files_in(small_disk) == {"classes.tif", "ballast"}


@pytest.fixture
def in_process(worker_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QGIS in this process finds the worker."""
    monkeypatch.setenv(VARIABLE, str(worker_python))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("in_process")
def test_cancelled_training_keeps_the_best_epoch(
    training: Given,
    context: QgsProcessingContext,
    cancelling_at: Callable[[str], QgsProcessingFeedback],
) -> None:
    algorithm = TrainAlgorithm(FAMILIES["das2f"]).create()
    sentence = r"^Cancelled; the best epoch so far .* is kept in model\.safetensors"
    with pytest.raises(QgsProcessingException, match=sentence):
        algorithm.run(training, context, cancelling_at("Epoch 1 of"), catchExceptions=False)
    assert read_card(training["MODEL"]).classes


@pytest.mark.usefixtures("in_process")
def test_cancelled_prediction_leaves_the_old_map(
    mapping: Given,
    context: QgsProcessingContext,
    cancelling_at: Callable[[str], QgsProcessingFeedback],
    tmp_path: Path,
) -> None:
    Path(mapping["CLASSES"]).write_text("the old map")
    algorithm = PredictAlgorithm(FAMILIES["das2f"]).create()
    given = long_mapping(mapping)
    with pytest.raises(QgsProcessingException, match=r"^The run was cancelled\.$"):
        algorithm.run(given, context, cancelling_at("Classifying"), catchExceptions=False)
    assert Path(mapping["CLASSES"]).read_text() == "the old map"
    assert [one.name for one in tmp_path.iterdir()] == ["classes.tif"]


def test_two_qgis_with_one_worker_environment_and_one_output_leave_a_whole_map(
    headless: Headless, mapping: Given, tmp_path: Path
) -> None:
    hosts = [headless.start("predictdas2f", mapping) for _ in range(2)]
    texts = [host.communicate(timeout=300)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], texts
    made = QgsRasterLayer(mapping["CLASSES"])
    assert made.isValid()
    assert made.dataProvider().bandStatistics(1).minimumValue > 0
    leftovers = [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]
    assert leftovers == []
