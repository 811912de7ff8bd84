"""`trainminec2fnet` with a second stage, and `refineminec2fnet`: parameters, refusals, runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from terraweave.core.card import Band, Card, CardInput, read_card
from terraweave.core.classes import MapClass
from terraweave.core.families import FAMILIES
from terraweave.core.job import Job
from terraweave.plugin.algorithms import base
from terraweave.plugin.algorithms.refine import RefineAlgorithm
from terraweave.plugin.algorithms.train import TrainAlgorithm
from terraweave.plugin.job import JobResult

RasterMaker = Callable[..., QgsRasterLayer]
Given = dict[str, Any]
FAMILY = FAMILIES["minec2fnet"]


@pytest.fixture
def training(qgis_app: QgsApplication) -> TrainAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return TrainAlgorithm(FAMILY).create()


@pytest.fixture
def refining(qgis_app: QgsApplication) -> RefineAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return RefineAlgorithm(FAMILY).create()


@pytest.fixture
def coarse(raster: RasterMaker, fields_layer: QgsVectorLayer, tmp_path: Path) -> Given:
    """Values for a training in two stages that can work."""
    return {
        "IMAGE": [raster("first", bands=4)],
        "LABELS": fields_layer,
        "FINE_IMAGE": [raster("second", bands=4)],
        "FINE_LABELS": fields_layer,
        "MODEL": str(tmp_path / "model.safetensors"),
    }


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would go to the worker."""
    seen: list[Job] = []

    def keep(job: Job, feedback: QgsProcessingFeedback) -> JobResult:
        seen.append(job)
        return JobResult({}, {"IOU": 0.5})

    monkeypatch.setattr(base, "run_job", keep)
    return seen


def refusal(algorithm: TrainAlgorithm, given: Given, context: QgsProcessingContext) -> str:
    """The sentence that the values are refused with, or an empty string."""
    fits, reason = algorithm.checkParameterValues(given, context)
    return "" if fits else reason


class Asking(QgsProcessingFeedback):
    """A feedback that wants to know what the run would take, and not the run."""

    def __init__(self) -> None:
        super().__init__(False)
        self.estimate_places: dict[str, str] = {}
        self.told: dict[str, Any] = {}

    def take_estimate(self, values: dict[str, Any]) -> None:
        self.told = dict(values)


def points() -> QgsVectorLayer:
    layer = QgsVectorLayer("Point?crs=EPSG:32632", "spots", "memory")
    QgsProject.instance().addMapLayer(layer)
    return layer


def test_parameters_of_the_training_are_the_public_ones(training: TrainAlgorithm) -> None:
    names = [one.name() for one in training.parameterDefinitions()]
    labels = ["IMAGE", "LABELS", "LABELS_SELECTED_ONLY", "CLASS_FIELD", "AREA", "START_MODEL"]
    fine = ["FINE_IMAGE", "FINE_LABELS", "FINE_AREA"]
    settings = [one.parameter for one in FAMILY.train_settings]
    assert names == [*labels, *fine, *settings, "MODEL", "REPORT"]
    kinds = training.parameterDefinition("LABELS")
    assert isinstance(kinds, QgsProcessingParameterMapLayer)
    assert QgsProcessing.SourceType.TypeVectorPoint not in kinds.dataTypes()


def test_parameters_of_the_refinement_are_the_public_ones(refining: RefineAlgorithm) -> None:
    assert FAMILY.refinement is not None
    names = [one.name() for one in refining.parameterDefinitions()]
    labels = ["IMAGE", "LABELS", "LABELS_SELECTED_ONLY", "CLASS_FIELD", "AREA", "TEACHER"]
    old = ["OLD_IMAGE", "OLD_LABELS", "OLD_AREA"]
    settings = [one.parameter for one in FAMILY.refinement.settings]
    assert names == [*labels, *old, *settings, "MODEL", "REPORT"]
    outputs = [one.name() for one in refining.outputDefinitions()]
    assert outputs[:7] == ["MODEL", "REPORT", "IOU", "F1", "PRECISION", "RECALL", "THRESHOLD"]


REFUSALS = {
    "precise images without labels": (
        lambda given, make: given.pop("FINE_LABELS"),
        "FINE_LABELS is missing, although FINE_IMAGE is given; give both, or none",
    ),
    "precise labels without images": (
        lambda given, make: given.pop("FINE_IMAGE"),
        "FINE_IMAGE is missing, although FINE_LABELS is given",
    ),
    "a precise area alone": (
        lambda given, make: given.update(
            FINE_AREA=given["LABELS"], FINE_IMAGE=None, FINE_LABELS=None
        ),
        "FINE_IMAGE and FINE_LABELS are missing, although FINE_AREA is given",
    ),
    "precise labels elsewhere": (
        lambda given, make: given.update(FINE_IMAGE=[make("far", bands=4, box=(0, 0, 160, 160))]),
        "“far” .* do not overlap",
    ),
    "points": (
        lambda given, make: given.update(FINE_LABELS=points()),
        "“spots” .*(holds points; this family learns outlines|do not overlap)",
    ),
    "points at first": (
        lambda given, make: given.update(LABELS=points()),
        "“spots”",
    ),
}


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize("case", REFUSALS)
def test_bad_values_are_refused_with_a_sentence(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    raster: RasterMaker,
    case: str,
) -> None:
    spoil, sentence = REFUSALS[case]
    spoil(coarse, raster)
    assert re.search(sentence, refusal(training, coarse, context))


