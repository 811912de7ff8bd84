"""Loads the repository root as the package `terraweave`, whatever the folder is called."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if "terraweave" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "terraweave", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not a package.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["terraweave"] = package
    spec.loader.exec_module(package)
