"""``python -m ntkreg`` is ``ntkreg``."""

import sys

from ntkreg.cli import main

if __name__ == "__main__":
    sys.exit(main())