@pytest.mark.usefixtures("with_worker")
def test_both_stages_go_into_one_job(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[Job],
) -> None:
    coarse |= {"FINE_AREA": coarse["LABELS"], "FINE_EPOCHS": 2, "CLASS_FIELD": "class"}
    results, done = training.run(coarse, context, listener, catchExceptions=False)
    assert done
    (job,) = jobs
    assert {role: [one.name for one in some] for role, some in job.inputs.items()} == {
        "IMAGE": ["first"], "FINE_IMAGE": ["second"],
    }  # fmt: skip
    assert set(job.features) == {"FINE_LABELS", "FINE_AREA"}
    assert job.features["FINE_LABELS"].field == "class"
    assert job.settings["fine_epochs"] == 2
    assert results["IOU"] == 0.5


@pytest.mark.usefixtures("with_worker")
def test_a_list_a_vrt_and_a_folder_are_scenes(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[Job],
    tmp_path: Path,
) -> None:
    from osgeo import gdal

    first, second = (coarse[name][0].source() for name in ("IMAGE", "FINE_IMAGE"))
    virtual = tmp_path / "both.vrt"
    gdal.BuildVRT(str(virtual), [first, second]).FlushCache()
    plain = {key: coarse[key] for key in ("LABELS", "MODEL")}
    for given in ([first, second], str(virtual), str(tmp_path)):
        training.run({**plain, "IMAGE": given}, context, listener, catchExceptions=False)
    found = [[Path(one.path).name for one in job.inputs["IMAGE"]] for job in jobs]
    assert found == [
        ["first.tif", "second.tif"], ["both.vrt"], ["both.vrt", "first.tif", "second.tif"],
    ]  # fmt: skip


@pytest.mark.usefixtures("with_worker")
def test_a_folder_without_rasters_is_refused(
    training: TrainAlgorithm, coarse: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    coarse["IMAGE"] = str(tmp_path / "empty")
    assert "The folder “empty” holds no raster" in refusal(training, coarse, context)


@pytest.mark.usefixtures("with_worker")
def test_a_folder_is_never_opened_as_a_layer(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = {key: coarse[key] for key in ("LABELS", "MODEL")} | {"IMAGE": str(tmp_path)}
    capfd.readouterr()
    # What qgis_process asks for before a run.
    assert training.parameterDefinition("IMAGE").checkValueIsAcceptable(str(tmp_path), context)
    shown = training.asMap(given, context)
    assert refusal(training, given, context) == ""
    assert shown["inputs"]["IMAGE"] == str(tmp_path)
    heard = "".join(capfd.readouterr())
    assert "HDF5" not in heard
    assert "not recognized" not in heard
    assert not training.parameterDefinition("IMAGE").checkValueIsAcceptable(None, context)


def save_layers(path: Path, layer: QgsVectorLayer, *names: str) -> str:
    """A GeoPackage with the same features under several names."""
    for name in names:
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.layerName = name
        if path.exists():
            options.actionOnExistingFile = (
                QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
            )
        transforms = QgsProject.instance().transformContext()
        error, *told = QgsVectorFileWriter.writeAsVectorFormatV3(
            layer, str(path), transforms, options
        )
        assert error == QgsVectorFileWriter.WriterError.NoError, told
    return str(path)


@pytest.mark.usefixtures("with_worker")
def test_the_layer_that_was_taken_of_several_is_named(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[Job],
    tmp_path: Path,
) -> None:
    path = save_layers(tmp_path / "both.gpkg", coarse["LABELS"], "first", "second")
    names = ("LABELS", "AREA", "FINE_LABELS", "FINE_AREA")
    named = dict.fromkeys(names, f"{path}|layername=second")
    training.run({**coarse, **named}, context, listener, catchExceptions=False)
    assert not [one for one in listener.texts("warning") if "several layers" in one]
    for name in names:
        listener.said.clear()
        training.run({**coarse, **named, name: path}, context, listener, catchExceptions=False)
        assert [one for one in listener.texts("warning") if "several layers" in one] == [
            "both.gpkg holds several layers; “first” was taken, and not “second”. For another one "
            "add its name to the path: both.gpkg|layername=second"
        ], name
    assert len(jobs) == 5


@pytest.mark.usefixtures("with_worker")
def test_labels_that_tell_classes_apart_are_noticed_without_a_class_field(
    training: TrainAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    jobs: list[Job],
) -> None:
    labels = coarse["LABELS"]
    labels.dataProvider().changeAttributeValues({1: {0: "mine"}})
    training.run(coarse, context, listener, catchExceptions=False)
    told = [one for one in listener.texts("warning") if "CLASS_FIELD" in one]
    assert told == 2 * [
        "The field “class” of “fields” holds “lake”, “mine”, “wheat”, “wood”, but without a class "
        "field every feature counts as “Mine”. Choose “class” as class field (CLASS_FIELD) if "
        "only some do."
    ]
    listener.said.clear()
    training.run({**coarse, "CLASS_FIELD": "class"}, context, listener, catchExceptions=False)
    assert not [one for one in listener.texts("warning") if "CLASS_FIELD" in one]


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the teacher's file says of itself, without a file."""
    told: dict[str, Any] = {"family": "minec2fnet", "bands": 3}

    def card(path: str) -> Card:
        count = told["bands"]
        bands = tuple(Band(f"band {one}") for one in range(1, count + 1))
        image = CardInput("IMAGE", bands, (0.0,) * count, (1.0,) * count, 10.0)
        mine = MapClass(1, "Mine", "#d95f02")
        return Card(told["family"], Path(path).stem, (image,), (mine,), 128, 64, {})

    monkeypatch.setattr("terraweave.plugin.checks.read_card", card)
    return told


@pytest.mark.usefixtures("with_worker")
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            {"family": "hpclnet"},
            "is a model of the family hpclnet, and this tool is for minec2fnet; “trainhpclnet” "
            r"goes on from it \(START_MODEL\), or choose another model",
        ),
        ({"bands": 6}, r"“first” \(IMAGE\) has 3 bands, the model “t” needs 6"),
        ({"missing": True}, "There is no model file"),
    ],
)
def test_teachers_that_do_not_fit_are_refused(
    refining: RefineAlgorithm,
    coarse: Given,
    context: QgsProcessingContext,
    small_card: dict[str, Any],
    tmp_path: Path,
    spoil: dict[str, Any],
    sentence: str,
) -> None:
    given = {key: coarse[key] for key in ("IMAGE", "LABELS", "MODEL")}
    given["TEACHER"] = str(tmp_path / "t.safetensors")
    if not spoil.get("missing"):
        Path(given["TEACHER"]).touch()
        assert refusal(refining, given, context) == ""
    small_card.update(spoil)
    assert re.search(sentence, refusal(refining, given, context))


