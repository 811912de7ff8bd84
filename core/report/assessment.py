"""The report of an assessment: how good a map is, where it is wrong, and how sure that is."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..accuracy.assess import Assessment, WorstPlace
from ..accuracy.binary import BinaryScores
from ..accuracy.estimates import Estimate, MapEstimates
from ..accuracy.facts import ASSESS_SETTINGS
from ..accuracy.tally import Interval
from ..job import Job
from ..provenance import inputs_of, software
from ..scene.aside import Together, written_aside
from . import drawing, words
from .page import check_html, check_table, pairs_of, render, setting_rows, write_page

VERSION = 1
_COLUMNS = ("value", "name", "reference_pixels", "map_pixels", "users_accuracy",
            "producers_accuracy", "f1", "f1_low", "f1_high", "iou", "area_m2",
            "area_margin_95_m2")  # fmt: skip


def write_assessment_report(
    path: str | Path, found: Assessment, job: Job, together: Together | None = None
) -> None:
    """Write the report as HTML to `path`, and beside it its numbers as JSON and CSV.

    Raises:
        InputError: the path does not end like an HTML file, or its folder is not writable.
        ResourceError: the disk is full.
    """
    provenance = {"software": software(), "inputs": inputs_of(job)}
    name = check_html(path)
    page = assessment_page(found, provenance, name.with_suffix(".json").name)
    document = {**assessment_document(found), "provenance": provenance}
    write_page(path, page, document, together, table=class_table(found))


def write_table(path: str | Path, found: Assessment, together: Together | None = None) -> None:
    """Write the scores as JSON, or the class table where the name ends in .csv.

    Raises:
        InputError: the folder is missing or not writable, or the ending is neither.
        ResourceError: the disk is full.
    """
    text = class_table(found)
    if check_table(path) == ".json":
        document = assessment_document(found)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    with written_aside(path, together) as aside:
        aside.write_text(text, encoding="utf-8")


def assessment_document(found: Assessment) -> dict[str, object]:
    """All numbers as a JSON object; what is undefined is null."""
    return {
        "terraweave_report": VERSION,
        "kind": "assessment",
        "map": found.map_title,
        "reference": found.reference_title,
        "summary": _summary(found),
        "warnings": _warnings(found),
        "scores": found.scores.to_json(),
        "intervals_95": found.intervals.to_json() if found.intervals else None,
        "intervals_by": "polygon" if found.by_piece else "block",
        "area_adjusted": found.estimates.to_json() if found.estimates else None,
        "binary": found.binary.to_json() if found.binary else None,
        "reference_pixels_without_map": found.empty,
        "block_pixels": found.block,
        "gsd_m": found.gsd,
        "crs": found.crs,
        "settings": dict(found.settings),
    }


def class_table(found: Assessment) -> str:
    """One line for each class as CSV; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for place, one in enumerate(found.scores.per_class):
        interval = found.intervals.f1[place] if found.intervals else Interval()
        area = Estimate(None)
        if found.estimates is not None:
            area = found.estimates.per_class[place].share.times(found.estimates.area)
        row = (one.mapclass.value, _safe_cell(one.mapclass.name), one.support, one.mapped,
               one.users, one.producers, one.f1, interval.low, interval.high, one.iou,
               area.value, area.margin)  # fmt: skip
        writer.writerow(["" if cell is None else cell for cell in row])
    return text.getvalue()


