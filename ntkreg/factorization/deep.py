"""`DeepMatrixFactorization`."""

import math
import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import ShapeError, SpecError
from ntkreg.factorization.base import MatrixCompletion
from ntkreg.factorization.descent import Training, descend
from ntkreg.factorization.entries import (
    Entries,
    check_indices,
    read_values,
    refuse_too_large,
)
from ntkreg.factorization.optimizers import OPTIMIZERS
from ntkreg.factorization.path import PathRecorder
from ntkreg.factorization.product import ProductLoss, factor_shapes
from ntkreg.factorization.starts import STARTS, start

__all__ = ["DeepMatrixFactorization"]

_COPIES = 12
"""Vectors of all parameters: the point, gradients, what optimisers remember, products inside."""

_DIGITS = 1e-13
"""Residuals, over the values' size, that float64 still tells from zero."""


class DeepMatrixFactorization(MatrixCompletion):
    r"""Complete a matrix by a deep linear network, trained on the seen entries alone.

    :math:`W = W_N \dots W_1`, square inside, so that no rank is ruled out: which of all matrices
    with the seen entries is found depends on depth, start and optimiser, not on the loss.

    Parameters
    ----------
    depth : int, default=3
        Number of factors, N.
    init_scale : float, default=1e-3
        Scale of the product at the start, > 0; the smaller, the lower the rank.
    init : {"gaussian", "balanced"}, default="gaussian"
        Independent entries in every factor; or factors that share the singular values of one
        Gaussian matrix evenly.
    optimizer : {"gd", "sgd", "momentum", "adam", "adagrad", "group_rmsprop", "gd_long"}, \
default="gd"
        gd_long is gd in steps of one over the curvature, ten times as long as gd's until the loss
        has halved: a higher rank, which is none of gradient flow's.
    learning_rate : float or None, default=None
        None: for gd, gd_long, sgd and momentum a share of one over the curvature, all along the
        path; 1e-3 for adam, 0.1 for adagrad; for group_rmsprop 1e-3 / sqrt(1 + step / 10,000),
        since at a fixed rate its steps have one length, and the loss stalls near 2e-6. A number
        stays fixed.
    batch_size : int, default=500
        Entries of a step of sgd.
    width : int or None, default=None
        Of the inner sides; None for the smaller side of the matrix. Less limits the rank.
    tol : float, default=1e-6
        Mean square error over the seen entries at which training ends.
    max_iter : int, default=1000000
        Steps.
    bounds : (float, float) or None, default=None
        Seen values must lie within, and predictions are cut off there; ratings have (1, 5).
    warm_start : bool, default=False
        Whether `fit` goes on from the factors of the last one.
    random_state : int, RandomState or None, default=None
        Of the start and of batches.

    Attributes
    ----------
    matrix_ : ndarray of the matrix's shape, float64
        The product.
    factors_ : list of ndarray
        W_1, ..., W_N.
    loss_ : float
        Mean square error over the seen entries.
    n_iter_ : int
        Steps.
    path_ : dict of str to ndarray
        What was recorded, at steps that grow apart: step, time (sum of rates), loss, error (over
        `held_out`, NaN without), singular_values (k, smaller side), nuclear_norm, effective_rank,
        schatten_2/3, schatten_1/2 (quasi-norms; schatten_1 is the nuclear norm).
    shape_ : tuple of int

    Notes
    -----
    3 (N - 1) products of factors a step, in float64. Scale the values to about 1: the start and
    `tol` have their units.

    References
    ----------
    Arora, Cohen, Hu and Luo 2019 (arXiv 1905.13655).

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import DeepMatrixFactorization
    >>> truth = np.outer([1.0, 2.0, -1.0], [1.0, 0.5, 2.0])
    >>> rows, cols = np.nonzero(1 - np.eye(3))  # all but the diagonal
    >>> model = DeepMatrixFactorization(random_state=0)
    >>> model = model.fit(rows, cols, truth[rows, cols], shape=(3, 3))
    >>> bool(np.abs(model.reconstruct() - truth).max() < 0.05)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "depth": [Interval(Integral, 1, 100, closed="both")],
        "init_scale": [Interval(Real, 0, None, closed="neither")],
        "init": [StrOptions(set(STARTS))],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "bounds": "no_validation",
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        depth: int = 3,
        init_scale: float = 1e-3,
        *,
        init: str = "gaussian",
        optimizer: str = "gd",
        learning_rate: float | None = None,
        batch_size: int = 500,
        width: int | None = None,
        tol: float = 1e-6,
        max_iter: int = 1_000_000,
        bounds: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.depth = depth
        self.init_scale = init_scale
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.width = width
        self.tol = tol
        self.max_iter = max_iter
        self.bounds = bounds
        self.warm_start = warm_start
        self.random_state = random_state

    @one_blas_thread()
    def fit(self, rows: Any, cols: Any, values: Any, *, shape: Any = None, held_out: Any = None):
        """Train on seen entries.

        Parameters
        ----------
        rows, cols : array-like of int, shape (m,)
            Places of the seen entries, counted from 0.
        values : array-like of shape (m,)
        shape : (int, int) or None
            Of the matrix; None for the largest row and column that are seen.
        held_out : (rows, cols, values) or None
            Entries that `path_` has the error of; nothing is trained on them.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ShapeError, SpecError, PlanError
            As of `ntkreg.factorization.entries.read_entries`; values so small or large that `tol`
            means nothing.
        DivergenceError
            A learning rate that is too large.

        Warns
        -----
        UserWarning
            Names rows and columns without a seen entry.
        ConvergenceWarning
            The loss is above `tol` after `max_iter` steps.
        """
        entries = self._read(rows, cols, values, shape)
        _check_scale(entries.values, self.tol)
        n_parameters = sum(map(math.prod, factor_shapes(entries.shape, self.depth, self.width)))
        refuse_too_large(
            f"DeepMatrixFactorization: {_COPIES} copies of the factors of depth={self.depth}, "
            f"width={self.width} and shape {entries.shape}, which training holds,",
            _COPIES * n_parameters,
            "Take a smaller depth or width.",
        )
        objective = ProductLoss(entries, self.depth, self.width)
        # NumPy's generator for all numbers, whatever random_state is.
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31, size=4))
        theta = self._begin(entries, objective, rng)
        training = Training(
            self.optimizer, self.learning_rate, self.batch_size, self.tol, self.max_iter
        )
        recorder = PathRecorder(objective, _held_out(held_out, entries))
        end = descend(objective, theta, training, rng, recorder)
        self.factors_ = [factor.copy() for factor in objective.factors(theta)]
        self.matrix_, self.shape_ = objective.product.copy(), entries.shape
        self.loss_, self.n_iter_, self.path_ = end.loss, end.step, recorder.path()
        if end.loss > self.tol:
            warnings.warn(
                f"DeepMatrixFactorization: the loss is {end.loss:.2g} after {end.step} steps, "
                f"above tol={self.tol:g}. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _begin(
        self, entries: Entries, objective: ProductLoss, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the start: a new one, or the end of the last fit."""
        factors = self._earlier("factors_", entries.shape)
        if factors is None:
            return start(self.init, entries.shape, self.depth, self.width, self.init_scale, rng)
        theta = np.concatenate([factor.ravel() for factor in factors])
        if len(factors) != self.depth or len(theta) != objective.size:
            raise SpecError(
                f"DeepMatrixFactorization: warm_start=True goes on with {len(factors)} factors of "
                f"{len(theta)} numbers; depth={self.depth} and width={self.width} ask for "
                f"{objective.size}. Leave them as they were, or set warm_start=False."
            )
        return theta


