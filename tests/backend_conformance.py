"""What every backend owes the image engine: inherit `BackendConformance` and name the backend.

Held against the compiled loops, which the other tests hold against oracles.
"""

import numpy as np
import pytest
from agreement import assert_agrees, tolerance

from ntkreg import cntk, compute_gram, kernel, plan_gram
from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Relu,
    Residual,
)
from ntkreg.kernels import make_engine

SHAPE, NET = (5, 4, 2), cntk(2)
LAP = cntk(3, "lap", half_width=2)
BOTH = ("nngp", "ntk")
STRIDED = Architecture((Conv(stride=2), Relu(), Conv(5), Relu(), GlobalAvgPool(), Dense()))


def trained_in_part(first, second):
    """A network with a pooling and a residual block, some of whose layers are trained."""
    block = Residual((Relu(), Conv()), (Conv(1),))
    layers = (Conv(trainable=first), Relu(), AvgPool(2), Conv(trainable=second), block)
    return Architecture((*layers, Flatten(), Dense()))


class BackendConformance:
    """Tests of a registered backend.

    `backend` is its name, `dtype` the widest that it computes in, `rtol` how far its values may be
    from the compiled loops'.
    """

    backend: str
    dtype = "float64"
    rtol = 1e-12

    def engine(self, network=NET, **options):
        return make_engine(network, SHAPE, dtype=self.dtype, backend=self.backend, **options)

    def both_engines(self, network, **options):
        """The compiled loops' engine, and this one."""
        compiled = make_engine(network, SHAPE, dtype=self.dtype, **options)
        return compiled, self.engine(network, **options)

    @pytest.fixture
    def X(self):
        return np.random.default_rng(0).normal(size=(45, *SHAPE)).astype(self.dtype)

    @pytest.mark.parametrize(
        "network",
        [
            NET,
            STRIDED,
            trained_in_part(True, True),
            cntk(2, "flatten", train_first=False, train_last=False, bias_std=0.2),
            Architecture((Conv(), Relu(), GlobalAvgPool(), Dense(), Erf(), Dense())),
        ],
        ids=["gap", "strided", "pooled", "flatten", "layers on vectors"],
    )
    def test_values_are_those_of_the_compiled_loops(self, X, network):
        compiled, engine = self.both_engines(network)
        np.testing.assert_allclose(
            engine.cross(X[:3], X[3:7]), compiled.cross(X[:3], X[3:7]), rtol=self.rtol
        )
        np.testing.assert_allclose(
            engine.symmetric(X[:4]), compiled.symmetric(X[:4]), rtol=self.rtol
        )
        np.testing.assert_array_equal(engine.diagonal(X[:4]), compiled.diagonal(X[:4]))

    def test_values_have_the_same_bits_in_any_block(self, X):
        engine = self.engine()
        whole = engine.cross(X, X[:40])
        for rows, columns in ((slice(3, 5), slice(7, 8)), (slice(33, 45), slice(1, 40))):
            part = engine.cross(X[rows], X[columns])
            np.testing.assert_array_equal(part, whole[..., rows, columns])

    def test_symmetric_is_cross_above_the_diagonal_and_exact_on_it(self, X):
        compiled, engine = self.both_engines(NET)
        K = engine.symmetric(X)
        upper = np.triu_indices(len(X), 1)
        np.testing.assert_array_equal(K, K.swapaxes(2, 3))
        np.testing.assert_array_equal(K[:, :, *upper], engine.cross(X, X)[:, :, *upper])
        np.testing.assert_array_equal(np.einsum("fdii->fdi", K), compiled.diagonal(X))

    def test_black_images_and_equal_images_have_finite_right_values(self, X):
        compiled, engine = self.both_engines(NET)
        A = X[:4].copy()
        A[0] = 0
        A[1, :, 1:] = 0  # whole windows without variance
        A[3] = -A[2]
        wanted, rows = compiled.symmetric(A)[:, 0], compiled.diagonal(A)[:, 0]
        for K in (engine.symmetric(A), engine.cross(A, A.copy())):
            assert_agrees(K[:, 0], wanted, rows, rows, tolerance(self.dtype, gap=0.0, depth=2))

    @pytest.mark.parametrize("dtype", ["float32", "mixed"])
    def test_float32_rounds_last_and_mixed_not_at_all(self, X, dtype):
        X = X.astype("float32")
        compiled = make_engine(NET, SHAPE, dtype="mixed").cross(X[:3], X[3:7])
        engine = make_engine(NET, SHAPE, dtype=dtype, backend=self.backend)
        values = engine.cross(X[:3], X[3:7])
        assert values.dtype == engine.value_dtype == ("float32" if dtype == "float32" else float)
        np.testing.assert_allclose(values, compiled, rtol=1e-5)

    def test_several_depths_and_one_field_come_from_one_pass(self, X):
        options = {"depths": (3, 1), "fields": ("ntk",)}
        compiled, engine = self.both_engines(cntk(3, frozen=1, bias_std=0.3), **options)
        wanted = compiled.cross(X[:3], X[3:7])
        assert wanted.shape == (1, 2, 3, 4)
        np.testing.assert_allclose(engine.cross(X[:3], X[3:7]), wanted, rtol=self.rtol)

    def test_read_outs_and_last_layers_come_from_one_pass_and_others_from_their_own(self, X):
        variants = [{"readout": "flatten"}, {"half_width": 1, "depth": 2}, {"readout": "gap"}]
        variants += [{"train_last": False}, {}]
        compiled, engine = self.both_engines(LAP, variants=variants)
        assert engine.name == self.engine().name
        np.testing.assert_allclose(
            engine.cross(X[:3], X[3:7]), compiled.cross(X[:3], X[3:7]), rtol=self.rtol
        )
        compiled, engine = self.both_engines(LAP, variants=[{"bias_std": 0.2}, {"depth": 2}])
        assert engine.name == f"PassesEngine({self.engine().name}, {self.engine().name})"
        np.testing.assert_allclose(
            engine.symmetric(X[:3]), compiled.symmetric(X[:3]), rtol=self.rtol
        )

    def test_networks_trained_in_part_come_from_one_pass_through_poolings_and_blocks(self, X):
        flags = ((True, True), (False, True), (True, False))
        networks = tuple(trained_in_part(*each) for each in flags)
        kind = type(self.engine())
        common = (SHAPE, np.dtype(self.dtype), BOTH, len(networks), networks)
        compiled, engine = kind(*common), kind(*common, backend=self.engine().backend)
        assert engine.program.n_tangents == 3
        for inputs in ((X[:3], X[3:7]), (X[:3], X[:3])):
            np.testing.assert_allclose(
                engine.cross(*inputs), compiled.cross(*inputs), rtol=self.rtol
            )

    def test_flips_average_over_it(self, X):
        options = {"backend": self.backend}
        plain = [kernel(NET, X[:3], B, **options) for B in (X[3:6], X[3:6, :, ::-1])]
        got = kernel(NET, X[:3], X[3:6], symmetry="flip", **options)
        np.testing.assert_array_equal(got, (plain[0] + plain[1]) / 2)
        plan = plan_gram(NET, X, symmetry="flip", **options)
        assert plan.engine == f"FlipEngine({self.engine().name})"

    def test_a_gram_has_the_same_bits_with_any_number_of_threads_and_in_a_folder(self, X, tmp_path):
        options = {"get": BOTH, "backend": self.backend}
        one, two = (kernel(NET, X, n_jobs=n, **options) for n in (1, 2))
        np.testing.assert_array_equal(one, two)
        stored = compute_gram(NET, X, folder=tmp_path, **options)
        assert stored.engine == self.engine().name
        np.testing.assert_array_equal(np.asarray(stored.values["ntk"]), one[1])
        np.testing.assert_allclose(kernel(NET, X), one[1], rtol=self.rtol)

    def test_plans_print_the_program(self, X):
        plan = plan_gram(NET, X, backend=self.backend)
        assert "S, T: sums over 3 x 3" in plan.program
        assert plan.seconds > 0
