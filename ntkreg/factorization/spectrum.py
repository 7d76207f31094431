"""What singular values say of a matrix: its norms and how many of them count."""

import numpy as np

__all__ = ["effective_rank", "nuclear_norm", "schatten"]


def nuclear_norm(singular_values: np.ndarray) -> float:
    """Return the sum of singular values."""
    return float(np.sum(singular_values))


def effective_rank(singular_values: np.ndarray) -> float:
    """Return exp(-sum p log p), p the singular values over their sum; 0 of a zero matrix.

    References
    ----------
    Roy and Vetterli 2007, The effective rank.

    Examples
    --------
    >>> import numpy as np
    >>> round(effective_rank(np.array([3.0, 3.0, 0.0])), 12)
    2.0
    """
    total = np.sum(singular_values)
    if total == 0:
        return 0.0
    p = singular_values[singular_values > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


def schatten(singular_values: np.ndarray, p: float) -> float:
    """Return the Schatten norm, for p < 1 quasi-norm, (sum sigma^p)^(1/p).

    Examples
    --------
    >>> import numpy as np
    >>> schatten(np.array([4.0, 1.0]), 0.5)
    9.0
    """
    largest = np.max(singular_values, initial=0.0)
    if largest == 0:
        return 0.0
    return float(largest * np.sum((singular_values / largest) ** p) ** (1 / p))
