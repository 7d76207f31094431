"""The inverse square root of a kernel matrix, without directions that rounding has made."""

import numpy as np
from scipy.linalg import eigh

from ntkreg.cpus import one_blas_thread
from ntkreg.solvers.inputs import check_gram

__all__ = ["inverse_root"]


def inverse_root(who: str, K: np.ndarray, precision: float) -> np.ndarray:
    """Return the symmetric K^-1/2 in float64, zero along eigenvectors that are only rounding.

    Parameters
    ----------
    who : str
        What errors begin with.
    K : ndarray of shape (n, n)
        Symmetric, positive semidefinite but for rounding.
    precision : float
        Of its entries beside the largest: eigenvalues up to n times that, beside the largest, are
        taken for rounding.

    Returns
    -------
    ndarray of shape (n, n)
    """
    K = check_gram(who, K)
    with one_blas_thread():
        values, vectors = eigh(K.astype(np.float64), check_finite=False)
        kept = values > len(K) * precision * max(values[-1], 0)
        vectors = vectors[:, kept]
        return (vectors / np.sqrt(values[kept])) @ vectors.T
