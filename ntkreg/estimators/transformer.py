"""`NTKTransformer`: kernel columns in a Pipeline, for estimators with a precomputed kernel."""

import os
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ntkreg.estimators.transformer_base import KernelTransformer
from ntkreg.gram import kernel_in_store
from ntkreg.gram.shared import shared_grams
from ntkreg.kernels import check_inputs

__all__ = ["NTKTransformer"]


class NTKTransformer(KernelTransformer):
    r"""Columns K(x, x_j) of a network's kernel with the training samples x_j.

    Goes before an estimator with a precomputed kernel, such as ``SVC(kernel="precomputed")``:
    `fit_transform` gives it the Gram matrix of the training samples, `transform` their kernel
    with others. In a grid search over its parameters and those of the estimator after it, the
    folds share one Gram for each kernel; nothing has to be said or stored for that. Values are
    kept in this process, sample by sample and pair by pair, up to `cache_size`: what one fold has
    computed, its own Gram and the columns of the samples it held out, the next ones look up.

    Parameters
    ----------
    architecture : Architecture, callable or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, an `Architecture` given layer by
        layer, or the ``kernel_fn`` of a neural-tangents ``stax`` network. None stands for
        ``fully_connected(3)``. Search over a recipe's arguments as
        ``ntktransformer__architecture__depth``, ...
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel of the network.
    normalize : {"unit_diagonal"} or None, default=None
        "unit_diagonal": K(x, z) / sqrt(K(x, x) K(z, z)), which suits an SVM's default C.
    symmetry : {"flip"} or None, default=None
        "flip", for networks that read images: the kernel averaged over left and right.
    backend : {"jax", "cuda"} or None, default=None
        What computes the kernel, as in `ntkreg.kernel`.
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read.
    dtype : {"float32", "mixed", "float64"} or None, default=None
        Of the kernel, as in `NTKRegressor`; "mixed" gives columns in float64.
    cache_size : float >= 0, default=1000
        MB (10^6 bytes) that kept values of all `NTKTransformer`\ s of this process may take. What
        was asked for longest ago is forgotten first. A Gram that would take more is computed
        where it is needed, and not kept; 0 keeps nothing. ``NTKTransformer.clear_cache()``
        forgets all.
    store : path or None, default=None
        Folder in which kernels are kept, as in `NTKRegressor`; then nothing is in `cache_size`.
    n_jobs : int or None, default=None
        Threads for the kernel, as in `NTKRegressor`.

    Attributes
    ----------
    X_fit_ : ndarray of shape (n_samples, n_features) or (n_samples, h, w, c)
        A copy of the training data, float32 or float64.
    dtype_ : str
        The kernel's precision.
    architecture_ : Architecture or callable
        The network used.
    n_features_in_ : int
        Features of a row; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    See Also
    --------
    NTKNystroem : A fixed number of columns, for estimators without kernels.

    Notes
    -----
    Samples are told by their content, so only those that come to every fold the same share
    values. A step before this one that is fitted anew on each fold, as a `StandardScaler`, gives
    each fold other samples and another Gram: scale before the search, or row by row. The
    processes of ``n_jobs=2`` keep values each for itself. Values are those of `ntkreg.kernel` to
    rounding; their last bits depend on which samples stood beside which when they were computed,
    unless ``cache_size=0``. Of repeated samples K(x, x) is exact. Thread-safe.

    Memory: 8 n^2 bytes for n samples of a search, and the samples twice.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from ntkreg import NTKTransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> columns = NTKTransformer(normalize="unit_diagonal")
    >>> pipeline = make_pipeline(columns, SVC(kernel="precomputed"))
    >>> grid = {"ntktransformer__architecture__depth": [1, 3], "svc__C": [1, 10]}
    >>> search = GridSearchCV(pipeline, grid, cv=3).fit(X[:200] / 16, y[:200])  # two Grams in all
    >>> search.score(X[200:400] / 16, y[200:400]) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelTransformer._parameter_constraints,
        "cache_size": [Interval(Real, 0, None, closed="left")],
        "store": [str, os.PathLike, None],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        get: str = "ntk",
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        dtype: Any = None,
        cache_size: float = 1000,
        store: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.get = get
        self.normalize = normalize
        self.symmetry = symmetry
        self.backend = backend
        self.image_shape = image_shape
        self.dtype = dtype
        self.cache_size = cache_size
        self.store = store
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        network = self._network(self.architecture)
        if getattr(network, "reads", None) == "image":
            tags.transformer_tags.preserves_dtype = ["float64"]  # "mixed" has values in float64
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "NTKTransformer":
        """Keep the training samples; computes no kernel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Parameters out of range, NaN or infinity, shapes that do not fit (`ShapeError`).
        """
        X = self._fit_kernel(self._read(X, reset=True))
        # Networks that read vectors take images as such; kept as they came, as in NTKRegressor.
        check_inputs(self.architecture_, X, "X", self.dtype_)
        self.X_fit_ = X
        self._n_features_out = len(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Keep the training samples and return their Gram matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data.
        y : ignored

        Returns
        -------
        ndarray of shape (n_samples, n_samples)
            Symmetric, in the kernel's dtype.
        """
        self.fit(X, y)
        if self.store is not None:
            return self._kept(self.X_fit_)
        return shared_grams.gram(self._spec(), self._rows(self.X_fit_), **self._how())

    def transform(self, X: Any) -> np.ndarray:
        """Return the kernel of samples with those of `fit`.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            Samples of the shape seen in `fit`.

        Returns
        -------
        ndarray of shape (m, n_samples)
            In the kernel's dtype.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        self._check_like_fit(X, self.X_fit_.shape[1:])
        if self.store is not None:
            return self._kept(X, self.X_fit_)
        return shared_grams.columns(
            self._spec(), self._rows(X), self._rows(self.X_fit_), **self._how()
        )

    @staticmethod
    def clear_cache() -> None:
        """Forget the values that this process keeps."""
        shared_grams.clear()

    def _rows(self, X: np.ndarray) -> np.ndarray:
        return check_inputs(self.architecture_, X, "X", self.dtype_)

    def _kept(self, X: np.ndarray, Z: np.ndarray | None = None) -> np.ndarray:
        return kernel_in_store(self._spec(), X, Z, store=self.store, n_jobs=self.n_jobs)

    def _how(self) -> dict[str, Any]:
        return {"most_bytes": 1e6 * self.cache_size, "n_jobs": self.n_jobs}
