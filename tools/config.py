"""The same as ``python -m mmsuper config``, for people who work in a checkout."""

import sys

from mmsuper.cli import main

if __name__ == "__main__":
    sys.exit(main(["config", *sys.argv[1:]]))
