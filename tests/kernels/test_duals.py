"""The duals of the activations against integration, and where numbers are extreme."""

import mpmath
import numpy as np
import pytest
from agreement import LAYERS
from oracles import quadrature

from ntkreg import (
    Cos,
    Dense,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.duals import dual

EVERY = (
    Relu(),
    LeakyRelu(0.3),
    Erf(),
    Gelu(),
    Sin(),
    Cos(),
    Gaussian(0.7),
    NormalizedGaussian(1.5),
    Identity(),
)
CORRELATIONS = (-0.95, -0.4, 0.0, 0.3, 0.9)
VARIANCES = ((1.0, 1.0), (0.3, 2.0), (1.7, 0.05))


def values(layer, s, q, r):
    """Both duals at numbers."""
    return [float(v) for v in dual(layer, *(np.array(x, float) for x in (s, q, r)))]


@pytest.mark.parametrize(("q", "r"), VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("kind", quadrature.SMOOTH)
def test_smooth_duals_are_the_integrals_they_stand_for(kind, c, q, r):
    s = c * np.sqrt(q * r)
    wanted = quadrature.smooth_duals(*quadrature.SMOOTH[kind], s, q, r)
    assert values(LAYERS[kind](), s, q, r) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("q", "r"), VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("gamma", [0.4, 1.0])
def test_gaussian_duals_are_the_integrals_of_their_features(gamma, c, q, r):
    s = c * np.sqrt(q * r)
    wanted = quadrature.smooth_duals(*quadrature.gaussian_feature(gamma), s, q, r)
    assert values(Gaussian(gamma), s, q, r) == pytest.approx(wanted, abs=1e-11)
    # The activation is sqrt(q) f(x / sqrt(q)): the norms come outside, the slopes have none.
    value, slope = quadrature.smooth_duals(*quadrature.exponential_feature(gamma), c, 1.0, 1.0)
    wanted = np.sqrt(q * r) * value, slope
    assert values(NormalizedGaussian(gamma), s, q, r) == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize(("q", "r"), VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.2, 1.0, 1.5])
def test_leaky_duals_are_the_integrals_they_stand_for(slope, c, q, r):
    norm = np.sqrt(q * r)
    value, derivative = quadrature.leaky_relu_duals(slope, c)
    wanted = norm * value, derivative
    assert values(LeakyRelu(slope), c * norm, q, r) == pytest.approx(wanted, abs=1e-11)
    if slope == 0:
        assert values(Relu(), c * norm, q, r) == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize("layer", EVERY, ids=repr)
def test_duals_broadcast_to_the_shape_of_the_covariance(layer):
    rng = np.random.default_rng(0)
    q, r = rng.uniform(0.1, 2, size=(4, 1)), rng.uniform(0.1, 2, size=(1, 5))
    s = np.sqrt(q * r) * rng.uniform(-1, 1, size=(4, 5))
    together = dual(layer, s, q, r)
    for part in together:
        assert part.shape == (4, 5)
    for i, j in np.ndindex(4, 5):
        one = values(layer, s[i, j], q[i, 0], r[0, j])
        np.testing.assert_allclose([v[i, j] for v in together], one, rtol=1e-14)


@pytest.mark.parametrize("layer", EVERY, ids=repr)
@pytest.mark.parametrize("q", [1e-12, 1e-3, 1.0, 40.0, 1e6])
@pytest.mark.parametrize("sign", [-1, 1])
def test_covariances_that_rounding_took_past_the_norm_give_the_values_at_the_norm(layer, q, sign):
    past = values(layer, sign * q * (1 + 1e-15), q, q)
    at = values(layer, sign * q, q, q)
    assert np.isfinite(past).all()
    # A Gaussian of variance q turns the rounding of s itself into q times as much.
    np.testing.assert_allclose(past, at, rtol=1e-12 * max(q, 1), atol=1e-300)


@pytest.mark.parametrize("layer", EVERY, ids=repr)
def test_values_without_variance_give_the_activation_at_zero(layer):
    # With r = 1.5 beside it, E[cos v] = exp(-r / 2) and exp(-gamma r), gamma = 0.7.
    expected = {Cos: (1.0, np.exp(-0.75)), Gaussian: (1.0, np.exp(-1.05))}
    both, one = expected.get(type(layer), (0.0, 0.0))
    assert values(layer, 0.0, 0.0, 0.0)[0] == both
    assert values(layer, 0.0, 0.0, 1.5)[0] == pytest.approx(one)
    assert np.isfinite(values(layer, 0.0, 0.0, 0.0)).all()


@pytest.mark.parametrize("distance", [1e-3, 1e-8, 1e-12])
def test_slopes_keep_their_precision_where_inputs_are_large_and_nearly_equal(distance):
    q, s = 1e8, 1e8 * (1 - distance)
    with mpmath.workdps(50):
        both, exact = (1 + 2 * mpmath.mpf(q)) ** 2, mpmath.mpf(s)
        erf = 4 / mpmath.pi / mpmath.sqrt(both - 4 * exact**2)
        both, product = (1 + mpmath.mpf(q)) ** 2, mpmath.mpf(q) ** 2
        square = both - exact**2
        root = mpmath.sqrt(square)
        rest = exact / root * (1 / square + (1 - product) / both + 1)
        gelu = mpmath.mpf(1) / 4 + (mpmath.atan2(exact, root) + rest) / (2 * mpmath.pi)
    assert values(Erf(), s, q, q)[1] == pytest.approx(float(erf), rel=1e-14, abs=0)
    assert values(Gelu(), s, q, q)[1] == pytest.approx(float(gelu), rel=1e-14, abs=0)


def test_sines_of_large_variance_do_not_overflow():
    for layer in (Sin(), Cos()):
        assert values(layer, 1e4, 1e4, 1e4) == pytest.approx([0.5, 0.5], rel=1e-12)


def test_only_activations_have_duals():
    with pytest.raises(SpecError, match=r"Dense\(.*has no dual"):
        dual(Dense(), *np.ones((3, 1)))
