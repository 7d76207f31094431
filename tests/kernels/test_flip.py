"""`FlipEngine`: what it averages, its bits, and that it does what training on flips does."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import toy_engine

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
    cntk,
    commutes_with_flip,
    fully_connected,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import FIELDS, make_engine, to_stax
from ntkreg.kernels.flip import FlipEngine, average_over_flip, flip
from ntkreg.kernels.reference import ReferenceEngine
from ntkreg.solvers import solve_cholesky

SHAPE = (4, 6, 2)

RESIDUAL = Architecture(
    (Conv(), Residual((Relu(), Conv()), (Conv(1),)), Erf(), Conv(), GlobalAvgPool(), Dense(1.0))
)
POOLED = Architecture(
    (Conv(), Relu(), Conv(bias_std=0.1), Relu(), AvgPool(2), Conv(), Relu(), Flatten(), Dense(1.0))
)
STRIDED = Architecture((Conv(), Relu(), Conv(stride=2), Relu(), GlobalAvgPool(), Dense(1.0)))

NATIVE = {
    "gap, three depths": (cntk(5), (1, 3, 5)),
    "flatten": (cntk(2, "flatten"), None),
    "lap 1": (cntk(3, "lap", half_width=1), None),
    "lap 3, biases, two depths": (cntk(3, "lap", half_width=3, bias_std=0.2), (2, 3)),
    "first and last layer untrained": (cntk(3, train_first=False, train_last=False), (1, 3)),
    "circular": (cntk(2, padding="CIRCULAR"), None),
    "residual": (RESIDUAL, None),
    "pooled": (POOLED, None),
}


def images(n, seed, dtype=float):
    return np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(dtype)


def reference(network, shape=SHAPE, dtype=float):
    return ReferenceEngine(shape, np.dtype(dtype), FIELDS, 1, (network,))


@pytest.fixture(params=[*NATIVE, "pooled, in the reference"])
def inner(request):
    """An engine whose network commutes with the flip."""
    if request.param not in NATIVE:
        return reference(POOLED)
    network, depths = NATIVE[request.param]
    assert commutes_with_flip(network, SHAPE)
    return make_engine(network, SHAPE, dtype=float, depths=depths)


def predictions(engine, X, y, T, alpha):
    """Ridge regression of y (n, k), all fields and depths: (n_fields, n_variants, len(T), k)."""
    K, cross = engine.symmetric(X), engine.cross(T, X)
    return np.array(
        [
            [k @ solve_cholesky(K_, y, alpha=alpha).dual_coef for K_, k in zip(*each, strict=True)]
            for each in zip(K, cross, strict=True)
        ]
    )


def both(X):
    return np.concatenate([X, flip(X)])


@pytest.mark.parametrize("alpha", [1e-3, 0.5])
def test_ridge_alpha_predicts_what_the_doubled_set_predicts_at_twice_alpha(inner, alpha):
    X, T, y = images(9, 0), images(5, 1), np.random.default_rng(2).normal(size=(9, 2))
    averaged = average_over_flip(inner, commutes=True)
    got = predictions(averaged, X, y, T, alpha)
    wanted = predictions(inner, both(X), np.concatenate([y, y]), T, 2 * alpha)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-8 * np.abs(y).max())
    np.testing.assert_allclose(predictions(averaged, X, y, flip(T), alpha), got, atol=1e-8)
    # The same ridge on both sides is not the same fit.
    same = predictions(inner, both(X), np.concatenate([y, y]), T, alpha)
    assert np.abs(got - same).max() > 1e-5


def test_four_terms_and_two_are_the_same_kernel_where_the_network_commutes(inner):
    X, Z = images(5, 0), images(4, 1)
    two, four = (average_over_flip(inner, commutes=c) for c in (True, False))
    assert (two.terms, four.terms) == (2, 4)
    np.testing.assert_allclose(two.cross(X, Z), four.cross(X, Z), rtol=1e-11)
    np.testing.assert_allclose(two.symmetric(X), four.symmetric(X), rtol=1e-11)
    np.testing.assert_allclose(two.diagonal(X), four.diagonal(X), rtol=1e-11)


@dataclass(frozen=True)
class Sum(FlipEngine):
    """(K(x, z) + K(F x, F z)) / 2: of two networks, one of which sees the flipped image."""

    def cross(self, X, Z):
        return (self.engine.cross(X, Z) + self.engine.cross(flip(X), flip(Z))) / 2

    def symmetric(self, X):
        return (self.engine.symmetric(X) + self.engine.symmetric(flip(X))) / 2


@pytest.mark.parametrize("build", [make_engine, reference], ids=["native", "reference"])
def test_four_terms_at_alpha_are_the_doubled_set_of_the_sum_of_both_networks_at_twice_alpha(build):
    assert not commutes_with_flip(STRIDED, SHAPE)
    X, T, y = images(9, 0), images(5, 1), np.random.default_rng(2).normal(size=(9, 2))
    alpha = 1e-2
    inner = build(STRIDED, SHAPE, dtype=float)
    averaged = average_over_flip(inner, commutes=False)
    got = predictions(averaged, X, y, T, alpha)
    doubled = both(X), np.concatenate([y, y])
    summed = Sum(SHAPE, np.dtype(float), FIELDS, 1, inner, False)
    wanted = predictions(summed, *doubled, T, 2 * alpha)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-8)
    # The network alone, on the doubled set, is another regression.
    assert np.abs(predictions(inner, *doubled, T, 2 * alpha) - got).max() > 1e-4
    # And averaging one argument only would not even be symmetric.
    one = average_over_flip(inner, commutes=True).cross(X, X)
    assert np.abs(one - one.swapaxes(-1, -2)).max() > 1e-4


def test_four_terms_are_ridge_regression_with_outputs_averaged_over_image_and_flip():
    X, T, y = images(6, 0), images(3, 1), np.random.default_rng(2).normal(size=(6, 1))
    inner, alpha = make_engine(STRIDED, SHAPE, dtype=float), 1e-2
    got = predictions(average_over_flip(inner, commutes=False), X, y, T, alpha)
    for f, K in enumerate(inner.symmetric(both(np.concatenate([X, T])))[:, 0]):
        features = np.linalg.cholesky(K)  # of the network: inner products of rows are K
        averaged = (features[:9] + features[9:]) / 2
        A, B = averaged[:6], averaged[6:]
        weights = np.linalg.solve(A.T @ A + alpha * np.eye(A.shape[1]), A.T @ y)
        np.testing.assert_allclose(got[f, 0], B @ weights, rtol=0, atol=1e-8)


# Bits


def flip_engines(dtype):
    for network, depths in NATIVE.values():
        yield make_engine(network, SHAPE, dtype=dtype, depths=depths, symmetry="flip")
    yield make_engine(STRIDED, SHAPE, dtype=dtype, symmetry="flip")
    yield average_over_flip(reference(STRIDED, dtype=dtype), commutes=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_have_the_same_bits_in_any_block_and_either_triangle(dtype):
    X = images(20, 3, dtype)  # more than the lanes of either dtype
    X[[1, 18]] = (X[[1, 18]] + flip(X[[1, 18]])) / 2
    for engine in flip_engines(dtype):
        K, full = engine.symmetric(X), engine.cross(X, X)
        assert K.dtype == full.dtype == dtype
        assert np.array_equal(K, K.swapaxes(-1, -2))
        upper = np.triu_indices(20, 1)
        assert np.array_equal(K[..., upper[0], upper[1]], full[..., upper[0], upper[1]])
        assert np.array_equal(np.einsum("fdii->fdi", K), engine.diagonal(X))
        for i, j in ((0, 5), (17, 2), (18, 1)):
            alone = engine.cross(X[i : i + 1], X[j : j + 1])
            assert np.array_equal(alone[..., 0, 0], full[..., i, j])
            assert np.array_equal(engine.diagonal(X[i : i + 1])[..., 0], K[..., i, i])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_of_prepared_images_give_the_bits_of_arrays(dtype):
    X = images(9, 3, dtype)
    for engine in flip_engines(dtype):
        prepared, rows, columns = engine.prepare(X), slice(2, 7), slice(4, 9)
        assert len(prepared) == len(X)
        got = engine.cross(prepared[rows], prepared[columns])
        assert np.array_equal(got, engine.cross(X[rows], X[columns]))
        assert np.array_equal(engine.symmetric(prepared[rows]), engine.symmetric(X[rows]))
        assert np.array_equal(engine.diagonal(prepared[rows]), engine.diagonal(X[rows]))


@pytest.mark.parametrize("commutes", [True, False])
def test_an_image_that_is_its_own_flip_keeps_its_exact_diagonal(commutes):
    inner = make_engine(cntk(6, "flatten"), SHAPE, dtype="float32")
    engine = average_over_flip(inner, commutes=commutes)
    X = images(4, 0, "float32")
    X[1:3] += flip(X[1:3])
    X[3] = 0
    for got in (engine.diagonal(X), np.einsum("fdii->fdi", engine.symmetric(X))):
        assert np.array_equal(got[..., 1:], inner.diagonal(X)[..., 1:])
    # By way of correlations it would not: that is why.
    rounded = np.einsum("fdii->fdi", inner.cross(X, X))[..., 1:3]
    assert not np.array_equal(rounded, inner.diagonal(X)[..., 1:3])


def test_a_symmetric_block_takes_as_many_kernel_values_as_pairs_and_a_few_more():
    taken = []

    @dataclass(frozen=True)
    class Counting(toy_engine.ToyEngine):
        seen: list = field(default_factory=lambda: taken)

        def cross(self, X, Z):
            self.seen.append(len(X) * len(Z))
            values = np.einsum("xhwc,zhwc->xz", X, Z)
            return np.broadcast_to(values, (1, 1, *values.shape)).copy()

        def symmetric(self, X):
            values = self.cross(X, X)
            self.seen[-1] = len(X) * (len(X) + 1) // 2
            return values

    X = images(30, 0)
    for commutes, terms in ((True, 2), (False, 4)):
        taken.clear()
        engine = Counting(SHAPE, np.dtype(float), ("ntk",), 1)
        average_over_flip(engine, commutes=commutes).symmetric(X)
        assert sum(taken) == terms * 30 * 31 // 2


# Choice of the engine


def test_the_engine_takes_two_terms_or_four_after_network_and_width():
    wide = make_engine(cntk(2), SHAPE, dtype=float, symmetry="flip")
    assert (wide.commutes, wide.terms, wide.name) == (True, 2, "FlipEngine(ImageEngine)")
    assert wide.block == wide.engine.block
    assert wide.explain().startswith("Mean of K(x, z), K(x, F z); F flips left and right.\n")
    assert wide.explain().endswith(wide.engine.explain())
    assert wide.columns_at_once == wide.engine.columns_at_once
    strided = make_engine(STRIDED, SHAPE, dtype=float, symmetry="flip")
    assert (strided.commutes, strided.terms) == (False, 4)
    assert strided.explain().startswith("Mean of K(x, z), K(F x, F z), K(x, F z), K(F x, z);")
    odd = make_engine(STRIDED, (4, 7, 2), dtype=float, symmetry="flip")
    assert (odd.commutes, odd.terms) == (True, 2)
    stax = make_engine(to_stax(cntk(2))[2], SHAPE, dtype=float, symmetry="flip")
    assert (stax.commutes, stax.terms, stax.name) == (False, 4, "FlipEngine(StaxEngine)")


def test_flips_of_a_stax_network_are_those_of_its_twin():
    X, Z = images(4, 0), images(3, 1)
    ours = make_engine(cntk(2), SHAPE, dtype=float, symmetry="flip")
    twin = make_engine(to_stax(cntk(2))[2], SHAPE, dtype=float, symmetry="flip")
    np.testing.assert_allclose(twin.cross(X, Z), ours.cross(X, Z), rtol=1e-9)
    np.testing.assert_allclose(twin.symmetric(X), ours.symmetric(X), rtol=1e-7)
    np.testing.assert_allclose(twin.diagonal(X), ours.diagonal(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("network", "shape"),
    [(fully_connected(2), (48,)), (to_stax(fully_connected(2))[2], (48,))],
    ids=["dense", "stax"],
)
def test_flips_of_what_is_no_image_are_refused(network, shape):
    with pytest.raises(SpecError, match=r'symmetry="flip" needs a network that reads images'):
        make_engine(network, shape, dtype=float, symmetry="flip")


def test_an_unknown_symmetry_is_refused():
    with pytest.raises(SpecError, match="symmetry must be None or \"flip\"; got 'flips'"):
        make_engine(cntk(2), SHAPE, dtype=float, symmetry="flips")