@pytest.mark.usefixtures("with_worker", "small_card")
def test_a_teacher_is_never_written_over(
    refining: RefineAlgorithm, coarse: Given, context: QgsProcessingContext, tmp_path: Path
) -> None:
    given = {key: coarse[key] for key in ("IMAGE", "LABELS")}
    given["TEACHER"] = given["MODEL"] = str(tmp_path / "t.safetensors")
    Path(given["TEACHER"]).touch()
    assert "The output MODEL is the same file as an input" in refusal(refining, given, context)


@pytest.mark.slow
@pytest.mark.usefixtures("with_worker")
def test_a_model_is_trained_in_two_stages_and_refined(
    training: TrainAlgorithm,
    refining: RefineAlgorithm,
    mining_scene: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    quick = {"EPOCHS": 1, "BATCH": 2, "REFIT": False, "DEVICE": "cpu", "BLOCK": 32}
    both = {
        "IMAGE": [str(mining_scene / "image.tif")],
        "LABELS": str(mining_scene / "coarse.gpkg"),
        "FINE_IMAGE": [str(mining_scene / "image.tif")],
        "FINE_LABELS": str(mining_scene / "fine.gpkg"),
        "FINE_AREA": str(mining_scene / "fine_area.gpkg"),
        "WINDOW": 64,
        "FINE_EPOCHS": 1,
        "MODEL": str(tmp_path / "model.safetensors"),
        "REPORT": str(tmp_path / "report.html"),
    }
    _, done = training.run({**quick, **both}, context, listener, catchExceptions=False)
    assert done
    assert "Forgotten" in Path(both["REPORT"]).read_text(encoding="utf-8")
    again = {
        "IMAGE": both["FINE_IMAGE"],
        "LABELS": both["FINE_LABELS"],
        "AREA": both["FINE_AREA"],
        "TEACHER": both["MODEL"],
        "MODEL": str(tmp_path / "refined.safetensors"),
        "REPORT": str(tmp_path / "refined.html"),
    }
    asking = Asking()
    _, done = refining.run({**quick, **again}, context, asking)
    assert not done
    # An epoch is twenty batches of two windows.
    assert (asking.told["WINDOWS_LOW"], asking.told["WINDOWS_HIGH"]) == (40, 40)
    assert asking.told["SECONDS_LOW"] < asking.told["SECONDS_HIGH"]
    assert not Path(again["MODEL"]).exists()
    results, done = refining.run({**quick, **again}, context, listener, catchExceptions=False)
    assert done
    assert results["GAIN"] == pytest.approx(results["IOU"] - results["TEACHER_IOU"])
    card = read_card(again["MODEL"])
    assert card.provenance["earlier_model"]["name"] == "model"
    assert results["THRESHOLD"] == card.training["threshold"]
