"""How many eigenvalues are positive, zero and negative, counted on the matrix itself."""

from typing import NamedTuple

import numpy as np

from ntkreg.landscape.checks import check_number, check_operator
from ntkreg.landscape.operator import Operator

__all__ = ["Inertia", "inertia"]


class Inertia(NamedTuple):
    """Counts (n_seeds,) of eigenvalues, and the bound under which one counts as zero.

    Attributes
    ----------
    positive, zero, negative : ndarray (n_seeds,) of int
    negative_share : ndarray (n_seeds,)
        Size of the smallest eigenvalue, where it is negative, over that of the largest in size;
        0 where none is negative, masked where all are zero.
    bound : ndarray (n_seeds,)
    """

    positive: np.ndarray
    zero: np.ndarray
    negative: np.ndarray
    negative_share: np.ma.MaskedArray
    bound: np.ndarray


def inertia(operator: Operator, zero: float | None = None) -> Inertia:
    r"""Return the inertia :math:`(n_+, n_0, n_-)` of each network's operator.

    Parameters
    ----------
    operator : Operator
    zero : float >= 0, default=None
        Size up to which an eigenvalue counts as zero; None for what rounding makes of one,
        n_parameters * eps * (largest size).

    Returns
    -------
    Inertia

    Raises
    ------
    PlanError
        If there are more than 4,096 parameters: counting needs the matrix. Then take
        `spectral_density` and its `Density.share`.

    Examples
    --------
    f(x) = u v x at zero with y = -2 is a saddle; with y = 0 it is flat.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import Hessian, LossSurface, inertia
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> zeros = jax.tree.map(np.zeros_like, network.init_seeds([0], "float64"))
    >>> for y in (-2.0, 0.0):
    ...     found = inertia(Hessian(LossSurface(network, zeros, [[1.0]], [y])))
    ...     print(*found.positive, *found.zero, *found.negative, found.negative_share)
    1 0 1 [1.0]
    0 2 0 [--]
    """
    check_operator("inertia", operator)
    if zero is not None:
        zero = check_number("inertia", "zero", zero, zero=True)
    values = np.linalg.eigvalsh(operator.dense())
    size = np.abs(values).max(axis=1)
    eps = np.finfo(values.dtype).eps
    bound = values.shape[1] * eps * size if zero is None else np.full(len(values), zero)
    positive = (values > bound[:, None]).sum(axis=1)
    negative = (values < -bound[:, None]).sum(axis=1)
    flat = size == 0
    share = np.where(negative > 0, -values[:, 0], 0) / np.where(flat, 1, size)
    return Inertia(
        positive,
        values.shape[1] - positive - negative,
        negative,
        np.ma.MaskedArray(share, mask=flat),
        bound,
    )
