"""`NTKClassifierCV`: classification that chooses its ridge and its network."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context

from ntkreg.estimators.probabilities import Probabilities
from ntkreg.estimators.routing import route
from ntkreg.estimators.selection import KernelSelection
from ntkreg.estimators.tasks import Classification

__all__ = ["NTKClassifierCV"]


class NTKClassifierCV(Probabilities, Classification, KernelSelection):
    r"""`NTKClassifier` with its ridge and network chosen, on Grams that are computed once.

    Labels are coded as there, and what is left out is predicted as in `NTKRegressorCV`.

    Parameters
    ----------
    architecture : Architecture, callable or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, an `Architecture` given layer by
        layer, or the ``kernel_fn`` of a neural-tangents ``stax`` network. None stands for
        ``fully_connected(3)``. Search over a recipe's arguments as
        ``architecture__depth``, ``architecture__readout``, ...
    kernel : {"architecture", "precomputed"}, default="architecture"
        "precomputed": `fit` takes the Gram matrix (n, n) as X and `predict` the cross
        kernel (m, n), test rows first; then leave `architecture`, `normalize`,
        `symmetry`, `backend` and `image_shape` at None (`get` and `dtype` play no part).
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
        What to score values of samples left out by. None: with ``cv=None`` the
        negative mean squared error of the coded labels, accuracy else, as in scikit-learn's
        `RidgeClassifierCV`. Scorers get the values of `decision_function` and the labels.
    cv : int, splitter, iterable or None, default=None
        None: each sample is left out once, in closed form. Else folds as in scikit-learn; the
        score is the mean over folds.
    store_cv_results : bool, default=False
        Keep `cv_results_`; only with leave-one-out.
    normalize : {"unit_diagonal"} or None, default=None
        "unit_diagonal": K(x, z) / sqrt(K(x, x) K(z, z)).
    symmetry : {"flip"} or None, default=None
        "flip", for networks that read images: the kernel averaged over left and right. What
        it predicts at `alpha`, training on images and flips predicts at 2 `alpha`; see
        `NTKRegressor`.
    backend : {"jax", "cuda"} or None, default=None
        What computes the kernel: None for compiled loops on the CPU; for networks that
        read images "jax" or "cuda", the same programs on JAX's device or on NVIDIA cards
        (`ntkreg.kernel`).
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read. Not needed if X
        comes as (n, h, w, c), or for a dense network.
    class_weight : dict, "balanced" or None, default=None
        As in `NTKClassifier`.
    probability : bool, default=False
        Whether `fit` calibrates `predict_proba`, as in `NTKClassifier`.
    dtype : {"float32", "mixed", "float64"} or None, default=None
        Of the kernel, as in `NTKRegressor`.
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
    classes_ : ndarray of shape (n_classes,)
        The labels seen in `fit`, sorted.
    alpha_ : float
        The ridge chosen, in units of `alpha_scale`.
    best_score_ : float
        Its score; greater is better (of "kare" the negative).
    best_params_ : dict
        "alpha", and as ``architecture__depth``, ... the options of the variant chosen.
    alphas_ : ndarray of shape (n_alphas,)
        Ridges tried.
    scores_ : ndarray of shape (n_alphas) or (n_variants, n_alphas)
        All scores; -inf where the Gram is not positive definite at a ridge.
    cv_results_ : ndarray of shape (n, n_alphas), (n, n_targets, n_alphas)
        Squared errors of samples left out, predictions if there is a `scoring`; with `variants`
        after an axis of them. If ``store_cv_results=True``.
    architecture_ : Architecture or callable
        The network chosen; None with a precomputed kernel.
    intercept_ : float or ndarray of shape (n_classes,)
        As in `NTKClassifier`.
    temperature_ : float
        As in `NTKClassifier`; only with ``probability=True``.
    dual_coef_, X_fit_, dtype_, kernel_, solver_result_, n_features_in_, feature_names_in_
        As in `NTKClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ntkreg import NTKClassifierCV
    >>> X, y = load_digits(return_X_y=True)
    >>> model = NTKClassifierCV(scoring="accuracy").fit(X[:200] / 16, y[:200])
    >>> model.alpha_ < 0.1, model.best_score_ > 0.9
    (True, True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelSelection._parameter_constraints,
        **Probabilities._parameter_constraints,
    }
    _default_scoring: ClassVar[str] = "accuracy"

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
        store_cv_results: bool = False,
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        class_weight: Any = None,
        probability: bool = False,
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
        self.store_cv_results = store_cv_results
        self.normalize = normalize
        self.symmetry = symmetry
        self.backend = backend
        self.image_shape = image_shape
        self.class_weight = class_weight
        self.probability = probability
        self.dtype = dtype
        self.store = store
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, **params: Any
    ) -> "NTKClassifierCV":
        """Choose, and fit the dual coefficients to the coded labels of all samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data; the Gram matrix (n_samples, n_samples) if precomputed.
        y : array-like of shape (n_samples,)
            Labels of any kind; at least two classes.
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
        X, codes, weights = self._read_labelled(X, y, sample_weight)
        weighted = self._weigh_classes(codes, weights)
        labels, targets = self.classes_[codes], self._code(codes)
        grid, _ = self._choose(X, labels, targets, weighted, routed, self.classes_)
        self._calibrate(grid.left_out() if self.probability else None, codes, weights, weighted)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the regressed label codes of new samples.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples, of the shape seen in `fit`; the cross kernel (m, n_samples) if
            precomputed.

        Returns
        -------
        ndarray of shape (m,) for two classes, positive for ``classes_[1]``; else (m, n_classes)
            float64.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        return self._with_intercept(self._evaluate(X))
