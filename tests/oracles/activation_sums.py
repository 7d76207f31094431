"""Duals of activations on one covariance matrix, textbook forms in extended precision (80-bit).

For `layer_sums`; formulas as printed in Cho and Saul 2009, Williams 1997, Tsuchida et al. 2018
(1711.09090) and 2021 (2002.08517), Louart et al. 2018 (1702.05419), Shankar et al. 2020
(2003.02237). Never imports ntkreg.
"""

import numpy as np

REAL = np.longdouble
PI = REAL("3.14159265358979323846264338327950288")
KINKED = ("relu", "leaky_relu")
ACTIVATIONS = (
    *KINKED,
    "erf",
    "gelu",
    "sin",
    "cos",
    "gaussian",
    "normalized_gaussian",
    "identity",
)


def activation(kind, parameters, cov, n):
    """Return E[phi phi'], E[phi' phi''] and, where phi has a kink, the least 1 - |lambda|.

    `cov` holds all pixels of n images; the gap is that between different images.
    """
    q = np.diag(cov)
    std = np.sqrt(q)
    norm = np.outer(std, std)
    lam = np.clip(np.divide(cov, norm, out=np.zeros_like(cov), where=norm > 0), -1, 1)
    alive = std > 0
    lam[alive, alive] = 1
    new, slope = _dual(kind, [REAL(p) for p in parameters], cov, q[:, None], q, norm, lam)
    if kind not in KINKED:
        return new, slope, 1.0
    image = np.repeat(np.arange(n), len(cov) // n)
    between = (norm > 0) & (image[:, None] != image)
    return new, slope, np.min(1 - np.abs(lam[between]), initial=1.0)


def _dual(kind, parameters, s, q, r, norm, lam):
    if kind == "relu":
        return _abrelu(REAL(0), norm, lam)
    if kind == "leaky_relu":
        return _abrelu(*parameters, norm, lam)
    if kind == "erf":
        both = (1 + 2 * q) * (1 + 2 * r)
        return 2 / PI * np.arcsin(2 * s / np.sqrt(both)), 4 / PI / np.sqrt(both - 4 * s**2)
    if kind == "gelu":
        return _gelu(s, q, r)
    if kind in ("sin", "cos"):
        near, far = np.exp(s - (q + r) / 2), np.exp(-s - (q + r) / 2)
        pair = (near - far) / 2, (near + far) / 2
        return pair if kind == "sin" else pair[::-1]
    if kind == "gaussian":
        (gamma,) = parameters
        new = np.exp(-gamma * (q + r - 2 * s))
        return new, 2 * gamma * new
    if kind == "normalized_gaussian":
        (gamma,) = parameters
        new = np.exp(gamma * (lam - 1))
        return norm * new, gamma * new
    return s, np.ones_like(s)  # identity


def _abrelu(a, norm, lam):
    angle = np.arccos(lam)
    slope = (1 + a**2) / 2 - (1 - a) ** 2 * angle / (2 * PI)
    return norm * ((1 - a) ** 2 * np.sin(angle) / (2 * PI) + slope * lam), slope


def _gelu(s, q, r):
    both = (1 + q) * (1 + r)
    square = both - s**2
    angle = np.arcsin(s / np.sqrt(both))
    new = s / 4 + (s * angle + (s**2 + q * r * square) / (both * np.sqrt(square))) / (2 * PI)
    rest = s / np.sqrt(square) * (1 / square + (1 - q * r) / both + 1)
    return new, 1 / REAL(4) + (angle + rest) / (2 * PI)
