"""`NTKFeatures`: random features of the kernels of dense networks."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ntkreg.architecture import Architecture
from ntkreg.arrays import as_dtype, refuse_infinite
from ntkreg.cpus import check_n_jobs, in_threads
from ntkreg.errors import SpecError
from ntkreg.estimators.transformer_base import NetworkTransformer
from ntkreg.kernels import kernel_dtype
from ntkreg.kernels.features import BLOCK, draw_features

__all__ = ["NTKFeatures"]


class NTKFeatures(NetworkTransformer):
    r"""Random features whose inner products are, on average, the NTK of a dense network.

    Features cost the same for every sample, whatever the number of samples: with `StreamingRidge`
    they make kernel regression linear in it. The error of an inner product, beside
    sqrt(K(x, x) K(z, z)), is some constant over sqrt(n_components), and the constant grows with
    the depth. For samples that nearly repeat it falls slower, as kappa0 has no slope there.

    Parameters
    ----------
    architecture : Architecture or None, default=None
        Dense layers and activations, such as ``fully_connected(2)``; None stands for
        ``fully_connected(3)``. All activations but `NormalizedGaussian` will do. Networks that
        read images are for `NTKNystroem`, see Notes.
    n_components : int, default=1024
        Features. A network without activations has exact ones, no more than inputs.
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel of the network.
    dtype : {"float32", "float64"} or None, default=None
        Of the arithmetic and the features. None: float64 for float64, float32 for X of uint8,
        float16 or float32.
    random_state : int, RandomState instance or None, default=None
        Draws the features. With the same one, a fit on any samples has the same features.
    n_jobs : int or None, default=None
        Threads, as in `NTKRegressor`. Values do not depend on it.

    Attributes
    ----------
    features_ : RandomFeatures
        Weights of all layers.
    architecture_ : Architecture
        The network used.
    n_features_in_ : int
        Features of a row; h * w * c for images, which are read as vectors.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    See Also
    --------
    NTKNystroem : Features from landmarks, of every kernel; nearer to it for their number.
    StreamingRidge : Ridge regression on features, a part of the samples at a time.

    Notes
    -----
    Algorithm 2 of Zandieh et al. 2021 with two changes that halve its cost and do not raise its
    variance. Arc-cosine features of order 1 and of order 0, phi and phi', use the same weights.
    And of the tensor product of phi' with the features of the NTK below each output takes one
    entry of the first and one coordinate of a random rotation of the second (a subsampled
    randomised Fourier transform), in place of a sketch of both. Means over draws are the kernel's
    but for O(1 / n_components). Half of the components are the last layer's phi.

    Where landmarks stand for the samples to come, `NTKNystroem` is nearer at less cost
    (benchmarks/features.md). Random features know no samples: no part of a stream is favoured,
    and nothing is decomposed.

    Cost: with m = n_components / 2, 2 m^2 flops a sample and hidden layer but the first, and
    4 m^2 bytes for its weights in float32.

    Features of convolutional kernels do not pay here: each pixel of each layer would need those
    2 m^2 flops nine times over. One image of 32 x 32 and five layers at m = 512 would cost 24
    Gflop, some tenths of a second, in which the exact kernel is computed with dozens of landmarks
    (global pooling) or ten thousands (flatten): use `NTKNystroem`. Gradients of a random network
    of finite width, features of another kind, come with an error a thousand times that of landmarks
    in the same time (benchmarks/features.md).

    References
    ----------
    Zandieh, Han, Avron, Shoham, Kim and Shin 2021 (arXiv 2106.07880), algorithm 2; Cho and Saul
    2009 (arc-cosine kernels); Ailon and Chazelle 2009 (randomised transforms).

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import NTKFeatures, fully_connected, kernel
    >>> X = np.random.default_rng(0).normal(size=(50, 10))
    >>> A = NTKFeatures(fully_connected(2), n_components=8192, random_state=0).fit_transform(X)
    >>> K = kernel(fully_connected(2), X)
    >>> bool(np.abs(A @ A.T - K).max() < 0.1 * K.max())
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "architecture": [Architecture, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "get": [StrOptions({"ntk", "nngp"})],
        "dtype": [StrOptions({"float32", "float64"}), type, np.dtype, None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    image_shape = None

    def __init__(
        self,
        architecture: Any = None,
        *,
        n_components: int = 1024,
        get: str = "ntk",
        dtype: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.n_components = n_components
        self.get = get
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "NTKFeatures":
        """Draw the features; of X only its shape and dtype count.

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
            Parameters out of range, NaN or infinity, shapes that do not fit (`ShapeError`); layers
            without features (`SpecError`).
        """
        X = self._read(X, reset=True)
        self.architecture_ = self._network(self.architecture)
        try:
            self.features_ = draw_features(
                self.architecture_,
                self.n_features_in_,
                n_components=int(self.n_components),
                get=self.get,
                seed=check_random_state(self.random_state).randint(2**31 - 1),
                dtype=kernel_dtype(X, self.dtype),
            )
        except SpecError as error:
            raise SpecError(f"{type(self).__name__}: {error}") from None
        self._n_features_out = self.features_.n_components
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of samples.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            Samples with as many features as in `fit`.

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
        name, features = type(self).__name__, self.features_
        X = self._read(X, reset=False)
        X = as_dtype(f"{name}: X", X.reshape(len(X), -1), features.dtype)
        values = np.empty((len(X), features.n_components), features.dtype)

        def compute(start: int) -> None:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                values[start : start + BLOCK] = features.block(X[start : start + BLOCK])

        in_threads(compute, range(0, len(X), BLOCK), check_n_jobs(self.n_jobs))
        return refuse_infinite(f"{name}: features", values)
