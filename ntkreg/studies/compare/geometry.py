"""Kernels themselves, on the same rows: how alike they are, and how fast eigenvalues decay."""

import numpy as np

__all__ = [
    "alignment",
    "centred",
    "decay",
    "effective_dimension",
    "participation",
    "spectrum",
    "target_kernel",
]


def centred(K: np.ndarray) -> np.ndarray:
    """Return the kernel of features less their mean over these rows."""
    K = np.asarray(K, np.float64)
    means = K.mean(axis=0)
    return K - means - means[:, None] + means.mean()


def alignment(K: np.ndarray, L: np.ndarray) -> float:
    r"""Return :math:`\langle K, L \rangle / (|K| |L|)` of two centred kernels; NaN where one is 0.

    References
    ----------
    Cortes, Mohri & Rostamizadeh 2012 (arXiv 1203.0550); Kornblith et al. 2019
    (arXiv 1905.00414), who call it CKA.
    """
    norms = np.linalg.norm(K) * np.linalg.norm(L)
    return float(np.vdot(K, L) / norms) if norms > 0 else np.nan


def target_kernel(y: np.ndarray) -> np.ndarray:
    """Return the kernel of the labels: 1 where two rows are of one class, else 0."""
    return (y[:, None] == y).astype(np.float64)


def spectrum(K: np.ndarray) -> np.ndarray:
    """Return the eigenvalues, the greatest first, those below 0 (of rounding) as 0."""
    return np.clip(np.linalg.eigvalsh(K)[::-1], 0, None)


def effective_dimension(eigenvalues: np.ndarray, alpha: float) -> float:
    r"""Return :math:`\sum_k \lambda_k / (\lambda_k + \alpha)`, alpha in units of their mean."""
    mean = eigenvalues.mean()
    return float((eigenvalues / (eigenvalues + alpha * mean)).sum()) if mean > 0 else 0.0


def participation(eigenvalues: np.ndarray) -> float:
    r"""Return :math:`(\sum \lambda)^2 / \sum \lambda^2`: directions that share the variance."""
    squares = (eigenvalues**2).sum()
    return float(eigenvalues.sum() ** 2 / squares) if squares > 0 else 0.0


def decay(eigenvalues: np.ndarray) -> float:
    r"""Return p of :math:`\lambda_k \sim k^{-p}`, by least squares on log axes.

    Over k from 3 to half of their number, those above 1e-12 of the greatest; NaN with fewer than
    four.
    """
    k = np.arange(1, len(eigenvalues) + 1)
    kept = (k >= 3) & (k <= len(k) // 2) & (eigenvalues > 1e-12 * eigenvalues[0])
    if kept.sum() < 4:
        return np.nan
    return float(-np.polyfit(np.log(k[kept]), np.log(eigenvalues[kept]), 1)[0])
