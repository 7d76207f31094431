"""Exact kernel ridge regression by one Cholesky factorisation in float64."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import blas, lapack

from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.solvers.base import Solver
from ntkreg.solvers.definiteness import EPS, diagnosis, doubt, least_eigenvalue
from ntkreg.solvers.factor import factorise, inverse_diagonal
from ntkreg.solvers.inputs import check_gram
from ntkreg.solvers.leave_one_out import Inverse
from ntkreg.solvers.memory import check_memory, cholesky_bytes
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.system import System
from ntkreg.solvers.target_map import TargetMap
from ntkreg.solvers.tiled_matrix import TiledMatrix, is_stored

# Pickles of fits name `Solution` here too.
__all__ = ["CholeskyMap", "CholeskySolver", "Solution", "solve_cholesky"]


class CholeskySolver(Solver):
    """Factorises K + alpha W^-1 once for each distinct alpha; see `solve_cholesky`.

    Keeps nothing between calls but K, as a factor is as large, and for `leave_one_out` K's
    least eigenvalue, as found at the first alpha: begin with the least, where it is most exact.

    Parameters
    ----------
    K, sample_weight, n_jobs
        As in `Solver`.
    keep_maps : bool, default=False
        Keep the factors that `solve` makes, for `target_map`.
    overwrite_K : bool, default=False
        Factorise in K's own memory if it is a writable float64 array in C order and all rows
        have a weight: 8 n^2 bytes in all. K is there again after each solve, its upper triangle
        mirrored from the lower one. A `StoredMatrix` is read into such an array in any case.
    """

    name: ClassVar[str] = "solve_cholesky"
    _least: tuple[float, float] | None = None

    def __init__(
        self,
        K: Any,
        *,
        sample_weight: Any = None,
        n_jobs: int | None = None,
        keep_maps: bool = False,
        overwrite_K: bool = False,
    ) -> None:
        self._overwrite = overwrite_K or is_stored(K)
        super().__init__(K, sample_weight=sample_weight, n_jobs=n_jobs)
        self._maps: dict[float, CholeskyMap] | None = {} if keep_maps else None

    def _read_kernel(self, K: Any) -> Any:
        if not is_stored(K):
            K = check_gram(self.name, K)
            self._dtype = K.dtype
            if not self._overwrite:
                check_memory(self.name, cholesky_bytes(len(K)), len(K))
            return K
        tiles = TiledMatrix(self.name, K, self.n_jobs)
        self._dtype = tiles.dtype
        check_memory(self.name, cholesky_bytes(len(tiles)), len(tiles))
        return tiles.dense()

    def target_map(self, alpha: float) -> "CholeskyMap":
        """Return the map from targets to dual coefficients at a ridge in units of K.

        Raises
        ------
        NotPSDError
            As `solve`.
        """
        if self._maps is not None and alpha in self._maps:
            return self._maps[alpha]
        with self._factored(self._system(alpha), 1.0, copy=True) as factor:
            return _map(factor)

    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        coef = np.empty_like(targets)
        logs = np.empty(len(alphas))
        residual = condition = 0.0
        min_eigenvalue: float | None = None
        for a in np.unique(alphas):
            which = alphas == a
            system = self._system(float(a))
            with self._factored(system, unit) as factor:
                if a > 0 and min_eigenvalue is None:
                    min_eigenvalue, rounding = least_eigenvalue(system, factor.solve, factor.norm)
                    if text := doubt(system, min_eigenvalue, rounding):
                        # Of who called solve_cholesky.
                        warnings.warn(text, PrecisionWarning, stacklevel=4)
                coef[:, which] = system.expand(factor.solve(targets[system.kept][:, which]))
                condition = max(condition, factor.condition)
                logs[which] = factor.log_determinant
                if self._maps is not None:
                    self._maps[float(a)] = _map(factor)
            residual = max(residual, system.residual(coef[:, which], targets[:, which]))
        return Solution(coef, alphas, condition, residual, min_eigenvalue, log_determinant=logs)

    def _invert(self, targets: np.ndarray, alpha: float, unit: float) -> Inverse:
        system = self._system(alpha)
        with self._factored(system, unit) as factor:
            coef = system.expand(factor.solve(targets[system.kept]))
            diagonal = system.expand(
                (system.scale**2 * inverse_diagonal(factor.lower.T, self.n_jobs))[:, None]
            )[:, 0]
            if alpha > 0 and self._least is None:
                self._least = least_eigenvalue(system, factor.solve, factor.norm)
            log_determinant = factor.log_determinant  # its memory may be K's again afterwards
        text = None if self._least is None else doubt(system, *self._least)
        return Inverse(
            coef,
            diagonal,
            log_determinant,
            factor.condition,
            None if self._least is None else self._least[0],
            text,
        )

    def _system(self, alpha: float) -> System:
        return System(self.name, self.K, self.weights, alpha, self._dtype)

    @contextmanager
    def _factored(self, system: System, unit: float, copy: bool = False) -> Iterator["_Factor"]:
        """Lend the factor of a system, in K's own memory where it may be; or say what is wrong."""
        K = self.K
        own = self._overwrite and not copy and self._maps is None and len(system) == len(K)
        own = own and K.dtype == np.float64 and K.flags.c_contiguous and K.flags.writeable
        matrix = system.in_place() if own else nullcontext(None)
        with matrix as A:
            found = _factorise(system, A, self.n_jobs)
            if isinstance(found, _Factor):
                yield found
                return
        raise NotPSDError(diagnosis(system, unit, found))


