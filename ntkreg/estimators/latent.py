"""Deviations, samples and likelihood of the latent function, for the kernel regressors."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import eigh
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ntkreg.arrays import refuse_masked
from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.errors import ShapeError
from ntkreg.estimators.kernel_base import CROSS_BYTES, PRODUCT_ROWS, KernelEstimator
from ntkreg.estimators.products import multiply_rows
from ntkreg.estimators.stop import Stop
from ntkreg.gram import kernel_of
from ntkreg.solvers import SpectralSolver
from ntkreg.solvers.ensemble import EnsembleCovariance
from ntkreg.solvers.evidence import likeliest_scale, log_evidence

__all__ = ["LatentFunction"]

BOTH = ("nngp", "ntk")


def _has_evidence(estimator: "LatentFunction") -> bool:
    """Say whether a regressor has, or will have once it is fitted, a marginal likelihood."""
    name = type(estimator).__name__
    if estimator.get != "nngp":
        raise AttributeError(
            f'{name}: log_marginal_likelihood needs get="nngp"; got get="{estimator.get}". The NTK '
            "is not the covariance of a prior; networks trained with it have no such likelihood."
        )
    fitted = vars(estimator)
    if "dual_coef_" in fitted and "log_marginal_likelihood_value_" not in fitted:
        raise AttributeError(
            f"{name}: this fit has no log_marginal_likelihood: training stopped early, it was "
            'loaded from a folder, or fitted by an earlier version or with get="ntk". Fit it again.'
        )
    return True


class LatentFunction(KernelEstimator):
    """Base of regressors that say how sure they are: `return_std`, `sample_y`, ..."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelEstimator._parameter_constraints,
        "store_covariance": ["boolean"],
    }

    get: str
    alpha: Any
    alpha_scale: str
    store_covariance: bool
    y_mean_: Any
    sample_weight_: np.ndarray | None
    log_marginal_likelihood_value_: float
    output_scale_: np.ndarray
    _stop: Stop | None = None
    _covariance: EnsembleCovariance | None

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        return_cov: bool = False,
        *,
        test_kernel: Any = None,
    ) -> Any:
        r"""Predict the targets of new samples, and how sure the prediction is.

        Deviations and covariances are of the latent function: the noise of targets, of variance
        ``solver_result_.alpha``, is left out; to speak of targets add it to the square. With
        ``get="nngp"`` they are those of the Gaussian process's posterior. With ``get="ntk"`` those
        of the ensemble of infinitely wide networks, each trained to the end from random weights
        of its own: :math:`N(x, z) - A N(X, z) - N(x, X) A^T + A N(X, X) A^T` with
        :math:`A = \Theta(x, X) (\Theta + \alpha W^{-1})^{-1}`, NNGP N and NTK :math:`\Theta`
        (Lee et al. 2019, eq. 16), 0 on the training samples as alpha goes to 0. Stopped at a
        time, both are of networks at that time (with ``get="nngp"`` their read-outs alone are
        trained, on targets with noise of variance alpha of each network's own), and at its start
        those of the NNGP prior. The (weighted) mean of y
        counts as known. N(x, x) is the variance before anything is learnt, in units of y: where y
        is of another size, standardise it, or multiply variances of ``get="nngp"``, and
        `alpha` beside them, with `output_scale_`.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples, of the shape seen in `fit`; the cross kernel (m, n_samples) if
            precomputed.
        return_std : bool, default=False
            Return standard deviations too.
        return_cov : bool, default=False
            Return covariances too, of all pairs: (m, n_samples) and (m, m) numbers at once.
        test_kernel : array-like of shape (m,) or (m, m), default=None
            With a precomputed kernel only, and needed there: that of the new samples with
            themselves, its diagonal for `return_std`.

        Returns
        -------
        mean : ndarray of shape (m,) or (m, n_targets)
            float64.
        std : ndarray of shape (m,) or (m, n_targets)
            If `return_std`.
        cov : ndarray of shape (m, m) or (m, m, n_targets)
            If `return_cov`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`; both of `return_std` and
            `return_cov`; a precomputed kernel without what they need.

        Notes
        -----
        n^2 flops a sample and kernel beside the cross kernel. Without ``store_covariance=True``
        the first call computes the Gram matrix again, of both kernels for ``get="ntk"``, and
        factorises it, n^3; it keeps them from then on.
        """
        for name, value in (("return_std", return_std), ("return_cov", return_cov)):
            if not isinstance(value, bool | np.bool_):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be True or False; got {value!r}."
                )
        if not (return_std or return_cov):
            if test_kernel is not None:
                raise ValueError(
                    f"{type(self).__name__}: test_kernel has no effect without return_std=True or "
                    "return_cov=True. Leave it at None."
                )
            return self._evaluate(X) + self.y_mean_
        if return_std and return_cov:
            raise ValueError(
                f"{type(self).__name__}: return_std and return_cov must not both be True; the "
                "deviations are the roots of the covariances' diagonal."
            )
        check_is_fitted(self)
        X = self._new_samples(X)
        covariance = self._covariance_of_fit()
        prior = self._test_kernel(test_kernel, X, return_cov)
        evaluate = self._covariances if return_cov else self._deviations
        mean, spread = evaluate(X, covariance, prior)
        spread = np.moveaxis(spread[self._which_map()], 0, -1)
        if self.dual_coef_.ndim == 1:
            spread = spread[..., 0]
        return mean + self.y_mean_, spread

    def sample_y(
        self, X: Any, n_samples: int = 1, random_state: Any = 0, *, test_kernel: Any = None
    ) -> np.ndarray:
        """Draw functions from what `predict` gives mean and covariance of, at new samples.

        Parameters
        ----------
        X : array-like
            As in `predict`, (m, ...).
        n_samples : int, default=1
            Functions to draw.
        random_state : int, RandomState or None, default=0
            Pass an int for the same draws each time.
        test_kernel : array-like of shape (m, m), default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (m, n_samples) or (m, n_targets, n_samples)
            Latent values, without noise.
        """
        mean, cov = self.predict(X, return_cov=True, test_kernel=test_kernel)
        rng = check_random_state(random_state)
        means, covs = mean.reshape(len(mean), -1), cov.reshape(*cov.shape[:2], -1)
        try:
            draws = np.empty((*means.shape, n_samples))
        except (MemoryError, ValueError):
            raise ValueError(
                f"{type(self).__name__}: n_samples must be an integer >= 0 of draws that memory "
                f"holds, {means.size} numbers each; got {n_samples!r}."
            ) from None
        with one_blas_thread():
            for k in range(means.shape[1]):
                # Not Cholesky: a posterior is often singular, and rounding makes it indefinite.
                values, vectors = eigh(covs[..., k])
                root = vectors * np.sqrt(np.maximum(values, 0))
                draws[:, k] = means[:, k, None] + root @ rng.standard_normal(
                    (len(means), n_samples)
                )
        return draws.reshape(*mean.shape, n_samples)

    @available_if(_has_evidence)
    def log_marginal_likelihood(self) -> float:
        """Return the log marginal likelihood of the training targets, for ``get="nngp"``.

        Of y less its mean under the Gaussian process with noise of variance
        ``solver_result_.alpha``; the sum over targets, which count as independent. It says how
        well network and `alpha` suit, as scikit-learn's GaussianProcessRegressor's.

        Returns
        -------
        float

        Raises
        ------
        AttributeError
            With ``get="ntk"``: the NTK is not the covariance of a prior. With training that stops
            early, which is no posterior.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return self.log_marginal_likelihood_value_

    def _solve(self, X: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None) -> None:
        self._stop = stop = Stop.of(self)
        nngp, K = self._fit_both(X)
        needs = "store_covariance=True" if self.store_covariance else None
        solver = self._solver_of(K, sample_weight, needs, keep_maps=self.store_covariance)
        if stop is not None:
            self.solver_result_ = stop.solution(solver, targets)
        else:
            ridge = {"alpha": self.alpha, "alpha_scale": self.alpha_scale}
            self.solver_result_ = solver.solve(targets, **ridge)
        self.dual_coef_ = self.solver_result_.dual_coef
        self._keep_latent(targets, sample_weight)
        if self.store_covariance:
            self._covariance = self._covariance_by(solver, nngp)

    def _fit_both(self, X: np.ndarray, variants: Any = None) -> tuple[Any, Any]:
        """Return the Grams of NNGP, None where it is not needed beside it, and of the fit."""
        if not (self.store_covariance and self.get == "ntk"):
            return None, self._fit_gram(X, variants)
        if self._reads_kernels():
            raise ValueError(
                f'{type(self).__name__}: store_covariance=True with kernel="precomputed" needs '
                'get="nngp", which takes the matrix for the covariance of a Gaussian process; the '
                'ensemble of get="ntk" needs NNGP and NTK. Use kernel="architecture" for it.'
            )
        return self._fit_gram(X, variants, BOTH)

    def _keep_latent(self, targets: np.ndarray, weights: np.ndarray | None) -> None:
        """Keep the marginal likelihood and what deviations need, and forget those of old."""
        self.sample_weight_ = weights
        self._covariance = None
        for name in ("log_marginal_likelihood_value_", "output_scale_"):
            if hasattr(self, name):  # of an earlier fit
                delattr(self, name)
        if self.get == "nngp" and self.solver_result_.status == "exact":
            self.output_scale_ = likeliest_scale(targets, self.solver_result_, weights)
            found = log_evidence(targets, self.solver_result_, weights)
            self.log_marginal_likelihood_value_ = found

    def _covariance_of_fit(self) -> EnsembleCovariance:
        """Return the covariance of the fit, computed and kept if there is none yet."""
        found = getattr(self, "_covariance", None)
        if found is not None:
            return found
        name = type(self).__name__
        if self.kernel_ is None:
            raise ValueError(
                f'{name}: return_std and return_cov with kernel="precomputed" need a fit with '
                'store_covariance=True and get="nngp": the Gram matrix itself is not kept.'
            )
        if not hasattr(self, "sample_weight_"):
            raise ValueError(
                f"{name}: return_std and return_cov need the sample weights of the fit, which "
                "earlier versions did not keep. Fit it again."
            )
        spec = self.kernel_.args[0]  # type: ignore[attr-defined]
        both = spec.get == "ntk"
        found = self._gram(replace(spec, get=BOTH if both else "nngp"), self.X_fit_)
        nngp, K = found if both else (None, found)
        if self.solver_result_.status != "exact" and "_stop" not in vars(self):
            self._stop = Stop.of(self)  # a loaded model, whose parameters are those of its fit
        solver = self._solver_of(K, self.sample_weight_, "return_std=True or return_cov=True")
        self._covariance = self._covariance_by(solver, nngp)
        return self._covariance

    def _solver_of(
        self,
        K: Any,
        weights: np.ndarray | None,
        needs_factor: str | None,
        keep_maps: bool = False,
    ) -> Any:
        if self._stop is not None:
            return SpectralSolver(K, sample_weight=weights)
        return self._ridge_solver(K, weights, keep_maps=keep_maps, needs_factor=needs_factor)

    def _covariance_by(self, solver: Any, nngp: np.ndarray | None) -> EnsembleCovariance:
        """Return the covariance at the ridges of the fit, of a solver of its Gram matrix."""
        alphas = [float(a) for a in np.unique(self.solver_result_.alpha)]
        if self._stop is None:
            return EnsembleCovariance([solver.target_map(a) for a in alphas], nngp)
        n_targets = 1 if self.dual_coef_.ndim == 1 else self.dual_coef_.shape[1]
        maps = [self._stop.target_map(solver, n_targets, a) for a in alphas]
        return EnsembleCovariance(maps, nngp)

    def _which_map(self) -> np.ndarray:
        """Return for each target which of the distinct ridges is its own."""
        alphas = np.atleast_1d(self.solver_result_.alpha)
        _, which = np.unique(alphas, return_inverse=True)
        n_targets = 1 if self.dual_coef_.ndim == 1 else self.dual_coef_.shape[1]
        return np.broadcast_to(which, n_targets)

    def _kernels(self, X: np.ndarray, both: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return NNGP and trained kernel of new and training samples; the same one if not both."""
        if self.kernel_ is None:
            return X, X
        if not both:
            cross = self._gram(self.kernel_.args[0], X, self.X_fit_)  # type: ignore[attr-defined]
            return cross, cross
        spec = replace(self.kernel_.args[0], get=BOTH)  # type: ignore[attr-defined]
        return self._gram(spec, X, self.X_fit_)

    def _prior(self, X: np.ndarray, diag: bool) -> np.ndarray:
        """Return the NNGP kernel of new samples with themselves."""
        assert self.kernel_ is not None
        spec = replace(self.kernel_.args[0], get="nngp")  # type: ignore[attr-defined]
        return kernel_of(spec, X, diag=diag, n_jobs=self.n_jobs)

    def _test_kernel(self, given: Any, X: np.ndarray, square: bool) -> np.ndarray | None:
        """Return the kernel of new samples with themselves that came with a precomputed one."""
        name = type(self).__name__
        if self.kernel_ is not None:
            if given is not None:
                raise ValueError(
                    f'{name}: test_kernel has no effect with kernel="architecture", which computes '
                    "it. Leave it at None."
                )
            return None
        wanted = (len(X), len(X)) if square else (len(X),)
        if given is None:
            raise ValueError(
                f'{name}: return_{"cov" if square else "std"}=True with kernel="precomputed" needs '
                f"test_kernel, the kernel of the new samples with themselves, of shape {wanted}."
            )
        refuse_masked(f"{name}: test_kernel", given)
        values = np.asarray(given)
        if values.dtype.kind not in "buif":
            raise ValueError(f"{name}: test_kernel must hold real numbers; got {values.dtype}.")
        if values.shape != wanted:
            raise ShapeError(f"{name}: test_kernel must have shape {wanted}; got {values.shape}.")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: test_kernel contains NaN or infinity.")
        if (np.diagonal(values) if square else values).min() < 0:
            raise ValueError(f"{name}: test_kernel must hold variances >= 0; got {values.min()}.")
        return values.astype(np.float64)

    def _deviations(
        self, X: np.ndarray, covariance: EnsembleCovariance, prior: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return means less that of y, and deviations (n_maps, m), a batch of rows at a time."""
        both = covariance.nngp is not None
        n_jobs = check_n_jobs(self.n_jobs)
        batch = max(1, CROSS_BYTES // (8 * len(self.dual_coef_) * (2 if both else 1)))
        mean = np.empty((len(X), *self.dual_coef_.shape[1:]))
        std = np.empty((len(covariance.maps), len(X)))
        with one_blas_thread():
            for start in range(0, len(X), batch):
                rows = slice(start, start + batch)
                nngp, cross = self._kernels(X[rows], both)
                own = self._prior(X[rows], diag=True) if prior is None else prior[rows]
                multiply_rows(cross, self.dual_coef_, mean[rows], at_once=PRODUCT_ROWS)
                std[:, rows] = np.sqrt(covariance.variances(own, cross, nngp, n_jobs))
        return mean, std

    def _covariances(
        self, X: np.ndarray, covariance: EnsembleCovariance, prior: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return means less that of y, and covariances (n_maps, m, m)."""
        mean = np.empty((len(X), *self.dual_coef_.shape[1:]))
        with one_blas_thread():
            nngp, cross = self._kernels(X, covariance.nngp is not None)
            own = self._prior(X, diag=False) if prior is None else prior
            multiply_rows(cross, self.dual_coef_, mean, at_once=PRODUCT_ROWS)
            return mean, covariance.covariances(own, cross, nngp)
