"""Peak memory of DAS²F's prediction by scene size: it must not grow with the scene.

Makes pairs of images (MS, and PAN four times finer), applies a model with random weights in
a worker process of its own, and writes what the operating system counted for that process.

    python benchmarks/das2f_memory.py            5,000² and 20,000² PAN pixels
    python benchmarks/das2f_memory.py 2000 4000  other sizes
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import rasterio  # noqa: E402
import torch  # noqa: E402
from rasterio.transform import from_origin  # noqa: E402
from rasterio.windows import Window  # noqa: E402

from core.card import Band, Card, CardInput  # noqa: E402
from core.classes import MapClass, palette_color  # noqa: E402
from core.families.das2f.architecture import Architecture  # noqa: E402
from core.families.das2f.network import Das2f  # noqa: E402
from core.model_file import write_model  # noqa: E402

RATIO, BANDS, CLASSES, STRIDE = 4, 4, 8, 64
RESULTS = ROOT / "benchmarks" / "results"


def write_image(path: Path, bands: int, edge: int, gsd: float) -> None:
    """A tiled image of smooth random numbers, written row of tiles by row of tiles."""
    random = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "count": bands, "width": edge, "height": edge, "dtype": "uint16",
        "crs": "EPSG:32632", "transform": from_origin(500000, 5400000, gsd, gsd),
        "tiled": True, "compress": "deflate", "predictor": 2,
    }  # fmt: skip
    pattern = random.integers(200, 900, (bands, 256, edge), dtype=np.uint16)
    with rasterio.open(path, "w", **profile) as file:
        for row in range(0, edge, 256):
            rows = min(256, edge - row)
            file.write(np.roll(pattern[:, :rows], row // 7, 2), window=Window(0, row, edge, rows))


def write_random_model(path: Path) -> None:
    """A model of the default architecture with random weights."""
    torch.manual_seed(0)
    architecture = Architecture(ms_bands=BANDS, classes=CLASSES, ratio=RATIO)
    names = tuple(Band(f"band {i + 1}") for i in range(BANDS))
    card = Card(
        family="das2f",
        name="random",
        inputs=(
            CardInput("MS", names, (550.0,) * BANDS, (200.0,) * BANDS, 2.0),
            CardInput("PAN", names[:1], (550.0,), (200.0,), 0.5, RATIO),
        ),
        classes=tuple(MapClass(i + 1, f"c{i}", palette_color(i)) for i in range(CLASSES)),
        window=architecture.window,
        overlap=0,
        architecture=architecture.to_json(),
    )
    write_model(path, card, Das2f(architecture).state_dict())


def measure(folder: Path, edge: int) -> dict[str, float]:
    """Peak memory (MB) and seconds of one prediction over `edge` × `edge` PAN pixels."""
    write_image(folder / "ms.tif", BANDS, edge // RATIO, 2.0)
    write_image(folder / "pan.tif", 1, edge, 0.5)
    command = [sys.executable, "-E", "-s", "-m", "core", "predict", "das2f",
               "--ms", str(folder / "ms.tif"), "--pan", str(folder / "pan.tif"),
               "--model", str(folder / "model.safetensors"),
               "--classes", str(folder / "classes.tif"),
               "--confidence", str(folder / "confidence.tif"),
               "--mode", "stride", "--stride", str(STRIDE), "--device", "cpu"]  # fmt: skip
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the prediction of {edge} x {edge} failed")
    return {
        "pan_pixels": edge,
        "peak_megabytes": round(usage.ru_maxrss / 1024, 1),
        "seconds": round(time.monotonic() - start, 1),
    }


def main() -> None:
    """Measure each size and keep the table."""
    sizes = [int(word) for word in sys.argv[1:]] or [5000, 20000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_random_model(folder / "model.safetensors")
        rows = [measure(folder, edge) for edge in sizes]
    document = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "stride": STRIDE,
        "rows": rows,
        "largest_over_smallest": round(rows[-1]["peak_megabytes"] / rows[0]["peak_megabytes"], 3),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "das2f_memory.json").write_text(json.dumps(document, indent=2) + "\n")
    for row in rows:
        print(f"{row['pan_pixels']:>7} PAN pixels squared: {row['peak_megabytes']:8.1f} MB, "
              f"{row['seconds']:6.1f} s")  # fmt: skip
    print(f"largest over smallest: {document['largest_over_smallest']}")


if __name__ == "__main__":
    main()
