"""How far a network's minimum moves when one example leaves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_surface
from ntkreg.landscape.hessian import Hessian
from ntkreg.landscape.minimum import newton_step, polish
from ntkreg.landscape.surface import LossSurface

__all__ = ["LeaveOneOut", "leave_one_out"]


class LeaveOneOut(NamedTuple):
    r"""Shifts of the minimum, and of the prediction for the example that left.

    Attributes
    ----------
    shift : ndarray (n_seeds, n_rows)
        :math:`\|\theta_{-i} - \theta\|`, to the minimum that descent from theta reaches.
    newton : ndarray (n_seeds, n_rows)
        The same by one Newton step, :math:`\|H_{-i}^+ \nabla L_{-i}(\theta)\|`: to first order.
    prediction : ndarray (n_seeds, n_rows)
        How far the outputs for the example move, as a norm.
    converged : ndarray (n_seeds, n_rows) of bool
    """

    shift: np.ndarray
    newton: np.ndarray
    prediction: np.ndarray
    converged: np.ndarray


def leave_one_out(
    surface: LossSurface, rows: Sequence[int], *, tol: float = 1e-9, max_iterations: int = 500
) -> LeaveOneOut:
    """Return how far each network's minimum moves when one of the examples leaves.

    A network that fits all examples fits the others: its shift is 0.

    Parameters
    ----------
    surface : LossSurface
        At minima (`polish`), in float64.
    rows : sequence of int
        Which examples leave, one at a time.
    tol : float, default=1e-9
        Of the gradient at the new minimum.
    max_iterations : int, default=500
        Of `polish`.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    SpecError
        If there is one example only, or a row is none.

    References
    ----------
    Koh and Liang 2017 (arXiv 1703.04730), for the Newton step.

    Examples
    --------
    f(x) = w x with y = 1 and y = -1 at x = 1 has its minimum at 0, and without the first at -1.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, leave_one_out
    >>> network = finite_network(fully_connected(0), (1,))
    >>> surface = LossSurface(network, ({"w": np.zeros((1, 1, 1))},), [[1.0]] * 2, [1.0, -1.0])
    >>> found = leave_one_out(surface, [0])
    >>> found.shift, found.newton, found.prediction
    (array([[1.]]), array([[1.]]), array([[1.]]))
    """
    check_surface("leave_one_out", surface)
    n = len(surface.X)
    if n < 2:
        raise SpecError("leave_one_out: there is one example only, and nothing would be left.")
    rows = list(rows) if np.iterable(rows) else [rows]
    if not rows or not all(isinstance(r, int | np.integer) and 0 <= r < n for r in rows):
        raise SpecError(f"leave_one_out: rows must be integers from 0 to {n - 1}; got {rows!r}.")
    theta, network = surface.theta, surface.network
    shifts, newtons, predictions, reached = [], [], [], []
    for row in rows:
        rest = np.delete(np.arange(n), row)
        left = surface.on(surface.X[rest], surface.y[rest])
        end = polish(left, tol=tol, max_iterations=max_iterations)
        shifts.append(np.linalg.norm(end.theta - theta, axis=1))
        gradients = left.gradients()
        steps = []
        for k in range(surface.n_seeds):
            one = left.only(k)
            steps.append(np.linalg.norm(newton_step(Hessian(one), gradients[k])))
        newtons.append(steps)
        x = surface.X[row : row + 1]
        before = network.predict_seeds(surface.params(theta), x)
        after = network.predict_seeds(surface.params(end.theta), x)
        predictions.append(np.linalg.norm((after - before)[:, 0], axis=1))
        reached.append(end.converged)
    return LeaveOneOut(
        np.stack(shifts, axis=1),
        np.array(newtons).T,
        np.stack(predictions, axis=1),
        np.stack(reached, axis=1),
    )
