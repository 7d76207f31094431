"""The duals inside the image loops against those of NumPy, wherever numbers are extreme."""

import numba
import numpy as np
import pytest
from agreement import FAR, LAYERS, TOLERANCE
from oracles import golden_layers

from ntkreg import Conv, Relu
from ntkreg.architecture import Erf, Gelu
from ntkreg.errors import SpecError
from ntkreg.kernels.compiled.addresses import address_of, call
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.duals import dual
from ntkreg.kernels.image.loops.duals import (
    DiagonalArguments,
    RowArguments,
    declare_diagonal,
    declare_row,
    diagonal_of,
    parameter,
    row_of,
)

ACTIVATIONS = [LAYERS[kind](*p) for kind, *p in golden_layers.ACTIVATIONS]
DTYPES = ["float32", "float64"]
# The loops of each are compiled here, a second for either dtype.
both = (Relu, Erf, Gelu)
every_dual = pytest.mark.parametrize(
    ("phi", "dtype"),
    [
        pytest.param(
            phi,
            dtype,
            id=f"{phi!r}-{dtype}",
            marks=[] if dtype == "float32" or isinstance(phi, both) else pytest.mark.slow,
        )
        for phi in ACTIVATIONS
        for dtype in DTYPES
    ],
)
TINY = {"float32": 1e-36, "float64": 1e-290}
VARIANCES = (0, 1e-35, 1e-12, 1e-6, 1e-3, 0.1, 1, 3, 30, 1e3, 1e6, 1e10)
NEAR = np.logspace(-7, -2, 6)
CORRELATIONS = np.concatenate([np.linspace(-1, 1, 41), 1 - NEAR, NEAR - 1])


@numba.njit
def _diagonal(loop, q, out, parameter, tiny):
    """Fill out: a, b, E[phi^2], E[dphi^2] of variances q."""
    n, zero = np.uint64(len(q)), np.uint64(0)
    q, ones = np.concatenate((q, 0 * q)), np.concatenate((1 + 0 * q, 0 * q))
    call(
        loop,
        DiagonalArguments(
            (q, ones, (zero, n, n)), (out[2], out[3], zero), (out[0], out[1], zero), n,
            (1.0, 0.0, 0.0), parameter, tiny,
        ),
    )  # fmt: skip


@numba.njit
def _pairs(loop, s, tables, out, layer, parameter, dual, paired, columns):
    """Fill out: E[phi phi'], E[dphi dphi'] of covariances s, whose tables are a, b, a', b'."""
    n, zero = np.uint64(len(s)), np.uint64(0)
    s, ones = np.concatenate((s, 0 * s)), np.concatenate((s * 0 + layer[0], 0 * s))
    # What is summed ahead goes where nothing is read.
    beyond = np.zeros((4, 4 * n), s.dtype)
    value, slope = beyond[0], beyond[1]
    sums = np.concatenate((s, beyond[2])), np.concatenate((ones, beyond[3]))
    call(
        loop,
        RowArguments(
            (sums[0], sums[1], (zero, n, n)), (value, slope, zero), (tables[0], tables[1], zero),
            (tables[2], tables[3], zero), np.uint64(columns), layer, parameter, dual, paired,
            (value, slope, n), (sums[0], sums[1], n + n),
        ),
    )  # fmt: skip
    out[0], out[1] = value[:n], slope[:n]


def diagonal_loop(phi):
    """Return the address of the loop over variances, kept on disk as engines keep it."""
    return np.uint64(address_of(diagonal_of(phi), declare_diagonal(numba.float64)))


def row_loop(phi, dtype):
    """The same of the loop over covariances in a dtype."""
    arguments = declare_row(numba.from_dtype(np.dtype(dtype)), numba.typeof(relu_dual(dtype, 0.5)))
    return np.uint64(address_of(row_of(phi), arguments))


def loops(phi, s, q, r, dtype, paired=True):
    """Value and slope of pairs by the compiled loops; unless `paired`, q is one number."""
    kind, lanes = np.dtype(dtype).type, n_lanes(np.dtype(dtype))
    columns = -(-len(s) // lanes)
    s, q, r = (np.resize(v, columns * lanes).astype(float) for v in (s, q, r))
    tables = np.zeros((4, len(s)), dtype)
    for k, variance in enumerate((q, r)):
        out = np.zeros((4, len(s)))
        _diagonal(diagonal_loop(phi), variance, out, float(parameter(phi)), TINY[dtype])
        tables[2 * k : 2 * k + 2] = out[:2]
    out = np.zeros((2, len(s)), dtype)
    layer = kind(1), kind(0), kind(0)
    constants = relu_dual(dtype, 0.5)
    covariance, p = s.astype(dtype), kind(parameter(phi))
    _pairs(row_loop(phi, dtype), covariance, tables, out, layer, p, constants, paired, columns)
    return out


def grid(dtype):
    """Every q with every q' and S; S as the dtype has it, variances as they are."""
    q, r, c = (v.ravel() for v in np.meshgrid(VARIANCES, VARIANCES, CORRELATIONS, indexing="ij"))
    return (c * np.sqrt(q * r)).astype(dtype).astype(float), q, r, c


@every_dual
def test_loops_agree_with_numpy_s_duals_over_all_variances_and_correlations(phi, dtype):
    s, q, r, c = grid(dtype)
    got = loops(phi, s, q, r, dtype)[:, : len(s)].astype(float)
    assert np.isfinite(got).all()
    wanted = np.array(dual(phi, s, q, r))
    rows, columns = np.array(dual(phi, q, q, q)), np.array(dual(phi, r, r, r))
    norm = np.sqrt(rows * columns)
    off = np.abs(got - wanted) / np.where(norm > 0, norm, 1)
    some = q * r > 0
    far = some & (1 - np.abs(c) > FAR)
    eps = np.finfo(dtype).eps
    moderate = some & (q < 100) & (r < 100)
    # The rounding of S grows: by 1e10 in Erf's slope and in an exponential of large numbers.
    assert off[:, far].max() <= 3 * TOLERANCE[np.dtype(dtype)]
    assert off[:, far & moderate].max() <= 20 * eps
    assert off[:, moderate].max() <= 2 * np.sqrt(eps)
    assert (np.abs(got[0]) <= norm[0] * (1 + np.sqrt(eps))).all()


@every_dual
def test_the_diagonal_is_the_dual_of_a_value_with_itself(phi, dtype):
    q = np.resize(np.array(VARIANCES[1:], float), 16)
    out = np.zeros((4, len(q)))
    _diagonal(diagonal_loop(phi), q, out, float(parameter(phi)), TINY[dtype])
    value, slope = dual(phi, q, q, q)
    np.testing.assert_allclose(out[2], value, rtol=1e-14)
    np.testing.assert_allclose(out[3], slope, rtol=1e-14)


@every_dual
def test_an_image_beside_many_and_pairs_side_by_side_give_the_same_bits(phi, dtype):
    n = n_lanes(np.dtype(dtype))
    for seed in range(40):
        rng = np.random.default_rng(seed)
        q, r = np.full(n, rng.gamma(0.7) * 3), rng.gamma(0.7, size=n) * 3
        s = rng.uniform(-1, 1, n) * np.sqrt(q * r)
        assert np.array_equal(loops(phi, s, q, r, dtype), loops(phi, s, q, r, dtype, paired=False))


def test_what_has_no_dual_is_refused_with_the_way_that_can():
    with pytest.raises(SpecError, match=r"no dual for Conv\(.*to_stax"):
        row_of(Conv())
