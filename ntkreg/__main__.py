"""``python -m ntkreg`` is ``ntkreg``."""

from ntkreg.cli import command

if __name__ == "__main__":
    command()
