import sys

import pytest

CONFIG = """\
data: digits
architecture: {recipe: fully_connected, depth: 2}
n_train: 60
n_test: 40
alpha: 1.0e-3
"""


@pytest.fixture
def config(tmp_path):
    """Return the path of a configuration that fits in a moment."""
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def listening():
    """Return what starts a command so that it hears SIGINT, which a shell may tell jobs to ignore.

    Not by a function between fork and exec, which JAX, where another test loaded it, forbids.
    """
    code = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return lambda command: [sys.executable, "-c", code, *command]
