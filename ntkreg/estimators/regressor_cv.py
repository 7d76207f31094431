"""`NTKRegressorCV`: ridge regression that chooses its ridge and its network."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context

from ntkreg.estimators.latent import LatentFunction
from ntkreg.estimators.routing import route
from ntkreg.estimators.selection import KernelSelection
from ntkreg.estimators.tasks import Regression
from ntkreg.solvers import CholeskySolver

__all__ = ["NTKRegressorCV"]


class NTKRegressorCV(Regression, LatentFunction, KernelSelection):
    r"""`NTKRegressor` with its ridge and network chosen, on Grams that are computed once.

    Leaving each sample out costs no refit: with :math:`C = (K + \alpha W^{-1})^{-1}`, what the
    others say of sample i is wrong by :math:`([C y]_i - m_{-i} [C 1]_i) / C_{ii}`, where
    :math:`m_{-i}` is their mean.

    Parameters
    ----------
    architecture : Architecture, callable or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, an `Architecture` given layer by
        layer, or the ``kernel_fn`` of a neural-tangents ``stax`` network. None stands for
        ``fully_connected(3)``. Search over a recipe's arguments as
        ``architecture__depth``, ``architecture__readout``, ...
    kernel : {"architecture", "precomputed"}, default="architecture"
        "precomputed": `fit` takes the Gram matrix (n, n) as X and `predict` the cross
        kernel (m, n), test rows first, such as `ntkreg.kernel` returns them; then leave
        `architecture`, `normalize`, `symmetry`, `backend` and `image_shape` at None (`get`
        and `dtype` play no part).
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel of the network.
    alphas : array-like of shape (n_alphas,) or None, default=None
        Ridges to choose among, >= 0, in units of `alpha_scale`. None: eleven from 1e-4 to 10 times
        the mean of K's diagonal, half a decade apart.
    alpha_scale : {"mean_diagonal", "absolute"}, default="mean_diagonal"
        Unit of `alphas` and of `alpha_`: the mean of K's diagonal, or that of K. A ridge has its
        absolute value on all samples, whichever are left out.
    variants : sequence of mappings or None, default=None
        Networks to choose among, each by the options of the recipe in which it differs, as
        ``[{"depth": 2}, {"depth": 5}]`` (`ntkreg.kernel`): one pass for all their kernels.
    selection : {"cv", "kare", "marginal_likelihood"}, default="cv"
        "cv": by samples left out, as `cv` and `scoring` say. Without any left out: "kare", the
        least kernel alignment risk estimate (Jacot et al. 2020), which for ridge regression is
        generalised cross-validation; "marginal_likelihood", the greatest likelihood of y
        as a Gaussian process of covariance K + alpha W^-1 at its likeliest scale.
    scoring : str, callable or None, default=None
        What to score values of samples left out by. None: the negative mean
        squared error with ``cv=None``, R^2 else, as in scikit-learn's `RidgeCV`.
    cv : int, splitter, iterable or None, default=None
        None: each sample is left out once, in closed form. Else folds as in scikit-learn; the
        score is the mean over folds.
    alpha_per_target : bool, default=False
        Whether each target has a ridge of its own.
    store_cv_results : bool, default=False
        Keep `cv_results_`; only with leave-one-out.
    normalize : {"unit_diagonal"} or None, default=None
        "unit_diagonal": K(x, z) / sqrt(K(x, x) K(z, z)).
    symmetry : {"flip"} or None, default=None
        "flip", for networks that read images: the kernel averaged over left and right, as
        in `ntkreg.kernel`, in `fit` and in `predict`; images and their flips get the same
        prediction. Training on the n images alone at ridge `alpha` then predicts what
        training on all 2 n images and flips predicts at ridge 2 `alpha` (absolute), in an
        eighth of the solve's time: to repeat a fit on the doubled set, give half its
        alpha. `alpha` itself is not rescaled: it is what is added to the diagonal.
    backend : {"jax", "cuda"} or None, default=None
        What computes the kernel: None for compiled loops on the CPU; for networks that
        read images "jax" or "cuda", the same programs on JAX's device or on NVIDIA cards
        (`ntkreg.kernel`).
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read. Not needed if X
        comes as (n, h, w, c), or for a dense network.
    center_y : bool, default=True
        Subtract the (weighted) mean of y before the fit and add it to predictions: a
        kernel without bias has no intercept.
    store_covariance : bool, default=False
        Keep in `fit` what `predict` needs for deviations, as in `NTKRegressor`.
    dtype : {"float32", "mixed", "float64"} or None, default=None
        Of the kernel. "mixed", for networks that read images: float32 arithmetic, read-outs
        and values in float64; as fast as float32 and several times nearer to float64, above
        all with global pooling. None: float64, or for X of uint8, float16 or float32 mixed
        where it exists, else float32. Solves are float64 in any case. Where inputs repeat or
        nearly do, float32 and mixed want an `alpha` of 1e-4 of the mean diagonal, float64
        1e-8 (benchmarks/cifar10_precision.md).
    store : path or None, default=None
        Folder in which kernels are kept, tile by tile: that of the training samples, and of each
        set of samples that is predicted for with these. One that is there is read and not computed
        again, whoever made it, `ntkreg gram` among them; a fit that was killed goes on where it
        was. Values do not depend on it.
    n_jobs : int or None, default=None
        Threads for the kernel and the solve; -1 for all cores, None for this process's share
        of them: all, unless OMP_NUM_THREADS or LOKY_MAX_CPU_COUNT say less, as in the
        processes of a grid search. Values do not depend on it.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The ridge chosen, in units of `alpha_scale`.
    best_score_ : float or ndarray of shape (n_targets,)
        Its score; greater is better (of "kare" the negative).
    best_params_ : dict
        "alpha", and as ``architecture__depth``, ... the options of the variant chosen.
    alphas_ : ndarray of shape (n_alphas,)
        Ridges tried.
    scores_ : ndarray of shape (n_alphas[, n_targets]) or (n_variants, n_alphas[, n_targets])
        All scores; -inf where the Gram is not positive definite at a ridge.
    cv_results_ : ndarray of shape (n, n_alphas), (n, n_targets, n_alphas)
        Squared errors of samples left out, predictions if there is a `scoring`; with `variants`
        after an axis of them. If ``store_cv_results=True``.
    architecture_ : Architecture or callable
        The network chosen; None with a precomputed kernel.
    dual_coef_, y_mean_, X_fit_, dtype_, kernel_, solver_result_, n_features_in_, feature_names_in_
    sample_weight_, log_marginal_likelihood_value_, output_scale_
        As in `NTKRegressor`.

    Notes
    -----
    Up to six ridges cost a Cholesky factorisation each, more one eigendecomposition: both O(n^3),
    with two or five more matrices in float64 beside the Gram (`ntkreg.solvers.solver_for`).

    References
    ----------
    Jacot et al. 2020 (arXiv 2006.09796); Rasmussen and Williams 2006, section 5.4.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import NTKRegressorCV, fully_connected
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = np.sin(X[:, 0]) + 0.1 * rng.normal(size=60)
    >>> model = NTKRegressorCV(fully_connected(bias_std=0.3), variants=[{"depth": 1}, {"depth": 3}])
    >>> model.fit(X, y).best_params_
    {'alpha': 0.0001, 'architecture__depth': 3}
    >>> model.scores_.shape
    (2, 11)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelSelection._parameter_constraints,
        "alpha_per_target": ["boolean"],
        "center_y": ["boolean"],
        "store_covariance": ["boolean"],
    }
    _default_scoring: ClassVar[str] = "r2"

    def __init__(
        self,
        architecture: Any = None,
        *,
        kernel: str = "architecture",
        get: str = "ntk",
        alphas: Any = None,
        alpha_scale: str = "mean_diagonal",
        variants: Any = None,
        selection: str = "cv",
        scoring: Any = None,
        cv: Any = None,
        alpha_per_target: bool = False,
        store_cv_results: bool = False,
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        center_y: bool = True,
        store_covariance: bool = False,
        dtype: Any = None,
        store: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.kernel = kernel
        self.get = get
        self.alphas = alphas
        self.alpha_scale = alpha_scale
        self.variants = variants
        self.selection = selection
        self.scoring = scoring
        self.cv = cv
        self.alpha_per_target = alpha_per_target
        self.store_cv_results = store_cv_results
        self.normalize = normalize
        self.symmetry = symmetry
        self.backend = backend
        self.image_shape = image_shape
        self.center_y = center_y
        self.store_covariance = store_covariance
        self.dtype = dtype
        self.store = store
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, **params: Any
    ) -> "NTKRegressorCV":
        """Choose, and fit the dual coefficients to all samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data; the Gram matrix (n_samples, n_samples) if precomputed.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0; a weight of 2 counts as the sample given twice, but a sample is left out
            with all its weight (its repetition would tell what it is). Scores are weighted too,
            where the scorer takes weights.
        groups : array-like of shape (n_samples,) or None
            Groups that a splitter such as `GroupKFold` keeps together; an error without `cv`.
        **params
            More for scorer and splitter, who get what they ask for, `sample_weight` and `groups`
            included: with ``sklearn.set_config(enable_metadata_routing=True)`` only.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Parameters out of range or that do not go together, NaN or infinity, shapes that do
            not fit (`ShapeError`), one sample alone; metadata that nobody asks for.
        NotPSDError
            If a Gram matrix is not positive definite at any of `alphas`.

        Warns
        -----
        PrecisionWarning
            If it is not at some of them; or with a part of the chosen one used up by errors of K.
        """
        routed = route(self, sample_weight, groups, params)
        X, y = self._read_targets(X, y)
        weights = self._weights(sample_weight, len(X))
        # Of weights over the largest: sums of huge ones overflow.
        shares = None if weights is None else weights / weights.max()
        self.y_mean_ = np.average(y, axis=0, weights=shares) if self.center_y else 0.0
        grid, nngp = self._choose(X, y, y, weights, routed)
        self._keep_latent(y - self.y_mean_, weights)
        if self.store_covariance:  # a solver checks all of K: none is made for nothing
            solver = CholeskySolver(grid.K, sample_weight=weights, n_jobs=self.n_jobs)
            self._covariance = self._covariance_by(solver, nngp)
        return self
