"""Turns a template into one self-contained HTML file, with the numbers as JSON beside it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..scene.aside import Together, written_aside
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
) -> None:
    """Write the HTML to `path` and the document as JSON beside it; both appear together.

    Raises:
        InputError: the folder is missing or not writable.
        ResourceError: the disk is full.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    with written_aside(path, together) as aside:
        aside.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        aside.write_text(page, encoding="utf-8")


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
