"""`NTKClassifier`: ridge regression on coded labels, the way papers use these kernels."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context

from ntkreg.estimators.kernel_base import SOLVER_CONSTRAINTS, KernelEstimator
from ntkreg.estimators.probabilities import Probabilities
from ntkreg.estimators.tasks import Classification

__all__ = ["NTKClassifier"]


class NTKClassifier(Probabilities, Classification, KernelEstimator):
    r"""Classification by kernel ridge regression on coded labels.

    Class c of k is coded as :math:`e_c - 1/k` (Arora et al. 2019, where k = 10), one
    target a class, and the class of the greatest value wins. Two classes need one target
    only: -1/2 for ``classes_[0]``, 1/2 for ``classes_[1]``, the second of the two columns.
    The targets are not centred: without data nearby no class is preferred.

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
    alpha : float >= 0, default=1e-3
        Ridge added to the kernel's diagonal; its unit and default as in `NTKRegressor`.
    alpha_scale : {"mean_diagonal", "absolute"}, default="mean_diagonal"
        "mean_diagonal": `alpha` counts in units of the mean of K's diagonal; "absolute": of K.
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
    train_time : float >= 0 or None, default=None
        Time at which gradient flow of the network stops, as in `NTKRegressor`; None for the end.
    train_steps : int >= 0 or None, default=None
        Steps of gradient descent in place of a time, at `learning_rate`.
    learning_rate : float > 0 or None, default=None
        Of `train_steps`.
    solver : {"auto", "cholesky", "conjugate_gradient"}, default="auto"
        How the equations are solved, as in `NTKRegressor`; ``probability=True`` needs a factor.
    tol : float in (0, 1), default=1e-6
        Of "conjugate_gradient".
    class_weight : dict, "balanced" or None, default=None
        What the weight of each sample is multiplied with, by class: of a dict the number, 1 for
        classes it leaves out, and without data nearby the class of the greatest is preferred;
        "balanced" gives all classes the same sum of weights, and prefers none.
    probability : bool, default=False
        Whether `fit` calibrates probabilities, for `predict_proba`: the softmax of the regressed
        codes at one temperature (Guo et al. 2017), that of the least log-loss of the codes that
        fits without a sample give it, all in closed form (a sample weight counts as
        repetitions, of which one is left out). Twice the time of the solve.
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
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        float64; one-dimensional for two classes.
    intercept_ : float or ndarray of shape (n_classes,)
        What codes are counted from: 0, but with a dict as `class_weight`.
    temperature_ : float
        Of `predict_proba`; only with ``probability=True``.
    X_fit_, dtype_, architecture_, kernel_, n_features_in_, feature_names_in_
        As in `NTKRegressor`.
    solver_result_, n_iter_
        As in `NTKRegressor`.

    See Also
    --------
    NTKRegressor : Where alpha, memory and cost are described.

    References
    ----------
    Arora et al. 2019 (arXiv 1904.11955), section 6 (label coding, plain solve); Guo et al. 2017
    (arXiv 1706.04599), section 4.2 (temperature); Rasmussen and Williams 2006, section 6.5
    (probabilities of regressed labels by fits without a sample).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ntkreg import NTKClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = NTKClassifier().fit(X[:200] / 16, y[:200])
    >>> model.score(X[200:300] / 16, y[200:300]) > 0.9
    True
    >>> model = NTKClassifier(probability=True).fit(X[:200] / 16, y[:200])
    >>> bool(model.predict_proba(X[200:201] / 16).max() > 0.5)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelEstimator._parameter_constraints,
        **SOLVER_CONSTRAINTS,
        **Probabilities._parameter_constraints,
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        kernel: str = "architecture",
        get: str = "ntk",
        alpha: float = 1e-3,
        alpha_scale: str = "mean_diagonal",
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        train_time: float | None = None,
        train_steps: int | None = None,
        learning_rate: float | None = None,
        solver: str = "auto",
        tol: float = 1e-6,
        class_weight: Any = None,
        probability: bool = False,
        dtype: Any = None,
        store: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.kernel = kernel
        self.get = get
        self.alpha = alpha
        self.alpha_scale = alpha_scale
        self.normalize = normalize
        self.symmetry = symmetry
        self.backend = backend
        self.image_shape = image_shape
        self.train_time = train_time
        self.train_steps = train_steps
        self.learning_rate = learning_rate
        self.solver = solver
        self.tol = tol
        self.class_weight = class_weight
        self.probability = probability
        self.dtype = dtype
        self.store = store
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NTKClassifier":
        """Fit the dual coefficients to the coded labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data; the Gram matrix (n_samples, n_samples) if precomputed.
        y : array-like of shape (n_samples,)
            Labels of any kind: integers, strings, booleans; at least two classes.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0; a weight of 2 counts as the sample given twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Fewer than two classes, parameters out of range, NaN or infinity, shapes that
            do not fit (`ShapeError`).
        NotPSDError
            If the Gram matrix is not positive definite at this `alpha`.
        """
        X, codes, weights = self._read_labelled(X, y, sample_weight)
        weighted = self._weigh_classes(codes, weights)
        targets = self._code(codes)
        found = None
        if self.probability:
            found = self._solve_leaving_out(X, targets, weighted)
        else:
            self._solve(X, targets, weighted)
        self._calibrate(found, codes, weights, weighted)
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
