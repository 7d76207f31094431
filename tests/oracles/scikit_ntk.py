r"""The kernel of the package scikit-ntk, from the published formulas. Never imports ntkreg.

Biases that start at 0 and are trained (Geifman et al. 2020, arXiv 2007.01580, section 3):

.. math::
    \Theta^0 = x \cdot z + \beta^2, \quad
    \Theta^l = \Theta^{l-1} \kappa_0(\lambda^{l-1}) + \Sigma^l + \beta^2, \quad
    \Sigma^l = \sqrt{\Sigma^{l-1}(x, x) \Sigma^{l-1}(z, z)}\, \kappa_1(\lambda^{l-1}),

divided by (depth + 1) (beta^2 + 1), the diagonal of a unit vector.
"""

import numpy as np


def scikit_ntk(X, depth, beta):
    """Return the kernel of rows with themselves, (n, n)."""
    covariance = X @ X.T
    norm = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    theta = covariance + beta**2
    for _ in range(depth):
        angle = np.arccos(np.clip(covariance / norm, -1, 1))
        covariance = norm * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        theta = theta * (1 - angle / np.pi) + covariance + beta**2
    return theta / ((depth + 1) * (beta**2 + 1))
