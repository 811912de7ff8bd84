"""Loads the repository root as the package `terraweave`, whatever the folder is called.

Also the fixtures that both Pythons share: the worker's interpreter, a small scene, a model.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def worker_python() -> Path:
    """The worker's Python; tests that need it are skipped where there is none."""
    named = os.environ.get("TERRAWEAVE_PYTHON", "")
    path = Path(named) if named else ROOT / ".venv" / "worker" / "bin" / "python"
    if not path.is_file():
        pytest.skip(f"There is no worker environment at {path}; `make worker` makes it.")
    return path


def _work(python: Path, *arguments: str) -> None:
    """Run the worker's Python in the repository, on one core."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(python), "-E", "-s", *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="session")
def sample_scene(worker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ms.tif, pan.tif, labels.gpkg and truth.tif of 64 × 64 MS pixels."""
    folder = tmp_path_factory.mktemp("scene")
    make = "import pathlib, sys; from core.samples import landcover; "
    call = "landcover.write(pathlib.Path(sys.argv[1]), 64)"
    _work(worker_python, "-c", make + call, str(folder))
    return folder


@pytest.fixture(scope="session")
def trained_model(worker_python: Path, sample_scene: Path) -> Path:
    """A model that was trained on the sample scene for one short epoch."""
    model = sample_scene / "model.safetensors"
    images = ("--ms", str(sample_scene / "ms.tif"), "--pan", str(sample_scene / "pan.tif"))
    labels = ("--labels", str(sample_scene / "labels.gpkg"), "--class-field", "class_name")
    short = ("--epochs", "1", "--batch", "2", "--refit", "false", "--device", "cpu")
    train = ("-m", "core", "train", "das2f", *images, *labels, *short)
    _work(worker_python, *train, "--model", str(model))
    return model


@pytest.fixture(scope="session")
def mining_scene(worker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with image.tif, coarse and fine outlines and their areas, of 128 × 128 pixels."""
    folder = tmp_path_factory.mktemp("mines")
    make = "import pathlib, sys; from core.samples import mining; "
    call = "mining.write(pathlib.Path(sys.argv[1]), 128)"
    _work(worker_python, "-c", make + call, str(folder))
    return folder
