"""`main`: which command, and one clear line for whatever goes wrong in it."""

import argparse
import difflib
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import ntkreg
from ntkreg.cli.studies import STUDIES
from ntkreg.errors import BackendError, NotPSDError

__all__ = ["command", "main"]

OTHERS = {
    "predict": "predict with a saved model",
    "plan": "say what a configuration will cost, before any work",
    "report": "make a finished study's page again, or keep it among the benchmarks",
    "warm": "compile the loops of common networks now, once on a machine",
}
"""Commands that are no studies, each a function of `ntkreg.cli.commands`."""

_SUMMARIES = {name: study.summary for name, study in STUDIES.items()} | OTHERS
COMMANDS = {
    name: _SUMMARIES[name] for name in dict.fromkeys(["quickstart", "fit", *OTHERS, *_SUMMARIES])
}
"""Every command with its line in the help, in that order."""

EPILOG = """\
examples:
  ntkreg quickstart                                   # a real result in under 2 minutes
  ntkreg plan configs/digits_fit.yaml                 # pairs, seconds, bytes
  ntkreg fit configs/digits_fit.yaml --alpha 1e-3     # the command line wins over the file
  ntkreg fit configs/digits_fit.yaml --architecture.depth 3
  ntkreg predict results/digits_fit --data digits
  ntkreg COMMAND --help                               # every option and key, explained

Exit status: 0 done; 2 something in the request, the data or the machine is in the way,
and one line on standard error says what; 130 interrupted.
"""

EXPECTED = (ValueError, MemoryError, OSError, NotPSDError, BackendError)
"""What is the request's, the data's or the machine's fault; all else shows a traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments after the program's name; None for those of this process.

    Returns
    -------
    int
        0: done. 2: an error, told in one line on standard error (with ``--debug``, raised
        instead). 130: Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _dispatch(arguments)
    except KeyboardInterrupt:
        _say("interrupted. What is already stored is kept; the same command goes on there.")
        return 130
    except EXPECTED as error:
        if debug:
            raise
        _say(_one_line(error))
        return 2


def command() -> NoReturn:
    """Run the command of this process and end it with its status."""
    status = main()
    if status == 130 and "jax" in sys.modules:
        # A compilation that was cut short would still be at work while Python takes JAX down
        # beneath it, which ends in a segmentation fault now and then.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}. See `ntkreg --help`.")


def _dispatch(arguments: list[str]) -> int:
    parser = _Parser(
        prog="ntkreg",
        usage="ntkreg COMMAND ...",
        description="Exact kernel regression with the kernels of infinitely wide networks.",
        epilog="commands:\n"
        + "".join(f"  {name:<20} {text}\n" for name, text in COMMANDS.items())
        + f"\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ntkreg {ntkreg.__version__}")
    parser.add_argument("--debug", action="store_true", help="errors with their traceback")
    if not arguments:
        parser.print_help()
        return 0
    name = arguments[0]
    if name.startswith("-"):
        try:
            parser.parse_args(arguments)
        except SystemExit as stop:  # of --help and --version
            return int(stop.code or 0)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(COMMANDS)}."
        raise ValueError(f"unknown command {name!r}. {hint}")
    # Imported here, so that `ntkreg --help` waits for nothing.
    from ntkreg.cli import commands

    try:
        if name in STUDIES:
            commands.run_study(STUDIES[name], arguments[1:])
        else:
            getattr(commands, name)(arguments[1:])
    except SystemExit as stop:  # of --help
        return int(stop.code or 0)
    return 0


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        if error.filename is None and str(error.strerror).endswith("."):
            return str(error.strerror)  # a sentence of ours, which says what to do
        text = f"{error.filename or 'a file'}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text += ". Free some space, or give another --output"
        if error.errno == errno.EWOULDBLOCK and error.filename:
            text += ". Wait until it is through, or give another --output"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            text += ". Give another path, or change the permissions"
        return f"{text}."
    if isinstance(error, MemoryError) and not str(error):
        return "out of memory. `ntkreg plan` says what would fit."
    return " ".join(str(error).split())


def _say(text: str) -> None:
    print(f"ntkreg: {text}", file=sys.stderr)


def _show_warning(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
    _say(f"warning: {' '.join(str(message).split())}")
