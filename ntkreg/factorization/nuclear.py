"""`NuclearNormCompletion`."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval

from ntkreg.cpus import one_blas_thread
from ntkreg.factorization.base import MatrixCompletion
from ntkreg.factorization.nuclear_norm import minimize_nuclear_norm

__all__ = ["NuclearNormCompletion"]


class NuclearNormCompletion(MatrixCompletion):
    """Complete a matrix by the one of least nuclear norm that has the seen entries.

    Parameters
    ----------
    tol : float, default=1e-5
        Duality gap, over the norm, at which to stop: the norm found is at most so much too large.
    max_iter : int, default=10000
    bounds : (float, float) or None, default=None
        Seen values must lie within, and predictions are cut off there; ratings have (1, 5).
    warm_start : bool, default=False
        Whether `fit` goes on from the last solution.

    Attributes
    ----------
    matrix_ : ndarray of the matrix's shape, float64
        Has the seen entries exactly.
    nuclear_norm_ : float
        Of `matrix_`.
    dual_bound_ : float
        What no matrix with these entries is below.
    multipliers_ : ndarray of shape (m,)
        Of the seen entries in the order of rows and columns: the dual point of the bound.
    n_iter_ : int
    shape_ : tuple of int

    Notes
    -----
    Douglas-Rachford splitting, see `ntkreg.factorization.nuclear_norm`. A matrix of 100 x 100
    takes tenths of a second. Values may have any scale.

    References
    ----------
    Candes and Recht 2009 (arXiv 0805.4471).

    Examples
    --------
    >>> from ntkreg import NuclearNormCompletion
    >>> model = NuclearNormCompletion().fit([0, 0, 1], [0, 1, 0], [4.0, 2.0, 2.0], shape=(2, 2))
    >>> model.predict([1], [1]).round(3)
    array([1.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "bounds": "no_validation",
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        *,
        tol: float = 1e-5,
        max_iter: int = 10_000,
        bounds: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.bounds = bounds
        self.warm_start = warm_start

    @one_blas_thread()
    def fit(self, rows: Any, cols: Any, values: Any, *, shape: Any = None):
        """Complete a matrix.

        Parameters
        ----------
        rows, cols : array-like of int, shape (m,)
            Places of the seen entries, counted from 0.
        values : array-like of shape (m,)
        shape : (int, int) or None
            Of the matrix; None for the largest row and column that are seen.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ShapeError, SpecError, PlanError
            As of `ntkreg.factorization.entries.read_entries`.

        Warns
        -----
        UserWarning
            Names rows and columns without a seen entry.
        ConvergenceWarning
            The gap is larger than `tol` after `max_iter`.
        """
        entries = self._read(rows, cols, values, shape)
        begin = None
        if (matrix := self._earlier("matrix_", entries.shape)) is not None:
            multipliers = self._earlier("multipliers_", entries.shape)
            same = len(multipliers) == len(entries.values)
            begin = (matrix, multipliers if same else np.zeros(len(entries.values)))
        found = minimize_nuclear_norm(entries, tol=self.tol, max_iter=self.max_iter, begin=begin)
        self.matrix_, self.shape_ = found.matrix, entries.shape
        self.nuclear_norm_, self.dual_bound_ = found.norm, found.bound
        self.multipliers_, self.n_iter_ = found.multipliers, found.n_iter
        if not found.reached:
            warnings.warn(
                f"NuclearNormCompletion: the norm may be {(found.norm / found.bound - 1):.1g} of "
                f"itself too large after {found.n_iter} iterations. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self
