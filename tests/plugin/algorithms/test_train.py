"""`traindas2f`: its parameters, its refusals, its run."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingParameterEnum,
    QgsProcessingParameterField,
    QgsRasterLayer,
    QgsVectorLayer,
)
from terraweave.core.card import read_card
from terraweave.core.families import FAMILIES
from terraweave.core.job import Job
from terraweave.core.settings import Setting
from terraweave.plugin.algorithms import base
from terraweave.plugin.algorithms.train import TrainAlgorithm
from terraweave.plugin.job import JobResult

RasterMaker = Callable[..., QgsRasterLayer]
Given = dict[str, Any]


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> TrainAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return TrainAlgorithm(FAMILIES["das2f"]).create()


@pytest.fixture
def given(raster: RasterMaker, fields_layer: QgsVectorLayer, tmp_path: Path) -> Given:
    """Values that can work."""
    return {
        "MS": [raster("ms", bands=4)],
        "PAN": [raster("pan", size=64)],
        "LABELS": fields_layer,
        "CLASS_FIELD": "class",
        "MODEL": str(tmp_path / "model.safetensors"),
    }


def refusal(algorithm: TrainAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence that the values are refused with, or an empty string."""
    fits, reason = algorithm.checkParameterValues(given, context)
    return "" if fits else reason


def test_parameters_are_the_public_ones(algorithm: TrainAlgorithm) -> None:
    names = [one.name() for one in algorithm.parameterDefinitions()]
    fixed = ["MS", "PAN", "LABELS", "LABELS_SELECTED_ONLY", "CLASS_FIELD", "AREA", "START_MODEL"]
    settings = [one.parameter for one in algorithm.family.train_settings]
    assert names == [*fixed, *settings, "MODEL", "REPORT"]
    outputs = [one.name() for one in algorithm.outputDefinitions()]
    assert outputs == ["MODEL", "REPORT", "OA", "AA", "KAPPA", "MACRO_F1"]


@pytest.mark.parametrize("setting", FAMILIES["das2f"].train_settings, ids=lambda one: one.key)
def test_setting_keeps_default_bounds_and_help(algorithm: TrainAlgorithm, setting: Setting) -> None:
    parameter = algorithm.parameterDefinition(setting.parameter)
    assert parameter.defaultValue() == setting.default
    assert setting.help in parameter.help()
    advanced = bool(parameter.flags() & Qgis.ProcessingParameterFlag.Advanced)
    assert advanced == setting.advanced
    if setting.choices:
        assert isinstance(parameter, QgsProcessingParameterEnum)
        assert parameter.usesStaticStrings()
        assert parameter.options() == [choice.key for choice in setting.choices]
    if setting.maximum is not None:
        assert parameter.maximum() == setting.maximum


def test_class_field_follows_the_labels(algorithm: TrainAlgorithm) -> None:
    field = algorithm.parameterDefinition("CLASS_FIELD")
    assert isinstance(field, QgsProcessingParameterField)
    assert field.parentLayerParameterName() == "LABELS"


