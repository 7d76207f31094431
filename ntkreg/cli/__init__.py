"""The command line: ``ntkreg``, or ``python -m ntkreg``."""

from ntkreg.cli.main import main

__all__ = ["main"]