def _safe_cell(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name


def assessment_page(found: Assessment, provenance: Mapping[str, object], json_name: str) -> str:
    """The HTML of the report; `json_name` is the file beside it."""
    shares = {
        _block_corner(found, place): wrong / both for place, (wrong, both) in found.blocks.items()
    }
    worst = [(one.row, one.column, one.rank) for one in found.worst]
    shape = (found.shape.rows, found.shape.columns)
    return render(
        "assessment.html.j2",
        kind="Accuracy report",
        title=found.map_title,
        subtitle=f"compared with {found.reference_title}",
        json_name=json_name,
        tiles=_tiles(found),
        summary=_summary(found),
        warnings=_warnings(found),
        scores=found.scores,
        f1_intervals=[_range(one) for one in found.intervals.f1] if found.intervals else [],
        estimates=_estimate_rows(found.estimates) if found.estimates else [],
        overall=_with_margin(found.estimates.overall) if found.estimates else "",
        binary=_binary_rows(found.binary) if found.binary else [],
        binary_name=found.binary.name if found.binary else "",
        block_map=drawing.block_map(shape, found.block, shares, worst) if shares else "",
        worst=_worst_rows(found.worst),
        block=found.block,
        settings=setting_rows(_settings_used(found), ASSESS_SETTINGS),
        provenance=pairs_of(provenance),
    )


def _settings_used(found: Assessment) -> dict[str, object]:
    """The settings with what was chosen where 0 left the choice open."""
    used: dict[str, object] = {**found.settings, "block": found.block}
    if found.binary is None:
        del used["boundary_distance"]
        return used
    return {**used, "boundary_distance": found.binary.distance}


def _block_corner(found: Assessment, place: int) -> tuple[int, int]:
    columns = -(-found.shape.columns // found.block)
    down, right = divmod(place, columns)
    return down * found.block, right * found.block


def _tiles(found: Assessment) -> list[dict[str, object]]:
    scores, intervals, binary = found.scores, found.intervals, found.binary
    if not scores.total:
        return []
    named: list[tuple[str, float | None, str]] = [
        ("Overall accuracy", scores.overall_accuracy,
         _range(intervals.overall_accuracy) if intervals else ""),
        ("Kappa", scores.kappa, _range(intervals.kappa) if intervals else ""),
        ("Macro-F1", scores.macro_f1, _range(intervals.macro_f1) if intervals else ""),
        ("Average accuracy", scores.average_accuracy,
         _range(intervals.average_accuracy) if intervals else ""),
    ]  # fmt: skip
    if binary is not None:
        # Of ground that is mostly empty, overall accuracy says little.
        one = next(row for row in scores.per_class if row.mapclass.name == binary.name)
        named = [
            ("IoU", one.iou, f"of “{binary.name}”"),
            ("F1", one.f1, "precision and recall together"),
            named[0],
            ("Boundary F1", binary.boundary.f1, f"within {binary.distance:.4g} m"),
            ("Objects found", binary.objects.detection_rate, f"of {binary.objects.objects}"),
        ]
    return [{"name": n, "value": words.score(v), "note": note} for n, v, note in named]


def _summary(found: Assessment) -> list[str]:
    scores = found.scores
    told = [words.score_sentence(scores, "the reference"), words.weakest_sentence(scores)]
    if found.intervals is not None and found.intervals.overall_accuracy.low is not None:
        pieces = "polygons and points" if found.by_piece else "blocks"
        ends = found.intervals.overall_accuracy
        told.append(
            f"The overall accuracy lies between {words.score(ends.low)} and "
            f"{words.score(ends.high)} with 95 % confidence, judged "
            f"by how much the {words.thousands(found.intervals.pieces)} {pieces} of the reference "
            "differ."
        )
    if found.estimates is not None and found.estimates.overall.value is not None:
        told.append(
            "For the whole map, with each class counting by its mapped area, the overall accuracy "
            f"is estimated at {_with_margin(found.estimates.overall)}."
        )
    if found.binary is not None:
        told.append(_object_sentence(found.binary))
    return [one for one in told if one]


def _object_sentence(binary: BinaryScores) -> str:
    objects = binary.objects
    sentence = (
        f"Of {objects.objects} objects of “{binary.name}” the map finds {objects.found}, and it "
        f"shows {objects.false_parts} false parts"
    )
    if objects.false_per_km2 is not None:
        sentence += f" ({objects.false_per_km2:.3g} in a km²)"
    if objects.area_bias is not None:
        more = "more" if objects.area_bias >= 0 else "less"
        sentence += (
            f"; its area is {words.percent(abs(objects.area_bias))} {more} than the true one"
        )
    return sentence + "."


def _warnings(found: Assessment) -> list[str]:
    return list(dict.fromkeys([*found.warnings, *words.cautions(found.scores, "reference")]))


def _range(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{words.score(interval.low)} to {words.score(interval.high)}"


def _with_margin(estimate: Estimate) -> str:
    margin = "" if estimate.margin is None else f" ± {words.score(estimate.margin)}"
    return words.score(estimate.value) + margin


def _hectares(estimate: Estimate) -> str:
    if estimate.value is None:
        return words.UNDEFINED
    margin = "" if estimate.margin is None else f" ± {_large(estimate.margin / 1e4)}"
    return f"{_large(estimate.value / 1e4)}{margin}"


def _large(value: float) -> str:
    return words.thousands(value) if value >= 100 else f"{value:.3g}"


def _estimate_rows(estimates: MapEstimates) -> list[dict[str, object]]:
    return [
        {
            "mapclass": one.mapclass,
            "sample": one.sample,
            "mapped": _large(one.mapped_share * estimates.area / 1e4),
            "area": _hectares(one.share.times(estimates.area)),
            "users": _with_margin(one.users),
            "producers": _with_margin(one.producers),
        }
        for one in estimates.per_class
    ]


def _binary_rows(binary: BinaryScores) -> list[tuple[str, str]]:
    boundary, objects = binary.boundary, binary.objects
    near = f"within {binary.distance:.4g} m"
    rate = objects.false_per_km2
    return [
        (f"Boundary IoU {near}", words.score(boundary.iou)),
        (f"Boundary F1 {near}", words.score(boundary.f1)),
        ("… of the map’s outline, right", words.score(boundary.precision)),
        ("… of the reference’s outline, found", words.score(boundary.recall)),
        ("Objects found (at least half covered)",
         f"{words.score(objects.detection_rate)} ({objects.found} of {objects.objects})"),
        ("False parts (touching no object)",
         f"{objects.false_parts} of {objects.parts}"
         + ("" if rate is None else f", {rate:.3g} in a km²")),
        ("Area on the ground", f"{_large(objects.reference_area / 1e4)} ha"),
        ("Area in the map", f"{_large(objects.mapped_area / 1e4)} ha"),
        ("Area bias", words.UNDEFINED if objects.area_bias is None
         else f"{100 * objects.area_bias:+.1f} %"),
    ]  # fmt: skip


def _worst_rows(worst: Sequence[WorstPlace]) -> list[dict[str, object]]:
    return [
        {
            "rank": one.rank,
            "place": f"rows {one.row}–{one.row + one.rows - 1}, "
            f"columns {one.column}–{one.column + one.columns - 1}",
            "wrong": f"{words.thousands(one.wrong)} of {words.thousands(one.compared)}",
            "share": words.percent(one.share),
            "mistake": one.mistake,
        }
        for one in worst[:10]
    ]
