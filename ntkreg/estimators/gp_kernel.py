"""`NeuralTangentKernel`: the dense kernels as a kernel object of scikit-learn's processes."""

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntkreg.architecture import Architecture, fully_connected
from ntkreg.arrays import refuse_dates, refuse_masked
from ntkreg.errors import ShapeError, SpecError
from ntkreg.gram import kernel_of
from ntkreg.gram.gradient import kernel_gradient
from ntkreg.kernels import KernelSpec

__all__ = ["NeuralTangentKernel"]


class NeuralTangentKernel(Kernel):
    r"""NTK or NNGP of an infinitely wide fully connected network, for Gaussian processes.

    A kernel of `sklearn.gaussian_process`: give it to `GaussianProcessRegressor` or
    `GaussianProcessClassifier`, add, multiply and exponentiate it with others. It is the kernel
    of ``fully_connected(depth, weight_std=..., bias_std=..., activation=...)``: `depth` hidden
    layers, then a linear read-out with weights of variance 1 and no bias.

    Parameters
    ----------
    depth : int >= 0, default=3
        Number of hidden layers; not optimised.
    weight_std : float > 0, default=sqrt(2)
        Standard deviation of the hidden layers' weights. ReLU kernels grow like its power
        2 `depth`, so that it needs no `ConstantKernel` beside it.
    bias_std : float > 0, default=0.1
        Standard deviation of the hidden layers' biases; 0 is allowed if `bias_std_bounds` is
        "fixed".
    weight_std_bounds : pair of floats > 0 or "fixed", default=(0.1, 10)
        Least and greatest `weight_std`, or "fixed" to leave it. Wider bounds let the values of
        deep networks leave float64, which is an error.
    bias_std_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
        The same for `bias_std`.
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel. Only the NNGP is the prior of a network before training; a process with
        the NTK is regression with its kernel, whose deviations are not those of networks.
    activation : str or Activation, default="relu"
        As in `fully_connected`.
    n_jobs : int or None, default=None
        Threads; -1 for all cores, None for this process's share of them. Changes no bit.

    See Also
    --------
    ntkreg.kernel : The kernel as a matrix, of any network.
    NTKRegressor : Ridge regression with it.

    Notes
    -----
    The gradient by the logarithms of `weight_std` and `bias_std` is exact: closed forms, compiled
    with the kernel for ReLU, in NumPy for other activations. It is finite where rows of X repeat.
    All values are float64. Time of K and its gradient at n rows of d columns: a product of
    2 n^2 d / 2 flops, and some 10 ns a pair and ReLU layer; memory (1 + hyperparameters) n^2.

    Without biases `weight_std` is the scale of the kernel alone; `bias_std` near its lower
    bound means that the data ask for none: fix it at 0.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720); Rasmussen and
    Williams 2006, section 5.4, for what the gradient is for.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from ntkreg import NeuralTangentKernel
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * rng.normal(size=60)
    >>> model = GaussianProcessRegressor(NeuralTangentKernel(depth=2), alpha=0.01)
    >>> model.fit(X[:40], y[:40]).kernel_.get
    'ntk'
    >>> model.score(X[40:], y[40:]) > 0.9
    True
    """

    def __init__(
        self,
        depth: int = 3,
        weight_std: float = math.sqrt(2),
        bias_std: float = 0.1,
        *,
        weight_std_bounds: Any = (1e-1, 1e1),
        bias_std_bounds: Any = (1e-5, 1e5),
        get: str = "ntk",
        activation: Any = "relu",
        n_jobs: int | None = None,
    ) -> None:
        self.depth = depth
        self.weight_std = weight_std
        self.bias_std = bias_std
        self.weight_std_bounds = weight_std_bounds
        self.bias_std_bounds = bias_std_bounds
        self.get = get
        self.activation = activation
        self.n_jobs = n_jobs

    @property
    def hyperparameter_weight_std(self) -> Hyperparameter:
        """What optimisers see of `weight_std`."""
        return self._hyperparameter("weight_std")

    @property
    def hyperparameter_bias_std(self) -> Hyperparameter:
        """What optimisers see of `bias_std`."""
        return self._hyperparameter("bias_std")

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel of all pairs, and its gradient if asked for.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
        Y : array-like of shape (m, n_features) or None
            None for X with itself: half the work, exactly symmetric.
        eval_gradient : bool, default=False
            Whether to return the gradient too; Y must be None.

        Returns
        -------
        K : ndarray of shape (n, n) or (n, m), float64
        K_gradient : ndarray of shape (n, n, n_dims), float64
            Derivatives by `theta`, the logarithms of hyperparameters that are not fixed.

        Raises
        ------
        ValueError
            `eval_gradient` with a Y; parameters out of range; NaN or infinity; values that
            leave float64.
        """
        spec, X = self._spec(), _rows("X", X)
        if Y is not None:
            if eval_gradient:
                raise ValueError(
                    "NeuralTangentKernel: eval_gradient=True is of X with itself; leave Y at None."
                )
            return kernel_of(spec, X, _rows("Y", Y), n_jobs=self.n_jobs)
        if not eval_gradient:
            return kernel_of(spec, X, n_jobs=self.n_jobs)
        # In the order of `theta`.
        names = [each.name for each in self.hyperparameters if not each.fixed]
        return kernel_gradient(spec, X, names, n_jobs=self.n_jobs)

    def diag(self, X: Any) -> np.ndarray:
        """Return K(x, x) of each row of X, (n,), in O(n n_features).

        Parameters
        ----------
        X : array-like of shape (n, n_features)
        """
        return kernel_of(self._spec(), _rows("X", X), diag=True, n_jobs=self.n_jobs)

    def is_stationary(self) -> bool:
        """Return False: K(x, z) is no function of x - z."""
        return False

    def __repr__(self) -> str:
        stds = ((name, getattr(self, name)) for name in ("weight_std", "bias_std"))
        shown = [f"depth={self.depth}"]
        shown += [f"{k}={v:.3g}" if isinstance(v, Real) else f"{k}={v!r}" for k, v in stds]
        shown += [f"get={self.get!r}"] if self.get != "ntk" else []
        shown += [f"activation={self.activation!r}"] if self.activation != "relu" else []
        return f"{type(self).__name__}({', '.join(shown)})"

    def _hyperparameter(self, name: str) -> Hyperparameter:
        bounds = getattr(self, f"{name}_bounds")
        if not (isinstance(bounds, str) and bounds == "fixed"):
            _check_bounds(name, bounds)
            value = getattr(self, name)
            if not isinstance(value, Real) or value < 0:
                raise SpecError(f"NeuralTangentKernel: {name} must be a number > 0; got {value!r}.")
            if value == 0:
                raise SpecError(
                    f"NeuralTangentKernel: {name} must be > 0, as its logarithm is optimised; got "
                    f'0. Set {name}_bounds="fixed" to keep it, or start from a small value.'
                )
        return Hyperparameter(name, "numeric", bounds)

    def _spec(self) -> KernelSpec:
        try:
            network: Architecture = fully_connected(
                self.depth,
                weight_std=self.weight_std,
                bias_std=self.bias_std,
                activation=self.activation,
            )
        except SpecError as error:
            raise SpecError(f"NeuralTangentKernel: {error}") from None
        if self.get not in ("ntk", "nngp"):
            raise SpecError(f'NeuralTangentKernel: get must be "ntk" or "nngp"; got {self.get!r}.')
        return KernelSpec(network, get=self.get, dtype="float64")


def _check_bounds(name: str, bounds: Any) -> None:
    try:
        found = np.asarray(bounds, float)
    except (TypeError, ValueError):
        found = np.empty(0)
    pair = found.ravel() if found.size == 2 else np.full(2, np.nan)
    if not (np.isfinite(pair).all() and 0 < pair[0] <= pair[1]):
        raise SpecError(
            f'NeuralTangentKernel: {name}_bounds must be "fixed" or a pair of finite numbers, '
            f"0 < least <= greatest; got {bounds!r}."
        )


def _rows(name: str, X: Any) -> Any:
    """Return X as rows; one row of what is one-dimensional, as scikit-learn's kernels take it."""
    refuse_masked(f"NeuralTangentKernel: {name}", X)
    if hasattr(X, "toarray"):
        raise TypeError(
            f"NeuralTangentKernel: {name} must be a dense array; got a sparse one. Use "
            f"{name}.toarray()."
        )
    if hasattr(X, "columns"):
        refuse_dates(f"NeuralTangentKernel: {name}", X)
    try:
        X = np.atleast_2d(X)
    except ValueError:
        raise ShapeError(
            f"NeuralTangentKernel: {name} must have rows of one length, (n, n_features)."
        ) from None
    if X.ndim != 2:
        raise ShapeError(
            f"NeuralTangentKernel: {name} must have shape (n, n_features); got {X.shape}."
        )
    return X
