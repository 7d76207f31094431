"""Duals of Relu and LeakyRelu for the image loops."""

import numpy as np

from ntkreg.kernels.compiled.arc_cosine import kappas, positive_kappas
from ntkreg.kernels.compiled.flags import inlined

__all__ = ["leaky_relu", "leaky_relu_diagonal", "positive_relu", "relu", "relu_diagonal"]


@inlined
def relu(cov, xa, xb, za, zb, parameter, dual):
    """A = 1/sqrt(q), b = sqrt(q/2): Cho and Saul 2009, eqs. 3-6."""
    kappa0, kappa1 = kappas(cov * (xa * za), dual)
    return xb * zb * kappa1, kappa0


@inlined
def positive_relu(cov, xa, xb, za, zb, parameter, dual):
    """`relu` of a covariance that is not negative, as all are after a first ReLU."""
    kappa0, kappa1 = positive_kappas(cov * (xa * za), dual)
    return (xb * zb) * kappa1, kappa0


@inlined
def relu_diagonal(q, parameter, tiny):
    """Half the variance; a = b = 0 where there is none (or so little that 1/q overflows)."""
    var = q if q >= tiny else 0.0
    slope = 0.5 if var > 0.0 else 0.0
    return (1.0 / np.sqrt(var) if var > 0.0 else 0.0), np.sqrt(0.5 * var), 0.5 * var, slope


@inlined
def leaky_relu(cov, xa, xb, za, zb, parameter, dual):
    """max(x, 0) + slope min(x, 0) = slope x + (1 - slope) relu(x), and E[u relu(v)] = S/2."""
    value, slope = relu(cov, xa, xb, za, zb, parameter, dual)
    share = (dual.one - parameter) * (dual.one - parameter)
    return parameter * cov + share * value, parameter + share * slope


@inlined
def leaky_relu_diagonal(q, parameter, tiny):
    """Both halves of the variance, one times slope^2."""
    a, b, value, slope = relu_diagonal(q, parameter, tiny)
    factor = 1.0 + parameter * parameter
    return a, b, factor * value, factor * slope
