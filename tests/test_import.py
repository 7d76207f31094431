"""Importing the package is cheap, and its public names all exist."""

import subprocess
import sys

import ntkreg

HEAVY = ("jax", "neural_tangents", "tensorflow", "tf2jax", "numba", "sklearn", "matplotlib")


def test_import_loads_nothing_heavy():
    code = f"import sys, ntkreg; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_a_native_kernel_never_imports_jax_or_neural_tangents():
    code = (
        "import sys, numpy as np, ntkreg as n; n.kernel(n.fully_connected(1), np.eye(2)); "
        "n.NTKRegressor().fit(np.eye(3), [1, 2, 3]).predict(np.eye(3)); "
        "print([m for m in ('jax', 'neural_tangents', 'tensorflow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented():
    for name in ntkreg.__all__:
        assert getattr(ntkreg, name).__doc__, name
