"""The same as ``python -m mmsuper ngrams``, for people who work in a checkout."""

import sys

from mmsuper.cli import main

if __name__ == "__main__":
    sys.exit(main(["ngrams", *sys.argv[1:]]))
