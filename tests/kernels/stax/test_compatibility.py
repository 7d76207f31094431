"""neural-tangents imports on this JAX, without TensorFlow, and leaves JAX as it was."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from ntkreg.errors import BackendError
from ntkreg.kernels.stax.compatibility import enable_x64, import_jax, import_neural_tangents


def run_python(code):
    """Run code in a process of its own, warnings being errors; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_kernels_room_loads_neither_jax_nor_neural_tangents():
    loaded = run_python("import sys, ntkreg.kernels; print(*sys.modules, sep='\\n')").split("\n")
    roots = {name.split(".")[0] for name in loaded}
    assert "ntkreg" in roots
    assert not roots & {"jax", "jaxlib", "neural_tangents", "tensorflow", "tf2jax"}


def test_importing_neural_tangents_changes_nothing_in_jax_and_needs_no_tensorflow():
    run_python(
        """
import sys, jax, jax.core, jax.interpreters.ad
modules = [sys.modules[m] for m in ("jax.core", "jax.interpreters.ad")]
before = {m.__name__: (m, set(vars(m))) for m in modules}
from ntkreg.kernels import import_neural_tangents
nt = import_neural_tangents()
for name, (module, names) in before.items():
    assert sys.modules[name] is module and set(vars(module)) == names, name
assert type(sys.modules["jax"]) is type(sys) and sys.modules["jax"] is jax
assert jax.core is sys.modules["jax.core"]
assert "jax.util" not in sys.modules or not hasattr(sys.modules["jax.util"], "_real")
assert not {"tensorflow", "tf2jax"} & set(sys.modules)
assert not jax.config.jax_enable_x64
import neural_tangents
assert neural_tangents is nt is import_neural_tangents()
"""
    )


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Block())
from ntkreg.errors import BackendError
from ntkreg.kernels import import_neural_tangents, make_engine, to_stax
from ntkreg import cntk
for call in (import_neural_tangents, lambda: to_stax(cntk(1))):
    try:
        call()
    except BackendError as error:
        print(error)
"""


def test_missing_neural_tangents_is_told_with_what_to_install():
    after = "sys.meta_path.pop(0); assert import_neural_tangents().stax; print('works now')"
    out = run_python("BLOCKED = 'neural_tangents'" + BLOCK + after).splitlines()
    assert len(out) == 3
    assert "pip install neural-tangents==0.6.5" in out[0]
    assert "No module named 'neural_tangents'" in out[1]
    assert out[2] == "works now"


def test_missing_jax_is_told_with_what_to_install():
    out = run_python("BLOCKED = 'jax'" + BLOCK).splitlines()
    assert len(out) == 2
    assert 'pip install "jax>=0.8"' in out[0]


def test_failed_import_leaves_no_stand_in_behind():
    run_python(
        """
import sys, jax, jax.extend.core
from ntkreg.errors import BackendError
from ntkreg.kernels import import_neural_tangents
kept = jax.extend.core.JaxprEqn
del jax.extend.core.JaxprEqn
try:
    import_neural_tangents()
except BackendError as error:
    assert "does not work with this JAX" in str(error), error
else:
    raise SystemExit("no error")
assert sys.modules["jax"] is jax
assert not [m for m in sys.modules if m.startswith("neural_tangents")]
jax.extend.core.JaxprEqn = kept
assert import_neural_tangents().stax
"""
    )


def test_experimental_part_says_that_it_needs_tensorflow():
    with pytest.raises(BackendError, match="needs TensorFlow and tf2jax, which ntkreg leaves out"):
        _ = import_neural_tangents().experimental.get_apply_fn_and_params


def test_float64_is_on_inside_the_context_and_in_this_thread_only():
    numpy = import_jax().numpy
    seen = {}

    def look():
        seen["thread"] = numpy.ones(1).dtype

    with enable_x64():
        assert numpy.ones(1).dtype == np.float64
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        with enable_x64(False):
            assert numpy.ones(1).dtype == np.float32
    assert numpy.ones(1).dtype == seen["thread"] == np.float32


@pytest.mark.slow
def test_prediction_monte_carlo_and_empirical_kernels_work_on_this_jax():
    nt, jax = import_neural_tangents(), import_jax()
    init_fn, apply_fn, kernel_fn = nt.stax.serial(
        nt.stax.Dense(16), nt.stax.Erf(), nt.stax.Dense(1)
    )
    X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    y = np.ones((4, 1), np.float32)
    key = jax.random.PRNGKey(0)
    _, params = init_fn(key, X.shape)
    jacobian = nt.NtkImplementation.JACOBIAN_CONTRACTION
    assert nt.empirical_ntk_fn(apply_fn, implementation=jacobian)(X, None, params).shape == (4, 4)
    predict = nt.predict.gradient_descent_mse_ensemble(kernel_fn, X, y)
    np.testing.assert_allclose(predict(x_test=X, get="ntk"), y, atol=1e-2)
    sampled = nt.monte_carlo_kernel_fn(init_fn, apply_fn, key, 2, implementation=jacobian)
    assert sampled(X, None, "ntk").shape == (4, 4)
