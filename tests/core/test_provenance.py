"""What is said about inputs identifies them, and gives away no folder."""

import json
from pathlib import Path

import pytest
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.job import Features, Job, Source
from terraweave.core.provenance import fingerprint, inputs_of, training_labels


def test_every_input_is_told_with_what_is_needed_to_train_again(tmp_path: Path) -> None:
    for name in ("ms.tif", "fields.gpkg", "town.gpkg", "start.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    job = Job(
        "train",
        inputs={"MS": (Source(str(tmp_path / "ms.tif"), bands=(3, 1)),)},
        labels=Features(str(tmp_path / "fields.gpkg"), field="crop"),
        area=Features(str(tmp_path / "town.gpkg"), name="Town"),
        model=str(tmp_path / "start.safetensors"),
    )
    told = inputs_of(job)
    assert [one["role"] for one in told] == ["MS", "LABELS", "AREA", "MODEL"]
    assert told[0]["bands"] == [3, 1]
    assert told[1]["field"] == "crop"
    assert [one["name"] for one in told] == ["ms.tif", "fields.gpkg", "Town", "start.safetensors"]
    assert len({one["sha256"] for one in told}) == 4
    assert str(tmp_path) not in json.dumps(told)


def card_with(provenance: dict[str, object]) -> Card:
    inputs = (CardInput("MS", (Band("red"),), (0.0,), (1.0,), 1.0),)
    return Card("das2f", "town", inputs, (MapClass(1, "a", "#000000"),), 8, 7, {}, {}, {},
                provenance)  # fmt: skip


def test_labels_of_a_model_are_told_by_its_card() -> None:
    inputs = [{"role": "MS", "sha256": "a" * 64}, {"role": "LABELS", "sha256": "b" * 64}]
    assert training_labels(card_with({"inputs": inputs})) == ("b" * 64,)


@pytest.mark.parametrize(
    "inputs",
    [None, {}, "LABELS", ["LABELS"], [{"role": "LABELS"}], [{"role": "LABELS", "sha256": ""}],
     [{"role": "LABELS", "sha256": ["b" * 64]}]],
)  # fmt: skip
def test_card_that_says_something_else_tells_of_no_labels(inputs: object) -> None:
    assert training_labels(card_with({"inputs": inputs})) == ()


def test_fingerprint_sees_every_part_of_a_small_file_and_nothing_where_there_is_no_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ms.tif"
    file.write_bytes(bytes(2**20))
    before = fingerprint(file)
    file.write_bytes(bytes(2**20 - 1) + b"1")
    assert fingerprint(file) != before
    assert fingerprint(tmp_path) == fingerprint("PG:dbname=parcels") == ""
