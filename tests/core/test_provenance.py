"""What is said about inputs identifies them, and gives away no folder."""

import json
from pathlib import Path

from terraweave.core.job import Features, Job, Source
from terraweave.core.provenance import fingerprint, inputs_of


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


def test_fingerprint_sees_every_part_of_a_small_file_and_nothing_where_there_is_no_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ms.tif"
    file.write_bytes(bytes(2**20))
    before = fingerprint(file)
    file.write_bytes(bytes(2**20 - 1) + b"1")
    assert fingerprint(file) != before
    assert fingerprint(tmp_path) == fingerprint("PG:dbname=parcels") == ""
