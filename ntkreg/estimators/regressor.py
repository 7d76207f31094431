"""`NTKRegressor`: kernel ridge regression with the kernel of an infinitely wide network."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ntkreg.estimators.kernel_base import SOLVER_CONSTRAINTS
from ntkreg.estimators.latent import LatentFunction
from ntkreg.estimators.tasks import Regression

__all__ = ["NTKRegressor"]


class NTKRegressor(Regression, LatentFunction):
    r"""Kernel ridge regression with the NTK or NNGP kernel of a network of infinite width.

    Fits :math:`f(x) = \bar y + \sum_j a_j K(x, x_j)`, where
    :math:`(K + \alpha W^{-1}) a = y - \bar y` with the sample weights W; the least of
    :math:`\sum_i w_i (y_i - \bar y - g(x_i))^2 + \alpha \|g\|_K^2`. With `alpha` towards
    0 and ``get="ntk"`` it is, without the random function at initialisation, the network
    of infinite width trained to the end by gradient descent on the squared loss; with
    ``get="nngp"`` the mean of the Gaussian-process posterior at noise variance `alpha`.

    Parameters
    ----------
    architecture : Architecture, callable or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, an `Architecture` given layer by
        layer, or the ``kernel_fn`` of a neural-tangents ``stax`` network. None stands for
        ``fully_connected(3)``. Search over a recipe's arguments as
        ``architecture__depth``, ``architecture__readout``, ...
    kernel : {"architecture", "precomputed"}, default="architecture"
        "precomputed": `fit` takes the Gram matrix (n, n) as X and `predict` the cross
        kernel (m, n), test rows first, such as `ntkreg.kernel` returns them, or values in a
        folder, ``open_gram(folder).values["ntk"]``, which are read when used; then leave
        `architecture`, `normalize`, `symmetry`, `backend` and `image_shape` at None (`get`
        and `dtype` play no part).
    get : {"ntk", "nngp"}, default="ntk"
        Which kernel of the network.
    alpha : float >= 0 or array-like of shape (n_targets,), default=1e-3
        Ridge added to the kernel's diagonal, in units of `alpha_scale`; an array holds one for
        each target, at a factorisation for each distinct one. The default copes
        with repeated rows in every dtype, whatever the scale of X and the network. 0
        interpolates and fails on repeated rows.
    alpha_scale : {"mean_diagonal", "absolute"}, default="mean_diagonal"
        "mean_diagonal": `alpha` counts in units of the mean of K's diagonal, so that it
        does not depend on the scale of X; which must not be zero everywhere. "absolute": in
        units of K, as in scikit-learn's `KernelRidge`.
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
    train_time : float >= 0 or None, default=None
        Time t at which gradient flow of the network stops, a regulariser as `alpha` is; None for
        the end, the ridge solution. Of one half the mean square over all entries of y, with
        `alpha` times the squared norm beside the squares: along an eigenvector of K with
        eigenvalue w, :math:`1 - e^{-(w + \alpha) t / s}` of the ridge solution is learnt, where s
        is the size of y (with weights, their sum times targets). With ``get="ntk"``, `alpha` 0
        and ``center_y=False`` it is the mean over initialisations of networks of infinite width
        trained for that time.
    train_steps : int >= 0 or None, default=None
        Steps of gradient descent in place of a time, at `learning_rate`.
    learning_rate : float > 0 or None, default=None
        Of `train_steps`; at most 2 s / (w + alpha) for the largest w, or descent diverges.
    solver : {"auto", "cholesky", "conjugate_gradient"}, default="auto"
        How the equations are solved. "cholesky": exactly, with one float64 matrix, 8 n^2 bytes.
        "conjugate_gradient": to a residual of `tol`, reading the Gram matrix once an iteration, so
        that it may lie in a folder (``kernel="precomputed"``) and be larger than the memory.
        "auto": Cholesky where that matrix fits into the free memory, else conjugate gradients.
        Deviations (`predict`) need a factor.
    tol : float in (0, 1), default=1e-6
        Of "conjugate_gradient": ||(K + alpha W^-1) a - y|| / ||y|| to reach for each target.
    store_covariance : bool, default=False
        Keep in `fit` what `predict` needs for `return_std` and `return_cov`: a factor of the Gram
        matrix, 8 n^2 bytes, and for ``get="ntk"`` the NNGP Gram, from the same pass as the NTK's.
        Without it the first such call computes them; a precomputed kernel needs it.
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
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        a above, float64.
    y_mean_ : float or ndarray of shape (n_targets,)
        What predictions are counted from; 0 if ``center_y=False``.
    X_fit_ : ndarray of shape (n_samples, n_features) or (n_samples, h, w, c)
        A copy of the training data, float32 or float64; None with a precomputed kernel.
    dtype_ : str or None
        The kernel's precision, "float32", "mixed" or "float64"; None if precomputed.
    architecture_ : Architecture or callable
        The network used; None with a precomputed kernel.
    kernel_ : callable or None
        ``kernel_(X, Z)``, the kernel used; None if precomputed.
    sample_weight_ : ndarray of shape (n_samples,) or None
        The weights of `fit`.
    log_marginal_likelihood_value_ : float
        What `log_marginal_likelihood` returns; only with ``get="nngp"``.
    output_scale_ : ndarray of shape () or (n_targets,)
        The s at which y is likeliest under a covariance s (K + alpha W^-1), which changes no
        prediction; only with ``get="nngp"``.
    solver_result_ : Solution
        The ridge in absolute units, condition estimate and residual of the solve; the residual
        after each iteration if it iterated.
    n_iter_ : int or None
        Iterations of the solve; None of Cholesky, which does not iterate.
    n_features_in_ : int
        Features of a row; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    Notes
    -----
    `fit` holds the Gram matrix in the kernel's dtype and what the solver needs beside it
    (float64), and takes O(n^3) after it. `predict` computes the cross kernel a batch of
    rows at a time, at most 128 MiB each (or one row, if that is more). Pickles unless
    `architecture` is a neural-tangents function.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Lee et al. 2018 (arXiv 1711.00165);
    Lee et al. 2019 (arXiv 1902.06720); Arora et al. 2019 (arXiv 1904.11955).

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import NTKRegressor, fully_connected
    >>> x = np.linspace(-1, 1, 21)
    >>> X = np.column_stack([x, np.ones(21)])  # a column of ones lets the lines bend anywhere
    >>> model = NTKRegressor(fully_connected(2)).fit(X, np.abs(x))
    >>> round(model.score(X, np.abs(x)), 2)
    1.0

    How sure it is, as the posterior of a Gaussian process, far from x and near to it:

    >>> model = NTKRegressor(fully_connected(2), get="nngp").fit(X, np.abs(x))
    >>> mean, std = model.predict([[0.5, 1.0], [20.0, 1.0]], return_std=True)
    >>> bool(std[0] < 0.03 < 1 < std[1])
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LatentFunction._parameter_constraints,
        **SOLVER_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "center_y": ["boolean"],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        kernel: str = "architecture",
        get: str = "ntk",
        alpha: Any = 1e-3,
        alpha_scale: str = "mean_diagonal",
        normalize: str | None = None,
        symmetry: str | None = None,
        backend: str | None = None,
        image_shape: tuple[int, int, int] | None = None,
        center_y: bool = True,
        train_time: float | None = None,
        train_steps: int | None = None,
        learning_rate: float | None = None,
        solver: str = "auto",
        tol: float = 1e-6,
        store_covariance: bool = False,
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
        self.center_y = center_y
        self.train_time = train_time
        self.train_steps = train_steps
        self.learning_rate = learning_rate
        self.solver = solver
        self.tol = tol
        self.store_covariance = store_covariance
        self.dtype = dtype
        self.store = store
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NTKRegressor":
        """Fit the dual coefficients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data; the Gram matrix (n_samples, n_samples) if precomputed.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0; a weight of 2 counts as the sample given twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Parameters out of range, NaN or infinity, shapes that do not fit (`ShapeError`).
        NotPSDError
            If the Gram matrix is not positive definite at this `alpha`.
        """
        X, y = self._read_targets(X, y)
        weights = self._weights(sample_weight, len(X))
        # Of weights over the largest: sums of huge ones overflow.
        shares = None if weights is None else weights / weights.max()
        self.y_mean_ = np.average(y, axis=0, weights=shares) if self.center_y else 0.0
        self._solve(X, y - self.y_mean_, weights)
        return self
