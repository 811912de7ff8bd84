"""The first map: makes a small scene, trains DAS²F on it and maps it, all through qgis_process.

Needs the standard library only. The steps run in a throw-away QGIS profile; `--zip` takes the
plugin from a built package instead of from this checkout, which is how a package is proved.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "demo"
OUT = ROOT / "build" / "demo"
WORKER = ROOT / ".venv" / "worker" / "bin" / "python"


def main() -> int:
    """Run the steps; the exit status is that of the first step that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zip", type=Path, help="a package to take the plugin from")
    package = parser.parse_args().zip
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    environment = fresh_profile(package)
    started = time.monotonic()
    try:
        qgis(environment, "plugins", "enable", "terraweave", quiet=True)
        map_a_scene(environment)
        subprocess.run([str(WORKER), str(ROOT / "tools" / "demo_picture.py"), str(OUT)], check=True)
    except subprocess.CalledProcessError as error:
        print(f"\nThe demo stopped at {Path(error.cmd[0]).name}; what went wrong is said above.")
        return 1
    print(f"\nDone in {time.monotonic() - started:.0f} s. Open these in QGIS:")
    for name in ("ms.tif", "pan.tif", "labels.gpkg", "classes.tif", "polygons.gpkg"):
        print(f"  {(OUT / name).relative_to(ROOT)}")
    print("The model, its training report and the picture:")
    for name in ("model.safetensors", "training.html", "demo.png"):
        print(f"  {(OUT / name).relative_to(ROOT)}")
    return 0


def map_a_scene(environment: dict[str, str]) -> None:
    """Make a scene, train on its labels, map it: three algorithms, three commands."""
    heading("1 of 3: a made-up scene with labels and truth")
    algorithm(environment, "samplescene", FAMILY="das2f", SEED="7", FOLDER=OUT)
    heading("2 of 3: training")
    images = {"MS": OUT / "ms.tif", "PAN": OUT / "pan.tif"}
    algorithm(
        environment,
        "traindas2f",
        **images,
        LABELS=OUT / "labels.gpkg",
        CLASS_FIELD="class_id",
        EPOCHS="4",
        MODEL=OUT / "model.safetensors",
        REPORT=OUT / "training.html",
    )
    heading("3 of 3: the map")
    algorithm(
        environment,
        "predictdas2f",
        **images,
        MODEL=OUT / "model.safetensors",
        CLASSES=OUT / "classes.tif",
        CONFIDENCE=OUT / "confidence.tif",
        POLYGONS=OUT / "polygons.gpkg",
    )


def fresh_profile(package: Path | None) -> dict[str, str]:
    """The environment of a new, empty QGIS profile that sees the plugin, and no other profile."""
    shutil.rmtree(CACHE, ignore_errors=True)
    plugins, runtime, profile = CACHE / "plugins", CACHE / "runtime", CACHE / "profile"
    for folder in (plugins, runtime, profile):
        folder.mkdir(parents=True)
    runtime.chmod(0o700)
    if package is None:
        (plugins / "terraweave").symlink_to(ROOT, target_is_directory=True)
    else:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(plugins)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return inherited | {
        "QGIS_PLUGINPATH": str(plugins),
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "XDG_RUNTIME_DIR": str(runtime),
        "QT_QPA_PLATFORM": "offscreen",
        "TERRAWEAVE_PYTHON": str(WORKER),
    }


def algorithm(environment: dict[str, str], name: str, **parameters: object) -> None:
    """Run one algorithm of Terraweave; its log and progress go to the terminal as they come."""
    given = [f"{key}={value}" for key, value in parameters.items()]
    qgis(environment, "run", f"terraweave:{name}", "--", *given)


def qgis(environment: dict[str, str], *arguments: str, quiet: bool = False) -> None:
    """Call qgis_process; a failure raises CalledProcessError."""
    command = ["qgis_process", *arguments]
    if not quiet:
        print("$", shlex.join(command).replace(f"{ROOT}/", ""), flush=True)
    output = subprocess.DEVNULL if quiet else None
    subprocess.run(command, env=environment, check=True, stdout=output)


def heading(text: str) -> None:
    """Separate the steps."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
