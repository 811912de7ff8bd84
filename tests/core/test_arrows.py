"""The import arrows of the design, read from the sources: plugin → ui → core facts, never back."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "plugin", "ui")

# Written out on purpose: these modules run inside QGIS's Python. A family's own folder is one.
FACTS = (
    "core",
    "core.accuracy",
    "core.accuracy.facts",
    "core.card",
    "core.classes",
    "core.errors",
    "core.families",
    "core.families.das2f",
    "core.families.hpclnet",
    "core.families.hpclnet.settings",
    "core.families.minec2fnet",
    "core.families.minec2fnet.settings",
    "core.family",
    "core.job",
    "core.progress",
    "core.record",
    "core.segmentation",
    "core.segmentation.settings",
    "core.settings",
    "core.words",
)

# The rooms that a file in a room may import from, beside itself; core is open by its facts only.
OPEN_ROOMS = {"": ("plugin",), "plugin": ("ui",), "ui": (), "core": ()}

# Accelerators that the core uses where they import, and never requires.
OPTIONAL = {"mamba_ssm", "causal_conv1d", "triton"}


def requirements() -> set[str]:
    """What core/requirements.txt installs, by import name."""
    lines = (ROOT / "core" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0] for line in lines if line and not line.startswith("#")}


@dataclass(frozen=True)
class Import:
    """One import in a source: an absolute name, or a name inside the package."""

    line: int
    name: str
    inside: bool
    lazy: bool


def imports(path: str, source: str) -> Iterator[Import]:
    """Every import of the file `path` (relative to the root), those inside functions too."""
    package = Path(path).parent.parts
    tree = ast.parse(source)
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if is_put_off(function)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, False, id(node) in lazy)
        elif isinstance(node, ast.ImportFrom):
            inside = node.level > 0
            start = package[: len(package) - node.level + 1] if inside else ()
            if inside and node.level > len(package) + 1:
                yield Import(node.lineno, "..", False, False)
                continue
            stem = ".".join((*start, *(node.module or "").split("."))).strip(".")
            for alias in node.names:
                yield Import(node.lineno, named(stem, alias.name, inside), inside, id(node) in lazy)


def is_put_off(node: ast.AST) -> bool:
    """Whether imports below `node` happen later (in a function) or never (for type checkers)."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return True
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def named(stem: str, name: str, inside: bool) -> str:
    """The module that `from stem import name` needs: a submodule of that name, or the stem."""
    joined = f"{stem}.{name}".strip(".")
    as_path = ROOT.joinpath(*joined.split("."))
    is_module = as_path.is_dir() or as_path.with_suffix(".py").is_file()
    return joined if inside and is_module else stem


def module(path: str) -> str:
    """The name inside the package of the file `path`, such as `core.family`."""
    parts = Path(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def violations(path: str, source: str) -> list[str]:
    """A sentence for every import of the file that goes against an arrow."""
    room = module(path).split(".")[0] if "/" in path else ""
    complaints = [
        check_inside(room, module(path), found)
        if found.inside
        else check_outside(room, module(path), found)
        for found in imports(path, source)
    ]
    return [complaint for complaint in complaints if complaint]


def check_inside(room: str, name: str, found: Import) -> str | None:
    """What is wrong with a relative import, if anything."""
    target = found.name.split(".")[0]
    if name in FACTS:
        allowed = found.name in FACTS or (found.lazy and target == "core")
        return None if allowed else f"{name}:{found.line} is a fact but needs {found.name}."
    if target == room or target in OPEN_ROOMS[room]:
        return None
    if room in ("plugin", "ui") and found.name in FACTS:
        return None
    return f"{name}:{found.line} reaches {found.name} against the arrows."


def check_outside(room: str, name: str, found: Import) -> str | None:
    """What is wrong with an absolute import, if anything."""
    top = found.name.split(".")[0]
    if top in (*ROOMS, "terraweave", "tests", ""):
        return f"{name}:{found.line} imports {found.name}; inside the package imports are relative."
    if room != "core" and top in ("multiprocessing", "concurrent"):
        return f"{name}:{found.line} imports {top}; a child of QGIS would be another QGIS window."
    allowed = set(sys.stdlib_module_names)
    if room != "core":
        allowed |= {"qgis"}
    elif name not in FACTS:
        allowed |= requirements() | OPTIONAL
    return None if top in allowed else f"{name}:{found.line} imports {top}, foreign to this room."


def sources() -> list[str]:
    """Every source file that is shipped, relative to the root."""
    files = [
        ROOT / "__init__.py",
        *(file for room in ROOMS for file in (ROOT / room).rglob("*.py")),
    ]
    return sorted(file.relative_to(ROOT).as_posix() for file in files)


@pytest.mark.parametrize("path", sources())
def test_every_source_keeps_to_the_arrows(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("plugin/x.py", "import numpy", "imports numpy, foreign"),
        ("plugin/x.py", "from PyQt5.QtCore import Qt", "imports PyQt5, foreign"),
        ("ui/x.py", "def f():\n    import torch", "imports torch, foreign"),
        ("ui/x.py", "from ..plugin import main", "reaches plugin"),
        ("ui/x.py", "from ..core.worker import run", "reaches core.worker"),
        ("plugin/x.py", "def f():\n    from ..core import model_file", "reaches core.model_file"),
        ("plugin/x.py", "import multiprocessing", "another QGIS window"),
        ("core/x.py", "import qgis.core", "imports qgis, foreign"),
        ("core/nn/x.py", "from ...ui import dock", "reaches ui"),
        ("core/x.py", "from core.errors import InputError", "imports are relative"),
        ("plugin/x.py", "import terraweave.core", "imports are relative"),
        ("core/card.py", "import numpy", "imports numpy, foreign"),
        ("core/job.py", "from .worker import wire", "is a fact but needs core.worker"),
        ("core/job.py", "def f():\n    from ..plugin import main", "is a fact but needs plugin"),
        ("__init__.py", "from .core.worker import run", "reaches core.worker"),
        ("core/x.py", "from ... import y", "imports are relative"),
    ],
)
def test_an_import_against_an_arrow_is_found(path: str, source: str, complaint: str) -> None:
    assert complaint in " ".join(violations(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("plugin/algorithms/x.py", "from qgis.PyQt.QtCore import Qt\nfrom ...core import card"),
        ("plugin/x.py", "from ..ui.dock import Dock\nfrom ..core.errors import InputError"),
        ("core/worker/x.py", "import torch\nfrom ..nn import scan"),
        ("core/family.py", "if TYPE_CHECKING:\n    from .worker import run"),
        ("core/families/das2f/__init__.py", "def f():\n    from .recipe import Recipe"),
        ("__init__.py", "def f():\n    from .plugin.main import P"),
    ],
)
def test_an_import_along_an_arrow_passes(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_the_registry_loads_without_any_installed_package() -> None:
    """The oracle of the list of facts: a Python that sees the standard library only."""
    program = "import sys; sys.path.insert(0, sys.argv[1])\n" + "\n".join(
        f"import {fact}" for fact in FACTS
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(ROOT)], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
