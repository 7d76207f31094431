"""NNGP and NTK as sums over layers, in extended precision (80-bit), for a few small images.

A derivation of its own: all pixels of all images are rows of *one* covariance matrix C.
A convolution is the mean of S C S' over shifts S of all pixels, a pooling is B C B'.
The NTK is not carried along; each trained layer's own term (the covariance it gives,
Arora et al. 2019, 1904.11955, theorem 3.1) is sent through the later layers, and the
terms are added at the end. Never imports ntkreg.

A network is a list of tuples: ("dense", weight_std, bias_std, trained),
("conv", window, weight_std, bias_std, trained[, stride, padding]), ("flatten",), ("gap",),
("lap", c), ("avgpool", window), ("residual", body, shortcut) and the activations of
`activation_sums`, e.g. ("relu",).
"""

import numpy as np
from oracles.activation_sums import ACTIVATIONS, activation

REAL = np.longdouble


def layer_sums(network, X):
    """Return NNGP (n, n), NTK (n, n) and the least 1 - |lambda| between different inputs."""
    n = len(X)
    X = np.asarray(X, REAL)
    X = X.reshape(n, 1, 1, -1) if network_reads(network) == "vector" else X
    h, w, channels = X.shape[1:]
    rows = X.reshape(n * h * w, channels)
    cov, terms, _, _, gap = _run(network, rows @ rows.T / channels, [], n, h, w)
    ntk = sum(terms, np.zeros_like(cov))
    return cov, ntk, gap


def _run(network, cov, terms, n, h, w):
    """Return covariance, terms of the NTK, size and gap after the layers of `network`."""
    gap = 1.0
    for kind, *p in network:
        if kind in ACTIVATIONS:
            cov, slope, closest = activation(kind, p, cov, n)
            terms = [term * slope for term in terms]
        elif kind == "residual":
            (cov, one, *size, closest), (also, two, *_, nearest) = (
                _run(branch, cov, terms, n, h, w) for branch in p
            )
            # Terms from before the block came through both branches, the others through one.
            old = len(terms)
            terms = [a + b for a, b in zip(one[:old], two[:old], strict=True)]
            terms += one[old:] + two[old:]
            cov, (h, w), closest = cov + also, size, min(closest, nearest)
        else:
            push, h, w, offset, trained = _linear(kind, p, n, h, w)
            terms = [push(term) for term in terms]
            cov, closest = push(cov) + offset, 1.0
            if trained:
                terms = [*terms, cov]
        gap = min(gap, closest)
    return cov, terms, h, w, float(gap)


def network_reads(network):
    """Tell "image" from "vector" by the first layer that cares."""
    for kind, *p in network:
        if kind == "residual":
            return network_reads(p[0])
        if kind not in ACTIVATIONS:
            return "vector" if kind == "dense" else "image"
    return "vector"


def _linear(kind, p, n, h, w):
    """Return the layer's map of a covariance, the new size, the bias and `trained`."""
    if kind == "dense":
        weight_std, bias_std, trained = p
        return lambda c: REAL(weight_std) ** 2 * c, h, w, REAL(bias_std) ** 2, trained
    if kind == "conv":
        window, weight_std, bias_std, trained, stride, padding = (*p, 1, "SAME")[:6]
        rows, columns = (_windows(size, window, stride, padding) for size in (h, w))
        shifts = [_shift(n, h, w, i, j) for i in rows for j in columns]
        factor = REAL(weight_std) ** 2 / window**2
        push = lambda c: factor * sum(_shifted(c, s) for s in shifts)  # noqa: E731
        return push, len(rows[0]), len(columns[0]), REAL(bias_std) ** 2, trained
    if kind == "lap":
        (c,) = p
        box = np.kron(_box(h, c), _box(w, c)) / REAL((2 * c + 1) ** 2)
        return lambda cov: _sandwich(box, cov, n), h, w, 0, False
    if kind == "avgpool":
        squares = [np.kron(np.eye(size // p[0], size // p[0]), np.ones(p[0])) for size in (h, w)]
        padded = [
            np.pad(square, [(0, 0), (0, size - square.shape[1])])
            for square, size in zip(squares, (h, w), strict=True)
        ]
        mean = np.kron(*padded).astype(REAL) / p[0] ** 2
        return lambda cov: _sandwich(mean, cov, n), h // p[0], w // p[0], 0, False
    if kind == "gap":
        mean = np.full((1, h * w), REAL(1) / (h * w))
        return lambda cov: _sandwich(mean, cov, n), 1, 1, 0, False
    if kind == "flatten":
        return lambda cov: _pixel_trace(cov, n, h * w), 1, 1, 0, False
    raise ValueError(kind)


def _windows(size, window, stride, padding):
    """Return for each place in the window the pixel it has in each window; -1 outside."""
    if padding == "VALID":
        starts = np.arange(0, size - window + 1, stride)
    else:
        n_windows = -(-size // stride)
        missing = max((n_windows - 1) * stride + window - size, 0)
        starts = np.arange(n_windows) * stride - missing // 2
    pixels = starts + np.arange(window)[:, None]
    if padding == "CIRCULAR":
        return pixels % size
    return np.where((pixels >= 0) & (pixels < size), pixels, -1)


def _shift(n, h, w, rows, columns):
    """Return for each window of each image the pixel in that row and column; -1 outside."""
    inside = (rows[:, None] >= 0) & (columns >= 0)
    one = np.where(inside, rows[:, None] * w + columns, -1).ravel()
    return np.concatenate([np.where(one >= 0, one + i * h * w, -1) for i in range(n)])


def _shifted(cov, source):
    """Apply S to both sides: S C S' picks rows and columns, or zeros."""
    inside = source >= 0
    return cov[np.ix_(source, source)] * np.outer(inside, inside)


def _box(size, c):
    i = np.arange(size)
    return (abs(i[:, None] - i) <= c).astype(REAL)


def _sandwich(matrix, cov, n):
    """Apply `matrix` to the pixels of every image, on both sides of the covariance."""
    big = np.kron(np.eye(n, dtype=REAL), matrix)
    return big @ cov @ big.T


def _pixel_trace(cov, n, pixels):
    return np.einsum("ipjp->ij", cov.reshape(n, pixels, n, pixels)) / pixels
