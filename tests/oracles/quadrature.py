"""Dual functions of ReLU and of its derivative by numerical integration over a Gaussian pair.

With u, v independent standard normals, the pair (u, c u + s v), s = sqrt(1 - c^2), has
correlation c. Plain Gauss-Hermite nodes straddle the kinks and converge like 1/n; here
the half-lines u > 0 and v > -c u / s, where the integrands are smooth, get their own
Gauss-Legendre nodes under the Gaussian weight. Never imports ntkreg.
"""

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
