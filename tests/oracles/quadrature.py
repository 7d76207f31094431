"""Dual functions of activations and of their derivatives by integration over a Gaussian pair.

Smooth ones by plain Gauss-Hermite quadrature, ReLU apart: with u, v independent standard
normals, the pair (u, c u + s v), s = sqrt(1 - c^2), has correlation c, and plain nodes
straddle the kinks and converge like 1/n; there the half-lines u > 0 and v > -c u / s, where
the integrands are smooth, get their own Gauss-Legendre nodes under the Gaussian weight.
Never imports ntkreg.
"""

import math

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_FAR = 12.0  # exp(-72) is below 1e-31


def _normal_rule(low):
    """Nodes and weights for the integral from `low` (array) to infinity under N(0, 1)."""
    low = np.clip(low, -_FAR, _FAR)[..., None]
    half = (_FAR - low) / 2
    v = low + half * (_NODES + 1)
    return v, half * _WEIGHTS * np.exp(-(v**2) / 2) / np.sqrt(2 * np.pi)


def relu_duals(c):
    """Return E[relu(a) relu(b)] and E[relu'(a) relu'(b)] at correlation c in (-1, 1)."""
    s = np.sqrt(1 - c**2)
    u, wu = _normal_rule(np.array(0.0))
    v, wv = _normal_rule(-c * u / s)
    weight = wu[:, None] * wv
    return np.sum(weight * u[:, None] * (c * u[:, None] + s * v)), np.sum(weight)


_HERMITE, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(160)


def leaky_relu_duals(a, c):
    """Return both duals of max(x, 0) + a min(x, 0) = relu(x) - a relu(-x)."""
    (same, same_slope), (opposite, opposite_slope) = relu_duals(c), relu_duals(-c)
    squares = 1 + a**2
    return squares * same - 2 * a * opposite, squares * same_slope + 2 * a * opposite_slope


def smooth_duals(phi, slope, s, q, r):
    """Return E[phi phi'] and E[slope slope'] of Gaussians with covariance s, variances q, r."""
    a, b = np.meshgrid(_HERMITE, _HERMITE, indexing="ij")
    weight = np.outer(_HERMITE_WEIGHTS, _HERMITE_WEIGHTS) / (2 * np.pi)
    u = np.sqrt(q) * a
    v = s / np.sqrt(q) * a + np.sqrt(r - s**2 / q) * b
    return np.sum(weight * phi(u) * phi(v)), np.sum(weight * slope(u) * slope(v))


_ROOT_PI = math.sqrt(math.pi)
_erf = np.vectorize(math.erf)


def _cumulative(x):
    return (1 + _erf(x / math.sqrt(2))) / 2


SMOOTH = {
    "erf": (_erf, lambda x: 2 / _ROOT_PI * np.exp(-(x**2))),
    "gelu": (
        lambda x: x * _cumulative(x),
        lambda x: _cumulative(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "identity": (lambda x: x, np.ones_like),
}
"""Activations without parameters, each with its derivative."""


def gaussian_feature(gamma):
    """Return sqrt(2) sin(sqrt(2 gamma) x + pi/4) and its slope; the dual is a Gaussian kernel."""
    frequency = math.sqrt(2 * gamma)
    return (
        lambda x: math.sqrt(2) * np.sin(frequency * x + math.pi / 4),
        lambda x: 2 * math.sqrt(gamma) * np.cos(frequency * x + math.pi / 4),
    )


def exponential_feature(gamma, degree=40):
    """Return the function of a standard normal whose dual is exp(gamma (c - 1)), and its slope.

    Its k-th coefficient in orthonormal Hermite polynomials is sqrt(exp(-gamma) gamma^k / k!).
    """
    k = np.arange(degree + 1)
    factorials = np.array([math.factorial(int(i)) for i in k], float)
    series = np.polynomial.HermiteE(np.sqrt(np.exp(-gamma) * gamma**k) / factorials)
    return series, series.deriv()
