"""Turns a template into one self-contained HTML file, with the numbers as JSON beside it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..errors import InputError
from ..scene.aside import Together, written_aside
from ..settings import Setting
from . import words

_TEMPLATES = Path(__file__).parent / "templates"
# An absolute path would tell where somebody keeps her files, and often her name.
_FOLDER = re.compile(r"(?<![^\s\"'(,=])(?:[A-Za-z]:)?(?:[\\/][^\\/\s]+)+[\\/]")


def render(template: str, /, **values: object) -> str:
    """The page of `template`; every text in `values` is escaped unless it is Markup."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = words.score
    environment.filters["thousands"] = words.thousands
    environment.filters["plain"] = plain
    return environment.get_template(template).render(software=__version__, **values)


def write_page(
    path: str | Path,
    page: str,
    document: Mapping[str, object],
    together: Together | None = None,
    table: str = "",
) -> None:
    """Write the HTML to `path`, the document as JSON and the table as CSV beside it, together.

    Raises:
        InputError: the folder is missing or not writable.
        ResourceError: the disk is full.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    with written_aside(path, together) as aside:
        aside.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        if table:
            aside.with_suffix(".csv").write_text(table, encoding="utf-8")
        aside.write_text(page, encoding="utf-8")


def check_html(path: str | Path) -> Path:
    """The path of a report; raises InputError where its name is not that of an HTML file."""
    name = Path(path)
    if name.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"The report {name.name} is an HTML file; let its name end in .html.")
    return name


def check_table(path: str | Path) -> str:
    """“.json” or “.csv”; raises InputError where the path ends in neither."""
    kind = Path(path).suffix.lower()
    if kind not in (".json", ".csv"):
        raise InputError(
            f"The table {Path(path).name} is JSON or CSV; let its name end in .json or .csv."
        )
    return kind


def setting_rows(
    settings: Mapping[str, object], declared: Sequence[Setting]
) -> list[tuple[str, object]]:
    """Title and value of every setting, with its unit."""
    known = {one.key: one for one in declared}
    rows: list[tuple[str, object]] = []
    for key, value in settings.items():
        setting = known.get(key)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        unit = f" {setting.unit}" if setting and setting.unit and numeric else ""
        rows.append((setting.title if setting else key, f"{plain(value)}{unit}"))
    return rows


def pairs_of(data: Mapping[str, object]) -> list[tuple[str, object]]:
    """Names and values of a provenance, one level deep; settings have a table of their own."""
    rows: list[tuple[str, object]] = []
    for key, value in data.items():
        if key == "settings":
            continue
        title = key.replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{title}: {one}", plain(inner)) for one, inner in value.items()]
        elif isinstance(value, list | tuple):
            rows += [(f"{title} {place + 1}", plain(inner)) for place, inner in enumerate(value)]
        else:
            rows.append((title, plain(value)))
    return rows


def plain(value: object) -> Markup | str:
    """A value of a settings or provenance table as one cell: no braces, no folders."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(plain(one)) for one in value)
    return _FOLDER.sub("", str(value))
