"""Importing the package is cheap, and its public names all exist."""

import subprocess
import sys

import ntkreg

BACKENDS = ("jax", "neural_tangents", "tensorflow", "tf2jax")
HEAVY = (*BACKENDS, "numba", "sklearn", "matplotlib")


def test_import_loads_nothing_heavy():
    code = f"import sys, ntkreg; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_no_module_loads_jax_neural_tangents_or_tensorflow_by_being_imported():
    # But for those made of JAX, which nothing imports before it is asked for.
    code = (
        "import importlib, pkgutil, sys, ntkreg\n"
        "for module in pkgutil.walk_packages(ntkreg.__path__, 'ntkreg.'):\n"
        "    if module.name.startswith(('ntkreg.finite.', 'ntkreg.kernels.jax_')): continue\n"
        "    importlib.import_module(module.name)\n"
        f"    found = [m for m in {BACKENDS} if m in sys.modules]\n"
        "    if found: sys.exit(f'{module.name} loads {found}')\n"
        "print(sum(name.startswith('ntkreg.') for name in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert int(out.stdout) > 40


def test_a_native_kernel_never_imports_jax_or_neural_tangents():
    code = (
        "import sys, numpy as np, ntkreg as n; n.kernel(n.fully_connected(1), np.eye(2)); "
        "n.NTKRegressor().fit(np.eye(3), [1, 2, 3]).predict(np.eye(3)); "
        f"print([m for m in {BACKENDS} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented():
    for name in ntkreg.__all__:
        assert getattr(ntkreg, name).__doc__, name
