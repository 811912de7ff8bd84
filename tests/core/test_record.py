"""What a raster says about its making survives the way there and back, and is not trusted."""

import json

import pytest
from terraweave.core.errors import InputError
from terraweave.core.record import Record, RecordedInput

RECORD = Record(
    task="predict",
    settings={"mode": "stride", "stride": 4, "minimum_area": 0.5},
    inputs=(
        RecordedInput("MS", "ms.tif", "a" * 64, (3, 1)),
        RecordedInput("LABELS", "fields", "", field="crop"),
    ),
    software={"torch": "2.13.0"},
    family="das2f",
    model="town",
    device="cpu",
    trained_on=("b" * 64,),
    trained_images=("c" * 64, "d" * 64),
)


def test_record_reads_back_as_it_was_written() -> None:
    assert Record.from_text(RECORD.to_text(), "map") == RECORD


def changed(**parts: object) -> str:
    return json.dumps({**json.loads(RECORD.to_text()), **parts})


@pytest.mark.parametrize(
    "text",
    [
        "disagreement of a map with its reference",
        "[]",
        "[" * 100_000,
        changed(family=7),
        changed(family="x" * 5000),
        changed(settings=["mode"]),
        changed(settings={"mode": {"a": 1}}),
        changed(settings={str(place): 1 for place in range(1000)}),
        changed(inputs={"MS": "ms.tif"}),
        changed(inputs=["ms.tif"]),
        changed(inputs=[{"role": "MS", "name": "ms.tif", "sha256": "; rm"}]),
        changed(inputs=[{"role": "MS", "name": "ms.tif", "bands": ["1"]}]),
        changed(inputs=[{"role": "MS"}] * 1000),
        changed(software="torch"),
        changed(trained_on=["b" * 63]),
        changed(trained_on="b" * 64),
        changed(device="c" * 300_000),
    ],
    ids=range(17),
)
def test_record_of_another_form_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"What map\.tif says about its making .* understood"):
        Record.from_text(text, "map.tif")
