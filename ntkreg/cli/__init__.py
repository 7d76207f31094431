"""The command line: ``ntkreg``, or ``python -m ntkreg``."""

from ntkreg.cli.main import command, main

__all__ = ["command", "main"]
