"""``python -m mmsuper VERB ...``."""

import sys

from mmsuper.cli import main

if __name__ == "__main__":
    sys.exit(main())
