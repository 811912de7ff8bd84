"""`python -m core`: the worker's command line."""

import os
import sys

# By default the threads of torch spin while they wait for each other. Where other programs want
# the cores too (QGIS, a browser), that makes training two to four times slower and helps nobody.
# It has to be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from .worker.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
