"""Choosing ridge and network: many of either on Grams that are computed once."""

import functools
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter

from ntkreg.arrays import refuse_masked
from ntkreg.estimators.alpha_grid import Grid
from ntkreg.estimators.kernel_base import KernelEstimator, spec_of
from ntkreg.estimators.left_out import Scores
from ntkreg.estimators.routing import Routed, router_of
from ntkreg.gram import kernel_of

__all__ = ["KernelSelection"]


class KernelSelection(KernelEstimator):
    """Base of `NTKRegressorCV` and `NTKClassifierCV`, where the parameters are documented."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{k: v for k, v in KernelEstimator._parameter_constraints.items() if k != "alpha"},
        "alphas": ["array-like", None],
        "variants": [list, tuple, None],
        "selection": [StrOptions({"cv", "kare", "marginal_likelihood"})],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "cv": ["cv_object"],
        "store_cv_results": ["boolean"],
    }

    alphas: Any
    alpha_scale: str
    variants: Any
    selection: str
    scoring: Any
    cv: Any
    store_cv_results: bool
    alpha_per_target: bool = False
    center_y: bool = False

    # To `fit`'s splitter, never to the estimator itself.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": UNUSED}

    _default_scoring: ClassVar[str]
    """What folds are scored by where `scoring` is None: what `score` returns."""

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what the estimator, its `scoring` and its `cv` ask of metadata given to `fit`.

        Returns
        -------
        MetadataRouter
        """
        return router_of(self)

    def _choose(
        self,
        X: np.ndarray,
        y: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None,
        routed: Routed,
        classes: np.ndarray | None = None,
    ) -> tuple[Grid, np.ndarray | None]:
        """Fit targets, coded for labels y, at the best ridge on the best network.

        Returns
        -------
        Grid, ndarray of shape (n, n) or None
            The best network's, and its NNGP Gram where `_fit_both` has one beside the fit's.
        """
        self._check_choice()
        variants = self._variants()
        nngp, gram = self._fit_both(X, variants)
        grams = gram[None] if variants is None else gram
        folds = None
        if self.cv is not None:
            split = check_cv(self.cv, y, classifier=classes is not None).split
            folds = list(split(np.zeros((len(y), 1)), y, **routed.split))
            self._check_folds(folds, len(y))
        scoring = self.scoring
        if scoring is None and folds is not None:
            scoring = self._default_scoring
        scores = None
        if scoring is not None:
            params = routed.score_params(get_scorer(scoring), weights)
            name = type(self).__name__
            scores = Scores(name, scoring, y, params, classes, self.alpha_per_target)
        found, best = [], 0
        for K in grams:
            found.append(Grid(self, K, targets, weights))
            found[-1].score(scores, folds)
            worse = len(found) - 1
            if np.mean(found[-1].best_score) > np.mean(found[best].best_score):
                best, worse = worse, best
            if worse != best:
                found[worse].forget()
        self._keep(found, best, variants)
        if nngp is not None and variants is not None:
            nngp = nngp[best].copy()  # of the others nothing is kept
        return found[best], nngp

    def _fit_both(self, X: np.ndarray, variants: Any) -> tuple[Any, Any]:
        return None, self._fit_gram(X, variants)

    def _keep(self, found: list[Grid], best: int, variants: Any) -> None:
        """Set what the choice comes to."""
        grid = found[best]
        self.alphas_, self.alpha_, self.best_score_ = grid.alphas, grid.alpha, grid.best_score
        self.scores_ = grid.scores
        self.best_params_: dict[str, Any] = {"alpha": grid.alpha}
        if self.store_cv_results:
            self.cv_results_ = grid.results
        if variants is not None:
            self.scores_ = np.array([each.scores for each in found])
            if self.store_cv_results:
                self.cv_results_ = np.array([each.results for each in found])
            chosen = variants[best]
            self.best_params_ |= {f"architecture__{name}": v for name, v in chosen.items()}
            self.architecture_ = self.architecture_.replace(**chosen)
            self.kernel_ = functools.partial(kernel_of, spec_of(self), n_jobs=self.n_jobs)
        self.solver_result_ = grid.solution()
        self.dual_coef_ = self.solver_result_.dual_coef

    def _variants(self) -> tuple[dict[str, Any], ...] | None:
        if self.variants is None:
            return None
        if self._reads_kernels():
            raise ValueError(
                f'{type(self).__name__}: variants has no effect with kernel="precomputed". Leave '
                "it at None."
            )
        if not self.variants:
            raise ValueError(
                f"{type(self).__name__}: variants must hold at least one mapping, such as "
                f'[{{"depth": 2}}, {{"depth": 5}}]; got {self.variants!r}.'
            )
        return tuple(self.variants)

    def _check_folds(self, folds: list[Any], n_samples: int) -> None:
        """Raise unless folds, which may be a user's own list, are rows of X."""
        if not folds:
            raise ValueError(f"{type(self).__name__}: cv must give at least one fold; got none.")
        every = np.arange(n_samples)
        for fold in folds:
            try:
                rows, others = (every[part] for part in fold)
            except (IndexError, TypeError, ValueError):
                rows = others = every[0]
            if rows.ndim != 1 or others.ndim != 1 or not (rows.size and others.size):
                raise ValueError(
                    f"{type(self).__name__}: cv must give two lists of rows below {n_samples} for "
                    f"each fold, neither empty; got {fold!r}."
                )

    def _check_choice(self) -> None:
        """Raise where parameters of the choice do not go together."""
        name = type(self).__name__
        if self.selection != "cv":
            unused = [p for p in ("scoring", "cv") if getattr(self, p) is not None]
            if unused:
                raise ValueError(
                    f'{name}: {", ".join(unused)} has no effect with selection="{self.selection}", '
                    'which leaves no samples out. Leave it at None, or use selection="cv".'
                )
        if self.store_cv_results and (self.selection != "cv" or self.cv is not None):
            raise ValueError(
                f"{name}: store_cv_results=True keeps leave-one-out results; it needs cv=None and "
                f'selection="cv"; got cv={self.cv!r} and selection="{self.selection}".'
            )
        if self.alphas is None:
            return
        refuse_masked(f"{name}: alphas", self.alphas)
        alphas = np.atleast_1d(np.asarray(self.alphas))
        ok = alphas.dtype.kind in "uif" and alphas.ndim == 1 and len(alphas)
        if not ok or not np.isfinite(alphas).all() or (alphas < 0).any():
            raise ValueError(
                f"{name}: alphas must be finite numbers >= 0, at least one; got {self.alphas!r}."
            )
