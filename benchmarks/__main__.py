"""The benchmarks that need no data, one after the other: `make bench`."""

import subprocess
import sys

for name in ("scan", "das2f_inference", "segmentation_inference"):
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)  # noqa: S603
