"""Writes resources/help from the texts of forms and families; run it with QGIS's own Python.

The pages are made of what the tools say of themselves, so that help and form never differ:
`/usr/bin/python3 tools/make_help.py`. `--check` only says whether the pages are up to date;
`--pictures FOLDER` takes the tutorial's pictures over from the end-to-end test, which saves them
below the folder that TERRAWEAVE_E2E_PICTURES names.
"""

import importlib.util
import os
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELP = ROOT / "resources" / "help"
# The pictures of the tutorial, by their names in the end-to-end test, and what they show.
TUTORIAL = {
    "1-empty": "The panel in an empty project. “Try a sample scene” makes a small landscape.",
    "3-train": "The layers of the scene are filled in by role; each guess is said below its "
    "field and can be changed. “Train a model” starts the training.",
    "5-trained": "While it runs, the page “Runs” shows stage, time left and curves. At the end "
    "the report can be opened and the model applied.",
    "6-apply": "The model's card says which bands, classes and scores it has. “Make the map” "
    "applies it to the scene.",
    "8-opacity": "The map is loaded with the names and colours of its classes; the slider lets "
    "the image shine through.",
    "8-assess": "“Assess” compares the map with a reference.",
}
PICTURE_WIDTH = 920
STYLE = """
body { font-family: sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; line-height: 1.5;
  color: #1d2a2e; background: #ffffff; }
a { color: #0b63a5; } h1, h2 { line-height: 1.2; } dt { font-weight: bold; margin-top: .8em; }
dd { margin-left: 1.2em; } code { background: #8882; padding: 0 .2em; } img { max-width: 100%; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #1e2426; } a { color: #7cc0f0; }
}
"""


def main() -> int:
    """Write the pages, or with --check compare them; the exit status is 1 where they differ."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QGIS_CUSTOM_CONFIG_PATH", tempfile.mkdtemp(prefix="terraweave-help-"))
    if "--pictures" in sys.argv[1:]:
        take_pictures(Path(sys.argv[sys.argv.index("--pictures") + 1]))
    pages = made_pages()
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in pages.items() if read(HELP / name) != text]
        if stale:
            print(f"terraweave: {', '.join(stale)} in resources/help are stale; make them anew.")
        return 1 if stale else 0
    HELP.mkdir(parents=True, exist_ok=True)
    for old in HELP.glob("*.html"):
        old.unlink()
    for name, text in pages.items():
        (HELP / name).write_text(text, encoding="utf-8")
    print(f"terraweave: {len(pages)} pages are in resources/help.")
    return 0


def take_pictures(folder: Path) -> None:
    """Scale the pictures of the end-to-end test below `folder` into the help."""
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtGui import QImage

    (HELP / "pictures").mkdir(parents=True, exist_ok=True)
    smooth = Qt.TransformationMode.SmoothTransformation
    for name in TUTORIAL:
        found = next(folder.rglob(f"{name}.png"))
        image = QImage(str(found)).scaledToWidth(PICTURE_WIDTH, smooth)
        # As many colours as there are: an indexed picture would be dithered.
        plain = image.convertToFormat(QImage.Format.Format_RGB888)
        plain.save(str(HELP / "pictures" / f"{name}.png"), "PNG", 0)


def tutorial_page() -> str:
    """From an empty project to a map, step by step."""
    steps = "".join(
        f'<li><p>{escape(text)}</p><p><img src="pictures/{name}.png" alt=""></p></li>\n'
        for name, text in TUTORIAL.items()
    )
    return page(
        "Terraweave: the first map",
        f'<p><a href="index.html">Terraweave</a></p>\n<h1>The first map</h1>\n<ol>\n{steps}</ol>',
    )


def read(path: Path) -> str:
    """The text of a page, or nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def made_pages() -> dict[str, str]:
    """Every page by its file name."""
    load_package()
    from qgis.core import QgsApplication
    from terraweave.core.families import FAMILIES
    from terraweave.plugin.algorithms import all_algorithms
    from terraweave.ui.steps import STEPS

    application = QgsApplication([], False)
    application.initQgis()
    algorithms = [one.create() for one in all_algorithms()]
    pages = {f"{one.name()}.html": tool_page(one) for one in algorithms}
    pages["index.html"] = index_page(algorithms, FAMILIES.values(), STEPS)
    pages["tutorial.html"] = tutorial_page()
    del algorithms
    application.exitQgis()
    return pages


def load_package() -> None:
    """Import the repository's root as the package `terraweave`."""
    spec = importlib.util.spec_from_file_location(
        "terraweave", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["terraweave"] = package
    spec.loader.exec_module(package)


def page(title: str, body: str) -> str:
    """A whole HTML page that needs nothing from elsewhere."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def tool_page(algorithm: object) -> str:
    """The page of one tool: what it does, and every field of its form."""
    fields = "".join(
        f"<dt>{escape(one.description())} <code>{one.name()}</code></dt>"
        f"<dd>{escape(one.help()).replace(chr(10), '<br>')}</dd>\n"
        for one in algorithm.parameterDefinitions()
    )
    return page(
        algorithm.displayName(),
        f'<p><a href="index.html">Terraweave</a></p>\n<h1>{escape(algorithm.displayName())}</h1>\n'
        f"<p>Tool <code>terraweave:{algorithm.name()}</code></p>\n{algorithm.shortHelpString()}\n"
        f"<h2>Fields of the form</h2>\n<dl>\n{fields}</dl>",
    )


def index_page(algorithms: list, families: object, steps: object) -> str:
    """What there is to map, the steps, and the list of tools."""
    mapped = "".join(
        f"<dt>{escape(one.title)}</dt><dd>{escape(one.purpose)}. {escape(one.help)}</dd>\n"
        for one in families
    )
    way = "".join(f"<dt>{escape(one.title)}</dt><dd>{escape(one.intro)}</dd>\n" for one in steps)
    tools = "".join(
        f'<li><a href="{one.name()}.html">{escape(one.displayName())}</a>: '
        f"{escape(one.shortDescription())}</li>\n"
        for one in algorithms
    )
    return page(
        "Terraweave",
        f"<h1>Terraweave</h1>\n<h2>What to map</h2>\n<dl>\n{mapped}</dl>\n"
        "<h2>From layers to a map</h2>\n<p>Open the panel with View → Panels → Terraweave, or with "
        "its icon in the toolbar. Without data of your own, press “Try a sample scene”; "
        '<a href="tutorial.html">the first map</a> shows every step.</p>\n'
        f"<dl>\n{way}</dl>\n<h2>Tools</h2>\n<ul>\n{tools}</ul>",
    )


if __name__ == "__main__":
    sys.exit(main())