def solve_cholesky(
    K: Any,
    y: Any,
    *,
    alpha: Any,
    alpha_scale: str = "absolute",
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> Solution:
    r"""Solve kernel ridge regression exactly, in float64.

    Finds c with :math:`(K + \alpha I) c = y`; with weights,
    :math:`(K + \alpha W^{-1}) c = y`, which minimises
    :math:`\sum_i w_i (y_i - (K c)_i)^2 + \alpha c^T K c`.

    Parameters
    ----------
    K : array-like of shape (n, n)
        Symmetric; any real dtype. It is not changed.
    y : array-like of shape (n,) or (n, n_targets)
    alpha : float or array-like of shape (n_targets,)
        Ridge, >= 0; one factorisation for each distinct value.
    alpha_scale : {"absolute", "mean_diagonal"}, default="absolute"
        Unit of alpha: scikit-learn's, or the (weighted) mean of K's diagonal.
    sample_weight : array-like of shape (n,), float or None
        >= 0; weight 2 is the same as the row twice, weight 0 as without the row. However
        far apart they are, only rows of K that nearly repeat make a system singular.
    n_jobs : int or None
        Threads of the factorisation, as in `ntkreg.kernel`. Does not change a bit.

    Returns
    -------
    Solution
        Its `condition` estimates that in the 1-norm (LAPACK's pocon; usually within a factor
        3), rows and columns scaled by powers of two to a diagonal between 1/2 and 2.

    Raises
    ------
    NotPSDError
        K + alpha I is not positive definite, or singular to working precision however its
        rows are scaled. The message says at which row, the least eigenvalue and the alpha
        that would do.
        There is no fallback to another solver.
    ShapeError, TypeError, ValueError
        Inputs of the wrong shape or type, not finite, asymmetric, negative.

    Warns
    -----
    PrecisionWarning
        K has an eigenvalue below -alpha / 100 (and below rounding), yet K + alpha I could
        be solved: part of the ridge is used up by errors of K.

    Notes
    -----
    BLAS is held to one thread meanwhile, in the whole process; bits of the result depend
    neither on other calls at the same time nor on how many threads it had before.
    n^3 / 3 flops a distinct alpha, one float64 working copy of K (8 n^2 bytes). The check
    of the least eigenvalue runs Lanczos on the inverse, some tens of triangular solves of
    2 n^2 flops. Only a failure pays for an eigenvalue decomposition (4 n^3 / 3 flops).

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 10 and 15.

    Examples
    --------
    >>> from ntkreg.solvers import solve_cholesky
    >>> solve_cholesky([[2.0, 0.0], [0.0, 1.0]], [3.0, 4.0], alpha=1.0).dual_coef
    array([1., 2.])
    """
    solver = CholeskySolver(K, sample_weight=sample_weight, n_jobs=n_jobs)
    return solver.solve(y, alpha=alpha, alpha_scale=alpha_scale)


@dataclass(frozen=True, eq=False)
class _Factor:
    """L of the scaled matrix L L^T, lower triangle only, with its 1-norm and condition."""

    system: System
    lower: np.ndarray
    norm: float
    condition: float

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve the equations of the kept rows, (n_kept, n_targets)."""
        scale = self.system.scale[:, None]
        return scale * lapack.dpotrs(self.lower, scale * right, lower=1)[0]

    @property
    def log_determinant(self) -> float:
        """Of K + alpha W^-1."""
        return float(2 * np.sum(np.log(np.diagonal(self.lower)) - np.log(self.system.scale)))


@dataclass(frozen=True, eq=False)
class CholeskyMap(TargetMap):
    """The inverse of K + alpha W^-1 by L of the scaled matrix, without K."""

    n: int
    kept: np.ndarray
    scale: np.ndarray
    lower: np.ndarray

    def apply(self, right: np.ndarray) -> np.ndarray:
        """Return M times a matrix, as `TargetMap.apply`."""
        coef = np.zeros((self.n, right.shape[1]))
        scale = self.scale[:, None]
        coef[self.kept] = scale * lapack.dpotrs(self.lower, scale * right[self.kept], lower=1)[0]
        return coef

    def root(self, right: np.ndarray) -> np.ndarray:
        """Return V, as `TargetMap.root`."""
        return blas.dtrsm(1.0, self.lower, self.scale[:, None] * right[self.kept], lower=1)


def _map(factor: _Factor) -> CholeskyMap:
    system = factor.system
    return CholeskyMap(len(system.K), system.kept, system.scale, factor.lower)


def _factorise(system: System, A: np.ndarray | None, n_jobs: int) -> _Factor | str:
    """Factorise in A's place, or in that of the one working copy; or return what is wrong."""
    A = system.scaled(system.scale) if A is None else A
    norm = float(lapack.dlange("1", A.T))
    info = factorise(A, n_jobs)
    if info > 0:
        return f"is not positive definite at pivot {system.kept[info - 1]}"
    reciprocal, _ = lapack.dpocon(A.T, norm, uplo="L")
    if reciprocal >= EPS:
        return _Factor(system, A.T, norm, 1 / reciprocal)
    pivot = system.kept[int(np.argmin(np.diagonal(A)))]
    return f"is singular to working precision at pivot {pivot}"