def _check_scale(values: np.ndarray, tol: float) -> None:
    size = float(np.max(np.abs(values)))
    mean_square = size * size * float(np.mean((values / size) ** 2)) if size else 0.0
    if size and mean_square <= tol:
        raise SpecError(
            f"DeepMatrixFactorization: values have mean square {mean_square:.2g}, not above "
            f"tol={tol:g}: a matrix of zeros would do. Rescale values to about 1, or lower tol."
        )
    if size * _DIGITS > tol**0.5:
        raise SpecError(
            f"DeepMatrixFactorization: values reach {size:.2g}, where float64 has no loss of "
            f"tol={tol:g}. Rescale values to about 1, or raise tol."
        )


def _held_out(given: Any, entries: Entries) -> tuple[np.ndarray, ...] | None:
    if given is None:
        return None
    name = "DeepMatrixFactorization: held_out"
    if not isinstance(given, tuple | list) or len(given) != 3:
        raise ShapeError(f"{name} must be (rows, cols, values); got {type(given).__name__}.")
    i, j = check_indices(name, given[0], given[1], entries.shape)
    values = read_values(f"{name}: values", given[2])
    if values.shape != i.shape:
        raise ShapeError(
            f"{name}: values must be one a row; got {len(values)} beside {len(i)} rows."
        )
    return i, j, values
