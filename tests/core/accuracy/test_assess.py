"""`assess` compares what can be compared, and says in words what cannot."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from sklearn import metrics
from terraweave.core.accuracy.assess import assess, disagreement_classes
from terraweave.core.accuracy.matching import read_legend
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.job import Features, Job, Source
from terraweave.core.progress import Progress
from terraweave.core.provenance import fingerprint
from terraweave.core.record import TAG, Record, RecordedInput

if TYPE_CHECKING:
    from .conftest import Workbench

Truth = Callable[[], np.ndarray]


def table(bench: Workbench) -> dict[str, object]:
    return json.loads((bench.folder / "assessed_table.json").read_text(encoding="utf-8"))


def noisy(values: np.ndarray, seed: int = 0, share: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(values.shape) < share, rng.choice([1, 2, 5], values.shape), values)


def test_scores_against_a_raster_equal_those_of_scikit_learn(
    bench: Workbench, truth: Truth
) -> None:
    reference, mapped = truth(), noisy(truth())
    values = bench.assess(bench.map(mapped), bench.map(reference, name="reference.tif"))
    flat = reference.ravel(), mapped.ravel()
    assert values["PIXELS"] == 2400
    assert values["OA"] == pytest.approx(metrics.accuracy_score(*flat), abs=1e-9)
    assert values["AA"] == pytest.approx(metrics.balanced_accuracy_score(*flat), abs=1e-9)
    assert values["KAPPA"] == pytest.approx(metrics.cohen_kappa_score(*flat), abs=1e-9)
    assert values["MACRO_F1"] == pytest.approx(metrics.f1_score(*flat, average="macro"), abs=1e-9)
    assert values["OA_LOW"] < values["OA"] < values["OA_HIGH"]
    matrix = table(bench)["scores"]["confusion_matrix"]
    expected = metrics.confusion_matrix(*flat)
    assert matrix == {"rows": "reference", "columns": "map", "counts": expected.tolist()}


def test_perfect_map_scores_one_and_has_no_worst_place(bench: Workbench, truth: Truth) -> None:
    values = bench.assess(bench.map(truth()), bench.map(truth(), name="reference.tif"))
    assert (values["OA"], values["KAPPA"], values["MACRO_F1"]) == (1.0, 1.0, 1.0)
    assert pyogrio.read_info(bench.folder / "assessed_worst.gpkg")["features"] == 0


def test_map_of_nodata_has_empty_scores_and_says_so(bench: Workbench, truth: Truth) -> None:
    values = bench.assess(bench.map(truth() * 0), bench.map(truth(), name="reference.tif"))
    assert values["PIXELS"] == 0
    assert {values[key] for key in ("OA", "AA", "KAPPA", "MACRO_F1", "OA_LOW")} == {None}
    assert "The map is empty wherever the reference is, so there is no score." in bench.warnings
    text = (bench.folder / "assessed_report.html").read_text(encoding="utf-8")
    assert "There is no score" in text


def test_map_of_a_single_class_has_no_users_accuracy_for_the_others(
    bench: Workbench, truth: Truth
) -> None:
    values = bench.assess(bench.map(truth() * 0 + 2), bench.map(truth(), name="reference.tif"))
    assert values["OA"] == pytest.approx(1 / 3)
    assert values["KAPPA"] == 0.0
    classes = {one["name"]: one for one in table(bench)["scores"]["classes"]}
    assert classes["water"]["users_accuracy"] is None
    assert classes["water"]["producers_accuracy"] == 0.0
    assert "The reference has classes that the map never shows: water, forest." in bench.warnings


def test_reference_pixels_without_map_are_counted_apart(bench: Workbench, truth: Truth) -> None:
    mapped = truth()
    mapped[:10] = 0
    values = bench.assess(bench.map(mapped), bench.map(truth(), name="reference.tif"))
    assert (values["PIXELS"], values["OA"]) == (1800, 1.0)
    assert any("On 600 reference pixels the map is empty" in one for one in bench.warnings)


def test_polygons_match_by_name_although_their_numbers_would_differ(
    bench: Workbench, truth: Truth
) -> None:
    # Sorted, the texts are field, forest, water; the map's values are 2, 5, 1.
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(22, 2, 30, 10), shapely.box(42, 2, 50, 10)]
    layer = bench.layer(boxes, {"kind": ["Water", "field", "forest "]})
    values = bench.assess(bench.map(truth()), layer, field="kind")
    assert (values["PIXELS"], values["OA"]) == (192, 1.0)


def test_numbers_match_by_value(bench: Workbench, truth: Truth) -> None:
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(42, 2, 50, 10)]
    layer = bench.layer(boxes, {"code": [1, 5]})
    assert bench.assess(bench.map(truth()), layer, field="code")["OA"] == 1.0


def test_numbers_that_stand_in_for_names_are_said_in_log_and_report(
    bench: Workbench, truth: Truth
) -> None:
    reference = bench.map(truth(), name="reference.tif")
    reference.with_name("reference.tif.aux.xml").unlink()
    assert bench.assess(bench.map(truth()), reference)["OA"] == 1.0
    told = "compared by their numbers: 1 for “water”, 2 for “field”, 5 for “forest”."
    assert sum(told in one for one in bench.warnings) == 1
    assert told in (bench.folder / "assessed_report.html").read_text(encoding="utf-8")
    bench.events.clear()
    bench.assess(bench.map(truth()), bench.map(truth(), name="reference.tif"))
    assert bench.warnings == []


def test_names_that_the_job_brings_go_before_those_of_the_file(
    bench: Workbench, truth: Truth
) -> None:
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(22, 2, 30, 10), shapely.box(42, 2, 50, 10)]
    layer = bench.layer(boxes, {"kind": ["acker", "wald", "wasser"]})
    names = {1: "Wasser", 2: "Acker", 5: "Wald"}
    classes = tuple(MapClass(value, name, "#0072b2") for value, name in names.items())
    job = Job(
        "assess",
        inputs={"CLASSES": (Source(str(bench.map(truth())), classes=classes),)},
        labels=Features(str(layer), field="kind"),
    )
    assert assess(job, Progress())["OA"] == pytest.approx(0.0)
    boxes = [boxes[1], boxes[2], boxes[0]]
    bench.layer(boxes, {"kind": ["acker", "wald", "wasser"]})
    assert assess(job, Progress())["OA"] == 1.0


def test_reference_in_another_coordinate_system_falls_on_the_same_pixels(
    bench: Workbench, truth: Truth
) -> None:
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(22, 2, 30, 10), shapely.box(42, 2, 50, 10)]
    layer = bench.layer(boxes, {"kind": ["water", "field", "forest"]}, crs="EPSG:4326")
    values = bench.assess(bench.map(truth()), layer, field="kind")
    assert (values["PIXELS"], values["OA"]) == (192, 1.0)


def test_reference_raster_of_another_grid_is_read_at_the_nearest_pixel(
    bench: Workbench, truth: Truth
) -> None:
    finer = np.kron(truth(), np.ones((2, 2), int))
    values = bench.assess(bench.map(truth()), bench.map(finer, name="finer.tif", gsd=5.0))
    assert (values["PIXELS"], values["OA"]) == (2400, 1.0)


def test_area_limits_what_is_compared(bench: Workbench, truth: Truth) -> None:
    area = bench.layer([shapely.box(0, 0, 60, 10)], {"id": [1]}, name="area.gpkg")
    mapped = truth()
    mapped[10:] = 1
    reference = bench.map(truth(), name="reference.tif")
    values = bench.assess(bench.map(mapped), reference, area=area)
    assert (values["PIXELS"], values["OA"]) == (600, 1.0)


def test_classes_of_one_side_only_are_listed_by_name(bench: Workbench, truth: Truth) -> None:
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(22, 2, 30, 10), shapely.box(42, 2, 50, 10)]
    layer = bench.layer(boxes, {"kind": ["water", "field", "swamp"]})
    bench.assess(bench.map(truth()), layer, field="kind")
    assert "The reference has classes that the map never shows: swamp." in bench.warnings
    assert "The map shows classes without any reference: forest." in bench.warnings


def test_points_are_a_sample_of_the_whole_map(bench: Workbench, truth: Truth) -> None:
    rng = np.random.default_rng(0)
    reference, mapped = truth(), noisy(truth(), share=0.3)
    names = {one.value: one.name for one in bench.classes}
    spots = [divmod(int(one), 60) for one in rng.choice(2400, 200, replace=False)]
    points = [shapely.Point(column + 0.5, row + 0.5) for row, column in spots]
    layer = bench.layer(points, {"kind": [names[int(reference[spot])] for spot in spots]})
    values = bench.assess(bench.map(mapped), layer, field="kind")
    assert values["PIXELS"] == 200
    true = float((reference == mapped).mean())
    assert abs(values["OA_ADJUSTED"] - true) < 2 * values["OA_ADJUSTED_MARGIN"]
    assert table(bench)["area_adjusted"]["area_m2"] == pytest.approx(2400 * 100)
    assert bench.assess(bench.map(mapped), layer, field="kind", sample="no")["OA_ADJUSTED"] is None


BINARY = (MapClass(1, "background", "#cccccc"), MapClass(2, "mine", "#d55e00"))


def test_footprints_without_a_field_are_compared_as_objects(bench: Workbench) -> None:
    mapped = np.ones((40, 60), int)
    mapped[2:12, 2:12] = 2  # found exactly
    mapped[20:24, 40:44] = 2  # invented
    shapes = [shapely.box(2, 2, 12, 12), shapely.box(20, 20, 30, 30)]
    layer = bench.layer(shapes, {"id": [1, 2]})
    values = bench.assess(bench.map(mapped, BINARY), layer, unmarked="background")
    assert values["PIXELS"] == 2400
    assert values["IOU"] == pytest.approx(100 / 216)
    assert values["DETECTION_RATE"] == 0.5
    assert values["FALSE_PARTS_PER_KM2"] == pytest.approx(1 / 0.24)
    assert values["AREA_BIAS"] == pytest.approx(116 / 200 - 1)
    assert 0 < values["BOUNDARY_IOU"] < 0.5
    with rasterio.open(bench.folder / "assessed_disagreement.tif") as data:
        found = dict(zip(*np.unique(data.read(1), return_counts=True), strict=True))
    assert found == {1: 2184, 2: 100, 3: 100, 4: 16}


def test_map_that_shows_its_one_class_and_nothing_else_still_has_background(
    bench: Workbench,
) -> None:
    mapped = np.zeros((40, 60), int)
    mapped[2:12, 2:12] = 2
    layer = bench.layer([shapely.box(2, 2, 12, 12)], {"id": [1]})
    values = bench.assess(bench.map(mapped, BINARY[1:]), layer, unmarked="background")
    assert (values["PIXELS"], values["IOU"], values["BOUNDARY_F1"]) == (2400, 1.0, 1.0)
    assert any("its missing pixels are taken for" in one for one in bench.warnings)


def test_target_must_be_named_where_the_map_leaves_it_open(bench: Workbench, truth: Truth) -> None:
    layer = bench.layer([shapely.box(0, 0, 20, 40)], {"id": [1]})
    on = bench.map(truth())
    with pytest.raises(InputError, match="say in TARGET which class of the map they mark"):
        bench.assess(on, layer, unmarked="background")
    values = bench.assess(on, layer, unmarked="background", target="Water")
    assert (values["OA"], values["IOU"]) == (1.0, 1.0)
    with pytest.raises(InputError, match="The map has no class “lake”; it has the classes “water”"):
        bench.assess(on, layer, unmarked="background", target="lake")


def test_disagreement_raster_tells_what_a_wrong_pixel_really_is(
    bench: Workbench, truth: Truth
) -> None:
    mapped = truth()
    mapped[0, 0] = 5
    bench.assess(bench.map(mapped), bench.map(truth(), name="reference.tif"))
    path = bench.folder / "assessed_disagreement.tif"
    with rasterio.open(path) as data:
        values = data.read(1)
        assert data.crs.to_epsg() == 32632
    assert values[0, 0] == 2
    assert (values == 1).sum() == 2399
    legend = {one.value: one.name for one in read_legend(path)}
    assert legend[2] == "water, mapped as another class"
    assert len(disagreement_classes(bench.classes, None)) == 4


def test_disagreement_raster_carries_settings_and_fingerprints_but_no_folder(
    bench: Workbench, truth: Truth
) -> None:
    on, reference = bench.map(truth()), bench.map(truth(), name="reference.tif")
    bench.assess(on, reference, block=8)
    with rasterio.open(bench.folder / "assessed_disagreement.tif") as data:
        text = data.tags()[TAG]
    record = Record.from_text(text, "disagreement")
    assert record.task == "assess"
    assert record.settings["block"] == 8
    assert {one.role: one.sha256 for one in record.inputs} == {
        "CLASSES": fingerprint(on),
        "LABELS": fingerprint(reference),
    }
    assert record.software["terraweave"]
    assert str(bench.folder) not in text


def test_reference_that_took_part_in_the_training_is_named(bench: Workbench, truth: Truth) -> None:
    on, reference = bench.map(truth()), bench.map(truth(), name="reference.tif")
    other = bench.map(noisy(truth()), name="other.tif")
    record = Record("predict", {}, (), {}, family="das2f", trained_on=(fingerprint(reference),))
    with rasterio.open(on, "r+") as data:
        data.update_tags(**{TAG: record.to_text()})
    bench.assess(on, reference)
    told = "reference.tif is what the map’s model learnt from"
    assert [one for one in bench.warnings if told in one]
    assert told in (bench.folder / "assessed_report.html").read_text(encoding="utf-8")
    bench.events.clear()
    bench.assess(on, other)
    assert not [one for one in bench.warnings if "learnt from" in one]


def test_reference_of_other_scenes_is_told_from_one_of_this_scene(
    bench: Workbench, truth: Truth
) -> None:
    on, reference = bench.map(truth()), bench.map(truth(), name="reference.tif")
    mapped, image = RecordedInput("IMAGE", "here.tif", "a" * 64), "b" * 64
    record = Record(
        "predict", {}, (mapped,), {}, trained_on=(fingerprint(reference),), trained_images=(image,)
    )
    same = replace(record, trained_images=(image, "a" * 64))
    told = {"too, though not with this map’s image": record, "is what the map’s model learnt": same}
    for words, known in told.items():
        with rasterio.open(on, "r+") as data:
            data.update_tags(**{TAG: known.to_text()})
        bench.events.clear()
        bench.assess(on, reference)
        assert [one for one in bench.warnings if words in one]
        assert len([one for one in bench.warnings if "learnt from" in one]) == 1


def test_record_that_cannot_be_read_does_not_keep_a_map_from_being_assessed(
    bench: Workbench, truth: Truth
) -> None:
    on = bench.map(truth())
    with rasterio.open(on, "r+") as data:
        data.update_tags(**{TAG: "[" * 10_000})
    assert bench.assess(on, bench.map(truth(), name="reference.tif"))["OA"] == 1.0


def test_report_tells_what_was_chosen_where_a_setting_left_it_open(
    bench: Workbench, truth: Truth
) -> None:
    bench.assess(bench.map(truth()), bench.map(truth(), name="reference.tif"))
    page = (bench.folder / "assessed_report.html").read_text(encoding="utf-8")
    assert "<td>8 pixels</td>" in page
    assert "<td>0 pixels</td>" not in page
    assert "Distance of outlines" not in page


def test_worst_places_lie_where_the_errors_are(bench: Workbench, truth: Truth) -> None:
    mapped = truth()
    mapped[16:24, 24:32] = 1
    bench.assess(bench.map(mapped), bench.map(truth(), name="reference.tif"), block=8)
    path = bench.folder / "assessed_worst.gpkg"
    meta, _, shapes, columns = pyogrio.raw.read(path)
    found = dict(zip(meta["fields"], columns, strict=True))
    assert found["wrong"].tolist() == [64]
    assert found["mistake"].tolist() == ["field mapped as water"]
    bounds = shapely.from_wkb(shapes[0]).bounds
    assert bounds == (500_240.0, 4_999_760.0, 500_320.0, 4_999_840.0)
    assert path.with_suffix(".qml").exists()


def test_csv_has_one_line_a_class_and_no_formula(bench: Workbench, truth: Truth) -> None:
    classes = (MapClass(1, "=cmd()", "#000000"), *bench.classes[1:])
    on = bench.map(truth(), classes)
    bench.assess(on, bench.map(truth(), classes, name="reference.tif"))
    with (bench.folder / "assessed_report.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["'=cmd()", "field", "forest"]
    assert rows[0]["users_accuracy"] == "1.0"
    assert rows[0]["area_m2"] == ""


def test_no_overlap_is_refused_before_anything_is_written(bench: Workbench, truth: Truth) -> None:
    layer = bench.layer([shapely.box(9000, 9000, 9010, 9010)] * 2, {"kind": ["water", "field"]})
    on = bench.map(truth())
    with pytest.raises(InputError, match="lies in the scene"):
        bench.assess(on, layer, field="kind")
    assert not list(bench.folder.glob("assessed*"))


def test_single_reference_pixel_is_refused_and_old_outputs_stay(
    bench: Workbench, truth: Truth
) -> None:
    layer = bench.layer(
        [shapely.Point(2.5, 2.5), shapely.Point(900, 900)], {"kind": ["water", "field"]}
    )
    old = bench.folder / "assessed_disagreement.tif"
    old.write_bytes(b"old")
    with pytest.raises(InputError, match="a single pixel on the map"):
        bench.assess(bench.map(truth()), layer, field="kind")
    assert old.read_bytes() == b"old"
    assert list(bench.folder.glob("*assessed*")) == [old]


def test_reference_without_a_common_class_is_refused_with_both_lists(
    bench: Workbench, truth: Truth
) -> None:
    boxes = [shapely.box(2, 2, 10, 10), shapely.box(22, 2, 30, 10)]
    layer = bench.layer(boxes, {"kind": ["Wasser", "Acker"]})
    with pytest.raises(InputError, match=r"The reference has the classes “Acker” \(1\), “Wasser”"):
        bench.assess(bench.map(truth()), layer, field="kind")


def test_missing_reference_is_asked_for(bench: Workbench, truth: Truth) -> None:
    with pytest.raises(InputError, match="does not exist|cannot be read"):
        bench.assess(bench.map(truth()), bench.folder / "nowhere.gpkg", field="kind")


def test_report_tells_versions_and_fingerprints_but_no_folder(
    bench: Workbench, truth: Truth
) -> None:
    bench.assess(bench.map(truth()), bench.map(noisy(truth()), name="reference.tif"))
    page = (bench.folder / "assessed_report.html").read_text(encoding="utf-8")
    assert "sha256" in page
    assert "software: terraweave" in page
    assert str(bench.folder) not in page
    assert str(bench.folder) not in (bench.folder / "assessed_report.json").read_text("utf-8")


def test_equal_jobs_give_equal_tables(bench: Workbench, truth: Truth) -> None:
    on, reference = bench.map(noisy(truth())), bench.map(truth(), name="reference.tif")
    texts = []
    for _ in range(2):
        bench.assess(on, reference)
        texts.append((bench.folder / "assessed_table.json").read_text("utf-8"))
    assert texts[0] == texts[1]


def test_outputs_are_optional(bench: Workbench, truth: Truth) -> None:
    reference = bench.map(truth(), name="reference.tif")
    values = bench.assess(bench.map(truth()), reference, outputs=())
    assert values["OA"] == 1.0
    assert not list(bench.folder.glob("assessed*"))


@pytest.mark.parametrize(
    ("key", "name", "remedy"),
    [
        ("TABLE", "scores.xlsx", r"let its name end in \.json or \.csv"),
        ("REPORT", "report.pdf", r"let its name end in \.html"),
        ("WORST", "worst.tif", r"let its name end in \.gpkg or \.geojson"),
    ],
)
def test_output_of_the_wrong_kind_is_refused_before_work(
    bench: Workbench, truth: Truth, key: str, name: str, remedy: str
) -> None:
    job = Job("assess", outputs={key: str(bench.folder / name)})
    with pytest.raises(InputError, match=remedy):
        assess(job, Progress())
    assert not list(bench.folder.iterdir())


def test_layers_that_would_share_a_style_are_refused(bench: Workbench) -> None:
    outputs = {key: str(bench.folder / f"a{end}") for key, end in
               {"DISAGREEMENT": ".tif", "WORST": ".gpkg"}.items()}  # fmt: skip
    with pytest.raises(InputError, match="share one style file"):
        assess(Job("assess", outputs=outputs), Progress())