@pytest.mark.usefixtures("with_worker")
def test_good_values_are_accepted(
    algorithm: TrainAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    assert refusal(algorithm, given, context) == ""


@pytest.mark.usefixtures("no_worker")
def test_missing_worker_is_explained(
    algorithm: TrainAlgorithm, given: Given, context: QgsProcessingContext
) -> None:
    possible, reason = algorithm.canExecute()
    assert not possible
    assert "worker environment of Terraweave is missing" in reason
    assert refusal(algorithm, given, context) == reason


REFUSALS = {
    "PAN with three bands": (
        lambda given, make: given.update(PAN=[make("pan3", bands=3, size=64)]),
        "“pan3” has 3 bands; choose a single-band raster",
    ),
    "no CRS": (
        lambda given, make: given.update(PAN=[make("bare", size=64, crs="")]),
        "“bare” has no coordinate system; set it",
    ),
    "no overlap": (
        lambda given, make: given.update(PAN=[make("far", box=(0, 0, 160, 160))]),
        "“ms” .* and “far” .* do not overlap",
    ),
    "three MS, two PAN": (
        lambda given, make: given.update(
            MS=[*given["MS"], make("ms2", bands=4), make("ms3", bands=4)],
            PAN=[*given["PAN"], make("pan2", size=64)],
        ),
        "has 3 and .* has 2 layers; give one of each for every scene",
    ),
    "field that does not exist": (
        lambda given, make: given.update(CLASS_FIELD="klass"),
        "“fields” has no field “klass”; choose one of class, number",
    ),
    "no field": (lambda given, make: given.pop("CLASS_FIELD"), "No class field"),
    "one class": (
        lambda given, make: given["LABELS"].setSubsetString("\"class\" = 'wood'"),
        "holds only the class “wood”",
    ),
    "one fold": (
        lambda given, make: given.update(CROSS_VALIDATION=1),
        "^One fold .* give 2 to 20, or 0 for a single split",
    ),
    "choice that there is not": (
        lambda given, make: given.update(DEVICE="abacus"),
        r"Device \(DEVICE\) cannot be “abacus”; choose one of auto, cuda, mps, cpu",
    ),
    "number out of bounds": (
        lambda given, make: given.update(EPOCHS=0),
        r"Epochs \(EPOCHS\) cannot be “0”; give a number from 1 to 10000",
    ),
    "no number at all": (
        lambda given, make: given.update(SEED="many"),
        r"Seed \(SEED\) cannot be “many”; give a number of at least 0",
    ),
    "labels without features": (
        lambda given, make: given["LABELS"].setSubsetString("\"class\" = 'lawn'"),
        "“fields” has no features; draw what is to be learnt, or choose other labels",
    ),
    "labels elsewhere": (
        lambda given, make: given["LABELS"].setCrs(make("x", crs="EPSG:32638").crs()),
        "do not overlap",
    ),
    "nothing selected": (
        lambda given, make: given.update(LABELS_SELECTED_ONLY=True),
        "No features of “fields” are selected",
    ),
    "class raster with two bands": (
        lambda given, make: given.update(LABELS=make("classes", bands=2)),
        "“classes” has 2 bands; choose one with a single band",
    ),
    "start model that is gone": (
        lambda given, make: given.update(START_MODEL="/nowhere/m.safetensors"),
        "There is no model file “/nowhere/m.safetensors”",
    ),
    "output in a folder that is a file": (
        lambda given, make: given.update(MODEL=given["MS"][0].source() + "/m.safetensors"),
        "cannot be written to the folder",
    ),
    "output that is an input": (
        lambda given, make: given.update(REPORT=given["MS"][0].source()),
        "REPORT is the same file as an input",
    ),
}


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize("case", REFUSALS)
def test_bad_values_are_refused_with_a_sentence(
    algorithm: TrainAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    raster: RasterMaker,
    case: str,
) -> None:
    spoil, sentence = REFUSALS[case]
    spoil(given, raster)
    assert re.search(sentence, refusal(algorithm, given, context))


@pytest.mark.usefixtures("with_worker")
def test_settings_that_do_not_go_together_are_refused_in_the_form(
    given: Given, context: QgsProcessingContext, raster: RasterMaker
) -> None:
    algorithm = TrainAlgorithm(FAMILIES["hpclnet"]).create()
    slides = {
        "IMAGE": given["MS"], "DEM": [raster("dem")], "LABELS": given["LABELS"],
        "MODEL": given["MODEL"],
    }  # fmt: skip
    assert refusal(algorithm, slides, context) == ""
    text = refusal(algorithm, {**slides, "WINDOW": 33}, context)
    assert "“small” takes multiples of 8, such as 32 or 40" in text
    text = refusal(algorithm, {**slides, "WINDOW": 40, "PROFILE": "paper"}, context)
    assert "“paper” takes multiples of 16, such as 32 or 48" in text


@pytest.mark.usefixtures("with_worker")
def test_run_without_a_check_before_refuses_too(
    algorithm: TrainAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    given["CLASS_FIELD"] = "klass"
    _, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert not done
    assert "has no field “klass”" in listener.texts("error")[0]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The job documents that would go to the worker, with the labels as they were then."""
    seen: list[dict[str, object]] = []

    def keep(job: Job, feedback: QgsProcessingFeedback) -> JobResult:
        document = job.to_json()
        labels = Path(job.labels.path) if job.labels else None
        if labels is not None and labels.suffix == ".geojson":
            document["label_features"] = json.loads(labels.read_text())["features"]
        seen.append(document)
        return JobResult({}, {"OA": 0.75, "KAPPA": None})

    monkeypatch.setattr(base, "run_job", keep)
    return seen


@pytest.mark.usefixtures("with_worker")
def test_job_has_inputs_labels_and_settings(
    algorithm: TrainAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[dict[str, Any]],
) -> None:
    given |= {"EPOCHS": "3", "LEARNING_RATE": 0.01, "DEVICE": "cpu", "REFIT": "false"}
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    (job,) = jobs
    assert done
    assert job["task"] == "train"
    assert [one["name"] for one in job["inputs"]["MS"]] == ["ms"]
    assert job["inputs"]["PAN"][0]["path"] == given["PAN"][0].source()
    chosen = {key: job["settings"][key] for key in ("epochs", "learning_rate", "device", "refit")}
    assert chosen == {"epochs": 3, "learning_rate": 0.01, "device": "cpu", "refit": False}
    assert len(job["label_features"]) == 4
    assert job["outputs"] == {"MODEL": given["MODEL"]}
    assert results["OA"] == 0.75
    assert "KAPPA" not in results
    assert not Path(job["labels"]["path"]).exists()


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize("way", ["switch", "definition"])
def test_selected_labels_only(
    algorithm: TrainAlgorithm,
    given: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[dict[str, Any]],
    way: str,
) -> None:
    layer = given["LABELS"]
    layer.selectByExpression("\"class\" <> 'wheat'")
    if way == "switch":
        given["LABELS_SELECTED_ONLY"] = True
    else:
        given["LABELS"] = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    _, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    found = sorted(one["properties"]["class"] for one in jobs[0]["label_features"])
    assert found == ["lake", "wood"]


@pytest.mark.slow
@pytest.mark.usefixtures("with_worker")
def test_training_writes_model_report_and_scores(
    sample_scene: Path,
    tmp_path: Path,
    algorithm: TrainAlgorithm,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
) -> None:
    given = {
        "MS": [str(sample_scene / "ms.tif")],
        "PAN": [str(sample_scene / "pan.tif")],
        "LABELS": str(sample_scene / "labels.gpkg"),
        "CLASS_FIELD": "class_name",
        "EPOCHS": 1,
        "BATCH": 2,
        "REFIT": False,
        "DEVICE": "cpu",
        "MODEL": str(tmp_path / "new folder" / "model.safetensors"),
        "REPORT": str(tmp_path / "report.html"),
    }
    results, done = algorithm.run(given, context, listener, catchExceptions=False)
    assert done
    assert read_card(given["MODEL"]).family == "das2f"
    assert "<html" in Path(given["REPORT"]).read_text(encoding="utf-8").lower()
    assert 0 <= results["OA"] <= 1
    assert any(text.startswith("Epoch 1 of 1: loss") for text in listener.texts("info"))
    assert listener.progress() == 100
