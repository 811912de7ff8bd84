"""`python -m core`: the worker's command line."""

import sys

from .worker.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
