"""NNGP and NTK as sums over layers, in extended precision (80-bit), for a few small images.

A derivation of its own: all pixels of all images are rows of *one* covariance matrix C.
A convolution is the mean of S C S' over shifts S of all pixels, a pooling is B C B'.
The NTK is not carried along; each trained layer's own term (the covariance it gives,
Arora et al. 2019, 1904.11955, theorem 3.1) is sent through the later layers, and the
terms are added at the end. Never imports ntkreg.

A network is a list of tuples: ("dense", weight_std, bias_std, trained),
("conv", window, weight_std, bias_std, trained), ("relu",), ("flatten",), ("gap",),
("lap", c).
"""

import numpy as np

REAL = np.longdouble


def layer_sums(network, X):
    """Return NNGP (n, n), NTK (n, n) and the least 1 - |lambda| between different inputs."""
    n = len(X)
    X = np.asarray(X, REAL)
    X = X.reshape(n, 1, 1, -1) if network_reads(network) == "vector" else X
    h, w, channels = X.shape[1:]
    rows = X.reshape(n * h * w, channels)
    cov = rows @ rows.T / channels
    terms, gap = [], 1.0
    for kind, *p in network:
        if kind == "relu":
            new, slope, closest = _relu(cov, n)
            terms = [term * slope for term in terms]
            cov, gap = new, min(gap, closest)
            continue
        push, h, w, offset, trained = _linear(kind, p, n, h, w)
        terms = [push(term) for term in terms]
        cov = push(cov) + offset
        if trained:
            terms.append(cov)
    ntk = sum(terms, np.zeros_like(cov))
    return cov, ntk, float(gap)


def network_reads(network):
    """Tell "image" from "vector" by the first layer that cares."""
    first = next((kind for kind, *_ in network if kind != "relu"), "dense")
    return "vector" if first == "dense" else "image"


def _relu(cov, n):
    """E[relu relu'], E[relu' relu''] and the least 1 - |lambda| (Cho and Saul 2009)."""
    std = np.sqrt(np.diag(cov))
    norm = np.outer(std, std)
    lam = np.divide(cov, norm, out=np.zeros_like(cov), where=norm > 0)
    lam = np.clip(lam, -1, 1)
    alive = std > 0
    lam[alive, alive] = 1
    angle = np.arccos(lam)
    pi = REAL("3.14159265358979323846264338327950288")
    new = norm * (np.sin(angle) + (pi - angle) * lam) / (2 * pi)
    slope = (pi - angle) / (2 * pi)
    image = np.repeat(np.arange(n), len(cov) // n)
    between = (norm > 0) & (image[:, None] != image)
    return new, slope, np.min(1 - np.abs(lam[between]), initial=1.0)


def _linear(kind, p, n, h, w):
    """Return the layer's map of a covariance, the new size, the bias and `trained`."""
    if kind == "dense":
        weight_std, bias_std, trained = p
        return lambda c: REAL(weight_std) ** 2 * c, h, w, REAL(bias_std) ** 2, trained
    if kind == "conv":
        window, weight_std, bias_std, trained = p
        reach = range(-(window // 2), window // 2 + 1)
        shifts = [_shift(n, h, w, a, b) for a in reach for b in reach]
        factor = REAL(weight_std) ** 2 / window**2
        push = lambda c: factor * sum(_shifted(c, s) for s in shifts)  # noqa: E731
        return push, h, w, REAL(bias_std) ** 2, trained
    if kind == "lap":
        (c,) = p
        box = np.kron(_box(h, c), _box(w, c)) / REAL((2 * c + 1) ** 2)
        return lambda cov: _sandwich(box, cov, n), h, w, 0, False
    if kind == "gap":
        mean = np.full((1, h * w), REAL(1) / (h * w))
        return lambda cov: _sandwich(mean, cov, n), 1, 1, 0, False
    if kind == "flatten":
        return lambda cov: _pixel_trace(cov, n, h * w), 1, 1, 0, False
    raise ValueError(kind)


def _shift(n, h, w, a, b):
    """Return for every pixel of every image where (a, b) further is; -1 outside the image."""
    image, i, j = np.indices((n, h, w))
    inside = (i + a >= 0) & (i + a < h) & (j + b >= 0) & (j + b < w)
    return np.where(inside, (image * h + i + a) * w + j + b, -1).ravel()


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
