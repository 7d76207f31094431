"""`NTKNystroem`: features of a network's kernel from landmarks among the samples."""

import os
import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ntkreg.cpus import check_n_jobs
from ntkreg.errors import PlanError
from ntkreg.estimators.kernel_base import CROSS_BYTES
from ntkreg.estimators.products import multiply_rows
from ntkreg.estimators.transformer_base import PRODUCT_ROWS, KernelTransformer
from ntkreg.gram import kernel_in_store, kernel_of
from ntkreg.machine import free_memory, readable
from ntkreg.solvers.inverse_root import inverse_root
from ntkreg.solvers.pivoted_cholesky import pivoted_cholesky

__all__ = ["NTKNystroem"]


class NTKNystroem(KernelTransformer):
    r"""Features whose inner products approximate a network's kernel, from some of the samples.

    With landmarks S among the training samples, f(x) = K_{S,S}^{-1/2} K(S, x), so that
    :math:`f(x) \cdot f(z) = K(x, S) K_{S,S}^{-1} K(S, z)`: the kernel itself where x or z is a
    landmark, and never more than it on the diagonal. As scikit-learn's `Nystroem`, for the
    kernels of this package, images among them.

    Parameters
    ----------
    architecture : Architecture, callable or None, default=None
        The network, as in `NTKRegressor`; None stands for ``fully_connected(3)``.
    n_components : int, default=100
        Landmarks, and features. More than there are samples cannot be, and gives a warning.
    landmarks : {"uniform", "rpcholesky"}, default="uniform"
        How landmarks are drawn: each sample with the same probability, or by randomly pivoted
        Cholesky, each with probability proportional to what those before leave of its K(x, x).
        The second finds small clusters and far samples, at the cost of the kernel of all samples
        with all landmarks, and 8 n_samples n_components bytes, in `fit`.
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel of the network.
    normalize : {"unit_diagonal"} or None, default=None
        "unit_diagonal": K(x, z) / sqrt(K(x, x) K(z, z)).
    symmetry : {"flip"} or None, default=None
        "flip", for networks that read images: the kernel averaged over left and right.
    backend : {"jax", "cuda"} or None, default=None
        What computes the kernel, as in `ntkreg.kernel`.
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read.
    dtype : {"float32", "mixed", "float64"} or None, default=None
        Of the kernel, as in `NTKRegressor`. Features are float32 for "float32" and "mixed".
    random_state : int, RandomState instance or None, default=None
        Draws the landmarks.
    store : path or None, default=None
        Folder in which kernels are kept, as in `NTKRegressor`: that of the landmarks, and that of
        samples with them. With ``random_state`` given, a second fit finds them.
    n_jobs : int or None, default=None
        Threads, as in `NTKRegressor`. Values do not depend on it.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features) or (n_components, h, w, c)
        The landmarks.
    component_indices_ : ndarray of shape (n_components,)
        Which of the training samples they are.
    normalization_ : ndarray of shape (n_components, n_components), float64
        K_{S,S}^{-1/2}, zero along directions that are nothing but rounding (repeated samples).
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
    NTKFeatures : Random features of dense networks, without kernel values.
    StreamingRidge : Ridge regression on features, a part of the samples at a time.

    Notes
    -----
    `transform` computes the kernel with the landmarks a batch of rows at a time, at most 128 MiB
    each (or one row, if that is more) beside its result.

    References
    ----------
    Williams and Seeger 2001; Chen, Epperly, Tropp and Webber 2022 (arXiv 2207.06503); Epperly,
    Tropp and Webber 2024 (arXiv 2410.03969).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from ntkreg import NTKNystroem, cntk
    >>> X, y = load_digits(return_X_y=True)
    >>> features = NTKNystroem(cntk(2, "flatten"), image_shape=(8, 8, 1), random_state=0)
    >>> model = make_pipeline(features, LogisticRegression(C=100)).fit(X[:300] / 16, y[:300])
    >>> model.score(X[300:500] / 16, y[300:500]) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelTransformer._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "landmarks": [StrOptions({"uniform", "rpcholesky"})],
        "random_state": ["random_state"],
        "store": [str, os.PathLike, None],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        n_components: int = 100,
        landmarks: str = "uniform",
        get: str = "ntk",
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        dtype: Any = None,
        random_state: Any = None,
        store: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.n_components = n_components
        self.landmarks = landmarks
        self.get = get
        self.normalize = normalize
        self.symmetry = symmetry
        self.backend = backend
        self.image_shape = image_shape
        self.dtype = dtype
        self.random_state = random_state
        self.store = store
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "NTKNystroem":
        """Draw the landmarks and decompose their kernel.

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
        PlanError
            ``landmarks="rpcholesky"`` for more samples and landmarks than memory holds.
        """
        X = self._fit_kernel(self._read(X, reset=True))
        n_components = self._count(len(X))
        random = check_random_state(self.random_state)
        if self.landmarks == "uniform":
            chosen = random.permutation(len(X))[:n_components]
        else:
            chosen = self._pivots(X, n_components, random.randint(2**31 - 1))
        self.component_indices_ = chosen
        self.components_ = X[chosen]
        K = self._kernel(self.components_)
        precision = float(np.finfo(X.dtype).eps)  # of the arithmetic, also of "mixed"
        self.normalization_ = inverse_root(type(self).__name__, K, precision)
        self._n_features_out = n_components
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of samples.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            Samples of the shape seen in `fit`.

        Returns
        -------
        ndarray of shape (m, n_components)
            float32 or float64.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        self._check_like_fit(X, self.components_.shape[1:])
        k = len(self.components_)
        features = np.empty((len(X), k), self.components_.dtype)
        rows, n_jobs = max(1, CROSS_BYTES // (8 * k)), check_n_jobs(self.n_jobs)
        root = None
        for start in range(0, len(X), rows):
            cross = self._kernel(X[start : start + rows], self.components_)
            root = self.normalization_.astype(cross.dtype) if root is None else root
            part = features[start : start + rows]
            multiply_rows(cross, root, part, at_once=PRODUCT_ROWS, n_jobs=n_jobs)
        return features

    def _kernel(self, X: np.ndarray, Z: np.ndarray | None = None) -> np.ndarray:
        return kernel_in_store(self._spec(), X, Z, store=self.store, n_jobs=self.n_jobs)

    def _count(self, n_samples: int) -> int:
        if self.n_components > n_samples:
            warnings.warn(
                f"{type(self).__name__}: n_components={self.n_components} is more than the "
                f"{n_samples} samples there are, all of which become landmarks.",
                UserWarning,
                stacklevel=4,
            )
        return min(self.n_components, n_samples)

    def _pivots(self, X: np.ndarray, n_components: int, seed: int) -> np.ndarray:
        needed, free = 8 * len(X) * n_components, free_memory()
        if free is not None and needed > free:
            raise PlanError(
                f'{type(self).__name__}: landmarks="rpcholesky" needs {readable(needed)} for '
                f"{len(X)} samples and {n_components} landmarks; {readable(free)} are free. Fit on "
                'fewer samples (transform takes any), or use landmarks="uniform".'
            )
        diagonal = kernel_of(self._spec(), X, diag=True, n_jobs=self.n_jobs)

        def columns(rows: np.ndarray) -> np.ndarray:
            return self._kernel(X, X[rows])

        return pivoted_cholesky(columns, diagonal, n_components, np.random.default_rng(seed))
