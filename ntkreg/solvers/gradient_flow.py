"""What gradient flow and gradient descent have learnt along each eigenvector of a kernel.

Of the squared loss, where the kernel stays as it is: each eigenvector's part of y - f_0 is learnt
on its own, at a slope that is its eigenvalue over the number of samples. Formulas only, for who
has eigenvalues: networks linearised in their parameters, studies of early stopping, the solver.
"""

import numpy as np

__all__ = ["descent_share", "flow_share", "over_eigenvalues"]


def flow_share(slopes: np.ndarray, t: np.ndarray) -> np.ndarray:
    r"""Return :math:`1 - e^{-t s}` for times t and slopes s, (n_times, n_slopes)."""
    return -np.expm1(-np.outer(t, slopes))


def descent_share(slopes: np.ndarray, steps: np.ndarray, learning_rate: float) -> np.ndarray:
    r"""Return :math:`1 - (1 - \eta s)^k` for steps k and slopes s, (n_steps, n_slopes)."""
    z = learning_rate * slopes
    # Small steps keep their digits; from z = 1 on, the sign alternates.
    small = np.minimum(z, 0.5)
    return np.where(
        z <= 0.5,
        -np.expm1(np.outer(steps, np.log1p(-small))),
        1 - np.power(1 - z, steps[:, None]),
    )


def over_eigenvalues(
    share: np.ndarray, values: np.ndarray, limit: np.ndarray | float
) -> np.ndarray:
    """Return shares (n_times, n) over eigenvalues (n,), and `limit` where these are zero.

    What multiplies a kernel's eigenvectors in outputs on inputs that are not trained on.
    """
    zero = values == 0
    return np.where(zero, limit, share / np.where(zero, 1, values))
