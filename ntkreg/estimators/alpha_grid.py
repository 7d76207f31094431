"""All ridges on one Gram: a score for each, and the solution at the best."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.estimators.left_out import Scores
from ntkreg.solvers import LeaveOneOut, Solution, Solver, solver_for
from ntkreg.solvers.inputs import alpha_unit

__all__ = ["DEFAULT_ALPHAS", "Grid"]

DEFAULT_ALPHAS = np.logspace(-4, 1, 11)
"""In units of the mean diagonal. The least copes with repeated rows in float32."""

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


class Grid:
    """The ridges of an estimator on one Gram.

    Parameters
    ----------
    model : KernelSelection
        Whose parameters say which ridges, and how they are judged.
    K : ndarray of shape (n, n)
    targets : ndarray of shape (n,) or (n, n_targets)
    weights : ndarray of shape (n,) or None

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        In units of `alpha_scale`.
    scores : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Greater is better; -inf where the Gram is not positive definite at a ridge.
    results : ndarray of shape (n, n_alphas) or (n, n_targets, n_alphas)
        Squared errors of rows left out; values predicted for them if there is a scorer.
    """

    def __init__(self, model: Any, K: np.ndarray, targets: np.ndarray, weights: Any) -> None:
        self.model, self.K, self.targets, self.weights = model, K, targets, weights
        self._name = type(model).__name__
        self._per_target = model.alpha_per_target and targets.ndim == 2
        if model.alphas is not None:
            self.alphas = np.atleast_1d(np.asarray(model.alphas, float))
        else:
            absolute = model.alpha_scale == "absolute"
            unit = alpha_unit(self._name, "mean_diagonal", K, weights) if absolute else 1.0
            self.alphas = DEFAULT_ALPHAS * unit
        per_target = targets.shape[1:] if self._per_target else ()
        self.scores = np.full((len(self.alphas), *per_target), -np.inf)
        self.results = np.full((*targets.shape, len(self.alphas)), np.nan)
        self._solver: Solver | None = None
        self._found: tuple[int, LeaveOneOut] | None = None

    def score(self, scores: Scores | None, folds: Folds | None) -> None:
        """Score each ridge.

        Raises
        ------
        NotPSDError
            The Gram is not positive definite at any of them.

        Warns
        -----
        PrecisionWarning
            Nor at some of them.
        """
        with one_blas_thread():  # once, not for each ridge: setting it takes milliseconds
            refused = self._leave_one_out(scores) if folds is None else self._folds(folds, scores)
        # An undefined score, as R^2 of one sample, is not the best.
        self.scores = np.where(np.isnan(self.scores), -np.inf, self.scores)
        if len(refused) == len(self.alphas):
            raise refused[max(refused)]
        if refused:
            warnings.warn(
                f"{self._name}: {len(refused)} of {len(self.alphas)} alphas, up to "
                f"{max(refused):.3g}, are too small for this kernel matrix and were left out of "
                f"the choice. {refused[max(refused)]}",
                PrecisionWarning,
                stacklevel=5,  # who called fit
            )
        if not np.isfinite(self.best_score).all():
            raise ValueError(
                f"{self._name}: no alpha has a finite score; got {self.scores.ravel()[:3]}... Is y "
                "beyond 1e150, do sample weights sum to less than the fit's degrees of freedom, or "
                "is the score of a fold undefined, as R^2 of one sample?"
            )

    @property
    def best_score(self) -> Any:
        """The best score, a float, or one for each target."""
        best = self.scores.max(axis=0)
        return best if self._per_target else float(best)

    @property
    def alpha(self) -> Any:
        """The ridge that has it; the first of equals."""
        best = self.alphas[self.scores.argmax(axis=0)]
        return best if self._per_target else float(best)

    def solution(self) -> Solution:
        """Return the solution for all samples at the best ridge."""
        if self._found is not None and self.alphas[self._found[0]] == self.alpha:
            found = self._found[1]
            if found.doubt is not None:
                warnings.warn(found.doubt, PrecisionWarning, stacklevel=5)  # who called fit
            return found.solution
        solver = self._solver or self._solver_of(self.K, self.weights)
        y = self.targets - self._mean(self.targets, self.weights)
        return solver.solve(y, alpha=self.alpha, alpha_scale=self.model.alpha_scale)

    def left_out(self) -> LeaveOneOut:
        """Return what is left out at the best ridge, one for all targets."""
        if self._found is not None and self.alphas[self._found[0]] == self.alpha:
            return self._found[1]
        solver = self._solver or self._solver_of(self.K, self.weights)
        return solver.leave_one_out(
            self.targets,
            alpha=self.alpha,
            alpha_scale=self.model.alpha_scale,
            center=self.model.center_y,
        )

    def forget(self) -> None:
        """Let go of factorisations: there is a better Gram."""
        self._solver = self._found = None

    def _leave_one_out(self, scores: Scores | None) -> dict[float, NotPSDError]:
        """Score by errors of rows left out, or by a criterion that leaves none out."""
        refused = {}
        self._solver = self._solver_of(self.K, self.weights)
        scale, center = self.model.alpha_scale, self.model.center_y
        best = -np.inf
        for i, alpha in self._ascending():
            try:
                found = self._solver.leave_one_out(
                    self.targets, alpha=alpha, alpha_scale=scale, center=center
                )
            except NotPSDError as error:
                refused[alpha] = error
                continue
            self.scores[i] = self._score(found, scores, i)
            if not self._per_target and (self._found is None or self.scores[i] >= best):
                best, self._found = self.scores[i], (i, found)
        return refused

    def _score(self, found: LeaveOneOut, scores: Scores | None, i: int) -> Any:
        match self.model.selection:
            case "kare":
                good = -found.kare()
            case "marginal_likelihood":
                good = found.log_marginal_likelihood()
            case _ if scores is not None:
                self.results[..., i] = self.targets - found.errors
                return scores.of(self.results[..., i])
            case _:
                with np.errstate(over="ignore"):
                    self.results[..., i] = np.square(found.errors)
                good = -np.average(self.results[..., i], axis=0, weights=self.weights)
        return good if self._per_target else np.mean(good)

    def _folds(self, folds: Folds, scores: Any) -> dict[float, NotPSDError]:
        """Score by the mean over folds, each predicted by a fit of all others.

        A ridge has in all folds its absolute value on all samples.
        """
        refused = {}
        unit = alpha_unit(self._name, self.model.alpha_scale, self.K, self.weights)
        every = np.full((len(folds), *self.scores.shape), -np.inf)
        for fold, (rows, others) in zip(every, folds, strict=True):
            weights = None if self.weights is None else self.weights[rows]
            if weights is not None and not weights.any():
                raise ValueError(
                    f"{self._name}: sample_weight is 0 for all samples that a fold of cv trains "
                    "on. Use fewer folds, or leave samples without weight out."
                )
            solver = self._solver_of(self.K[np.ix_(rows, rows)], weights)
            cross = self.K[np.ix_(others, rows)].astype(float)
            mean = self._mean(self.targets[rows], weights)
            y = self.targets[rows] - mean
            for i, alpha in self._ascending():
                try:
                    with warnings.catch_warnings():
                        # What is said of K at the ridge that is chosen is enough.
                        warnings.simplefilter("ignore", PrecisionWarning)
                        coef = solver.solve(y, alpha=alpha * unit).dual_coef
                except NotPSDError as error:
                    refused[alpha] = error
                    continue
                fold[i] = scores.of(cross @ coef + mean, others)
        self.scores = every.mean(axis=0)
        return refused

    def _ascending(self) -> Iterator[tuple[int, float]]:
        """Yield ridges from the least on, where K's least eigenvalue is found best."""
        for i in np.argsort(self.alphas, kind="stable"):
            yield int(i), float(self.alphas[i])

    def _solver_of(self, K: np.ndarray, weights: np.ndarray | None) -> Solver:
        kind = solver_for(len(self.alphas), weights)
        return kind(K, sample_weight=weights, n_jobs=self.model.n_jobs)

    def _mean(self, y: np.ndarray, weights: np.ndarray | None) -> Any:
        if not self.model.center_y:
            return 0.0
        # Of weights over the largest: sums of huge ones overflow.
        return np.average(y, axis=0, weights=None if weights is None else weights / weights.max())
