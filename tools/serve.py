"""The same as ``python -m mmsuper serve``, for people who work in a checkout."""

import sys

from mmsuper.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
