"""`inspectmodel`: its parameters, its refusals, its run."""

import json
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback
from terraweave.core.card import read_card
from terraweave.plugin.algorithms.inspectmodel import InspectModelAlgorithm


@pytest.fixture
def algorithm(qgis_app: QgsApplication) -> InspectModelAlgorithm:
    """A fresh algorithm, as QGIS makes it."""
    return InspectModelAlgorithm().create()


def test_parameters_and_outputs(algorithm: InspectModelAlgorithm) -> None:
    assert [one.name() for one in algorithm.parameterDefinitions()] == [
        "MODEL", "REPORT", "STAC_ITEM",
    ]  # fmt: skip
    outputs = {one.name() for one in algorithm.outputDefinitions()}
    assert outputs >= {"FAMILY", "NAME", "CARD", "CLASS_COUNT", "WINDOW"}


@pytest.mark.parametrize("content", [None, b"", b"not a model at all"])
def test_file_that_is_no_model_is_refused(
    algorithm: InspectModelAlgorithm,
    context: QgsProcessingContext,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    fits, reason = algorithm.checkParameterValues({"MODEL": str(path)}, context)
    assert not fits
    assert ("is not a model file" in reason) if content is not None else ("There is no" in reason)


@pytest.mark.usefixtures("no_worker")
def test_card_is_shown_without_a_worker(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    given = {"MODEL": str(trained_model), "REPORT": str(tmp_path / "card.html")}
    results, _ = algorithm.run(given, context, listener, catchExceptions=False)
    card = read_card(trained_model)
    assert json.loads(results["CARD"]) == card.to_json()
    assert (results["FAMILY"], results["CLASS_COUNT"]) == ("das2f", len(card.classes))
    page = Path(given["REPORT"]).read_text(encoding="utf-8")
    assert all(one.name in page for one in card.classes)
    assert any("Image MS: 4 bands" in text for text in listener.texts("info"))


def test_words_in_a_card_are_shown_and_never_run(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    whole = trained_model.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = whole[8 : 8 + length].replace(b'\\"Water\\"', b'\\"<script>\\"')
    hostile = tmp_path / "hostile.safetensors"
    hostile.write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + length :])
    given = {"MODEL": str(hostile), "REPORT": str(tmp_path / "card.html")}
    algorithm.run(given, context, listener, catchExceptions=False)
    page = Path(given["REPORT"]).read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_model_of_a_stopped_training_is_told_from_a_finished_one(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    page = tmp_path / "card.html"
    given = {"MODEL": str(trained_model), "REPORT": str(page)}
    algorithm.run(given, context, listener, catchExceptions=False)
    assert not listener.texts("warning")
    whole = trained_model.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    card = json.loads(header["__metadata__"]["terraweave"])
    card["training"] = {"stopped_after_epoch": 12, "planned_epochs": 40, "best_epoch": 7}
    header["__metadata__"]["terraweave"] = json.dumps(card)
    text = json.dumps(header).encode()
    stopped = tmp_path / "stopped.safetensors"
    stopped.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
    given["MODEL"] = str(stopped)
    algorithm.run(given, context, listener, catchExceptions=False)
    assert "stopped after epoch 12 of 40" in listener.texts("warning")[0]
    assert "was not finished" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("with_worker")
def test_stac_item_is_written(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    given = {"MODEL": str(trained_model), "STAC_ITEM": str(tmp_path / "item.json")}
    algorithm.run(given, context, listener, catchExceptions=False)
    item = json.loads(Path(given["STAC_ITEM"]).read_text(encoding="utf-8"))
    assert item["type"] == "Feature"
    assert any("mlm" in one for one in item["stac_extensions"])


@pytest.mark.usefixtures("no_worker")
def test_stac_item_needs_a_worker_and_says_so(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    tmp_path: Path,
) -> None:
    given = {"MODEL": str(trained_model), "STAC_ITEM": str(tmp_path / "item.json")}
    fits, reason = algorithm.checkParameterValues(given, context)
    assert not fits
    assert "worker environment" in reason


def changed(path: Path, model: Path, **parts: object) -> str:
    """The model with other parts in its card, at `path`."""
    whole = model.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    card = json.loads(header["__metadata__"]["terraweave"])
    header["__metadata__"]["terraweave"] = json.dumps({**card, **parts})
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
    return str(path)


def test_the_teacher_and_those_before_it_are_named(
    algorithm: InspectModelAlgorithm,
    trained_model: Path,
    context: QgsProcessingContext,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    earlier = [
        {
            "model": "teacher",
            "classes": [{"name": "Mine", "iou": 0.4123}, {"name": "no mine", "iou": 0.9}],
        },
        {"model": "first", "classes": []},
        "no model at all",
    ]
    refined = changed(
        tmp_path / "refined.safetensors",
        trained_model,
        classes=[{"value": 1, "name": "Mine", "color": "#d95f02"}],
        metrics={"earlier": earlier},
        provenance={"earlier_model": {"name": "teacher", "sha256": "00"}},
    )
    page = tmp_path / "card.html"
    given = {"MODEL": refined, "REPORT": str(page)}
    algorithm.run(given, context, listener, catchExceptions=False)
    told = listener.texts("info")
    assert "Went on from: teacher (IoU 0.412 in its own training)" in told
    assert "Before that: first" in told
    assert "Went on from" in page.read_text(encoding="utf-8")
    plain = changed(
        tmp_path / "plain.safetensors",
        trained_model,
        provenance={"earlier_model": {"name": "start"}},
    )
    listener.said.clear()
    algorithm.run({"MODEL": plain}, context, listener, catchExceptions=False)
    assert "Went on from: start" in listener.texts("info")
