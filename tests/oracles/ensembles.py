"""Covariances of Gaussian processes and of trained networks by dense linear algebra."""

import numpy as np
from scipy.linalg import expm


def posterior(K, cross, prior, noise):
    """Return the covariance of f given y = f + noise (variances of each row), (m, m)."""
    return prior - cross @ np.linalg.solve(K + np.diag(noise), cross.T)


def trained(ntk, nngp, cross_ntk, cross_nngp, prior, noise, weights, t, noisy_targets):
    """Return the covariance of networks trained to time t, by the exponential of a matrix.

    Coefficients follow c' = W (y - f(X) - noise c) / n of one output, where f = f_0 + K c; with
    `noisy_targets` each network sees y with `noise` of its own.
    """
    n = len(ntk)
    rate = np.diag(weights) @ (ntk + np.diag(noise)) / n
    # The map from y - f_0 to c(t) is the integral of exp(-rate s) W / n from 0 to t.
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = -rate, np.eye(n)
    learnt = expm(block * t)[:n, n:] @ np.diag(weights) / n
    A = cross_ntk @ learnt
    start = nngp + np.diag(noise) if noisy_targets else nngp
    return prior - A @ cross_nngp.T - cross_nngp @ A.T + A @ start @ A.T


def log_evidence(K, y, noise):
    """Return the log density of each column of y under N(0, K + diag(noise)), summed."""
    C = K + np.diag(noise)
    _, log_determinant = np.linalg.slogdet(C)
    y = y.reshape(len(y), -1)
    quadratic = np.sum(y * np.linalg.solve(C, y))
    return -0.5 * (quadratic + y.shape[1] * (log_determinant + len(y) * np.log(2 * np.pi)))
