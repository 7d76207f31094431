"""Importing the package is cheap, and its public names all exist."""

import importlib.metadata
import subprocess
import sys

import pytest

import ntkreg

BACKENDS = ("jax", "neural_tangents", "tensorflow", "tf2jax")
TABLES = ("sklearn", "pandas", "matplotlib")
HEAVY = (*BACKENDS, *TABLES, "numba", "scipy", "optax", "tqdm")

KERNEL = "import numpy as np, ntkreg as n; n.kernel(n.cntk(2), np.ones((2, 3, 4, 1)))"
DENSE = "import numpy as np, ntkreg as n; n.kernel(n.fully_connected(2), np.eye(2))"
NETWORK = "import ntkreg as n; n.train, n.finite_network, n.empirical_kernels"


def loaded_by(code, modules):
    """Which of `modules` are loaded once a fresh process has run `code`."""
    code += f"\nimport sys; print([m for m in {modules} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return out.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import ntkreg", (*HEAVY, "numpy", "yaml")),
        ("import ntkreg.architecture, ntkreg.data", HEAVY),
        (KERNEL, (*BACKENDS, *TABLES, "optax")),
        (DENSE, (*BACKENDS, *TABLES, "optax")),
        (NETWORK, (*TABLES, "neural_tangents", "numba", "scipy")),
    ],
    ids=["package", "data", "kernel", "dense kernel", "finite network"],
)
def test_nothing_is_loaded_that_is_not_needed(code, modules):
    assert loaded_by(code, modules) == "[]"


MADE_OF_JAX = ("ntkreg.finite.", "ntkreg.landscape.", "ntkreg.kernels.image_jax.")


def test_no_module_loads_jax_neural_tangents_or_tensorflow_by_being_imported():
    # But for those made of JAX, which nothing imports before it is asked for.
    code = (
        "import importlib, pkgutil, sys, ntkreg\n"
        "for module in pkgutil.walk_packages(ntkreg.__path__, 'ntkreg.'):\n"
        f"    if module.name.startswith({MADE_OF_JAX}): continue\n"
        "    importlib.import_module(module.name)\n"
        f"    found = [m for m in {BACKENDS} if m in sys.modules]\n"
        "    if found: sys.exit(f'{module.name} loads {found}')\n"
        "print(sum(name.startswith('ntkreg.') for name in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert int(out.stdout) > 40


def test_an_estimator_never_imports_jax_or_neural_tangents():
    code = (
        "import numpy as np, ntkreg as n; "
        "n.NTKRegressor().fit(np.eye(3), [1, 2, 3]).predict(np.eye(3))"
    )
    assert loaded_by(code, BACKENDS) == "[]"


def test_every_public_name_exists_and_is_documented():
    for name in ntkreg.__all__:
        assert getattr(ntkreg, name).__doc__, name


def test_the_version_is_that_of_the_package():
    assert ntkreg.__version__ == importlib.metadata.version("ntkreg")
