"""The recursion behind the published UCI results, as its code has it (Arora et al. 2020).

S starts as X X^T, not divided by the columns; a layer is half of Cho and Saul's arc-cosine
covariance (1 / 2 pi); depth 1 is the linear kernel; of the first `frozen` layers nothing is added
to the tangent kernel.
"""

import numpy as np


def published_ntk(X, depth, frozen):
    """Return (n, n): `depth` counts from 1, 0 <= frozen < depth."""
    S = X @ X.T
    H = np.zeros_like(S)
    for layer in range(depth):
        if frozen <= layer:
            H = H + S
        if layer == depth - 1:
            return H
        norms = np.sqrt(np.outer(np.diag(S), np.diag(S)))
        cos = np.clip(S / np.where(norms > 0, norms, 1), -1, 1)
        angle = np.pi - np.arccos(cos)
        S = norms * (cos * angle + np.sqrt(1 - cos**2)) / (2 * np.pi)
        H = H * angle / (2 * np.pi)
    raise ValueError(depth)
