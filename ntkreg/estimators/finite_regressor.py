"""`FiniteNetworkRegressor`: trained networks of finite width, averaged."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context

from ntkreg.estimators.finite_base import FiniteNetworkEstimator
from ntkreg.estimators.tasks import Regression

__all__ = ["FiniteNetworkRegressor"]


class FiniteNetworkRegressor(Regression, FiniteNetworkEstimator):
    r"""Regression with an ensemble of trained networks of finite width.

    What `NTKRegressor` is the limit of: networks with the layers of `architecture`, trained
    on the squared loss from several random starts, whose outputs are averaged. As the width
    grows (``parametrization="ntk"``) and training goes on, the average over many networks
    tends to ``NTKRegressor(architecture, alpha=0)`` (Lee et al. 2019, eq. 14).

    Parameters
    ----------
    architecture : Architecture or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, or an `Architecture` given layer by
        layer. None stands for ``fully_connected(3)``. Search over a recipe's arguments as
        ``architecture__depth``, ``architecture__readout``, ...
    width : int, sequence of int or None, default=None
        Units or channels of the hidden layers: one number for all, or one for each layer
        with weights but the last (`ntkreg.finite.finite_network`). None: 128 units, or 32
        channels in networks that read images, where each acts on every pixel.
    parametrization : {"ntk", "standard", "mup"}, default="ntk"
        What multiplies weights and how they are drawn (`ntkreg.finite.scaling`).
    optimizer : str, default="momentum"
        ``gradient_descent``, ``sgd``, ``momentum``, ``nesterov``, ``rmsprop``, ``adam``,
        ``adagrad`` or ``adadelta``.
    learning_rate : float > 0 or "auto", default="auto"
        Of one step, for a loss that is a mean over samples. "auto": a tenth of the rate at which
        linearised training turns unstable (`ntkreg.finite.stable_learning_rate`), the least
        of all networks, from at most 128 samples; only for optimisers that have such a
        bound, the first four. In `mup` layers multiply it by their own rates.
    n_steps : int >= 0, default=200
        Steps, not epochs; at most, see `tol`.
    tol : float in [0, 1), default=1e-2
        Training stops when the networks have fitted: at the first step of `loss_steps_` at which
        the training loss of each is below `tol` times that of outputs that are all 0, that
        is, by default and with `standardize_y`, when each explains 99 % of the variance of y. 0:
        all of `n_steps`, as for the limit above.
    batch_size : int or None, default=None
        Samples of a step, drawn without replacement within an epoch. None for all; "sgd"
        needs a number, "gradient_descent" takes none.
    optimizer_options : dict or None, default=None
        The optimiser's own settings, e.g. ``{"momentum": 0.95}``.
    n_networks : int, default=4
        Networks, each from its own start and with its own batches, trained together.
    standardize_y : bool, default=True
        Train on y less its mean over its standard deviation, both undone in predictions:
        the networks have no intercept, and their outputs are about 1 at the start.
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read. Not needed if X
        comes as (n, h, w, c), or for a dense network.
    dtype : {"float32", "float64"} or None, default=None
        Of parameters and arithmetic. None: float64, or float32 for X of uint8, float16 or
        float32.
    random_state : int, RandomState instance or None, default=None
        Of the starts and batches. Pass an int for the same networks in every `fit`.

    Attributes
    ----------
    network_ : FiniteNetwork
        The network, without parameters.
    params_ : nested tuples and dicts of ndarray
        Trained parameters, networks as the first axis of every array; see `FiniteNetwork`.
    learning_rate_ : float
        The rate used.
    n_steps_ : int
        Steps done.
    loss_steps_ : ndarray of shape (n_observed,)
        Steps, evenly spaced on a log axis, at which the loss was looked at; up to `n_steps_`.
    loss_curve_ : ndarray of shape (n_observed, n_networks)
        Training loss then, :math:`\frac{1}{2n}\sum_i \|f(x_i) - y_i\|^2` of standardised y.
    y_mean_, y_scale_ : float or ndarray of shape (n_targets,)
        What predictions are counted from, and their unit; 0 and 1 unless `standardize_y`.
    seeds_ : ndarray of shape (n_networks,)
        ``network_.init(seed)`` is a network's start.
    architecture_ : Architecture
        The layers used.
    n_features_in_ : int
        Features of a row; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    See Also
    --------
    NTKRegressor : The limit of infinite width.
    ntkreg.finite.train : Training with observers, checkpoints and any seeds.

    Notes
    -----
    Standardise X: outputs at the start grow with it, and what training does not remove of
    them stays in predictions, smaller by the root of `n_networks`.

    The first fit of a network on data of a new shape is compiled, in a second or two;
    memory is that of parameters and of one batch through all networks. Parameters and the
    estimator itself pickle as NumPy arrays.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720); Yang and Hu 2021 (arXiv 2011.14522) for `mup`;
    Lakshminarayanan et al. 2017 (arXiv 1612.01474) for averaging.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import FiniteNetworkRegressor, fully_connected
    >>> x = np.linspace(-1, 1, 21)
    >>> X = np.column_stack([x, np.ones(21)])  # a column of ones lets the lines bend anywhere
    >>> model = FiniteNetworkRegressor(fully_connected(1), random_state=0).fit(X, np.abs(x))
    >>> model.score(X, np.abs(x)) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FiniteNetworkEstimator._parameter_constraints,
        "standardize_y": ["boolean"],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        width: Any = None,
        parametrization: str = "ntk",
        optimizer: str = "momentum",
        learning_rate: Any = "auto",
        n_steps: int = 200,
        tol: float = 1e-2,
        batch_size: int | None = None,
        optimizer_options: dict[str, float] | None = None,
        n_networks: int = 4,
        standardize_y: bool = True,
        image_shape: tuple[int, int, int] | None = None,
        dtype: Any = None,
        random_state: Any = None,
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.parametrization = parametrization
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.n_steps = n_steps
        self.tol = tol
        self.batch_size = batch_size
        self.optimizer_options = optimizer_options
        self.n_networks = n_networks
        self.standardize_y = standardize_y
        self.image_shape = image_shape
        self.dtype = dtype
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "FiniteNetworkRegressor":
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0: the loss, and the mean and deviation of y, are weighted means. Without
            batches a weight of 2 counts as the sample given twice. Batches are drawn as without
            weights, from samples whose weight is positive; their losses are weighted.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Parameters out of range, NaN or infinity, shapes that do not fit (`ShapeError`).
        DivergenceError
            If the learning rate is too high; names the stable one.
        """
        X, y = self._read_targets(X, y)
        weights = self._weights(sample_weight, len(y))
        self.y_mean_: Any = 0.0
        self.y_scale_: Any = 1.0
        if self.standardize_y:
            self.y_mean_, spread = _mean_and_deviation(y, weights)
            # Rounding of a constant is no spread.
            constant = spread <= 10 * np.finfo(np.float64).eps * np.abs(self.y_mean_)
            self.y_scale_ = np.where(constant, 1.0, spread)
        targets = (y - self.y_mean_) / self.y_scale_
        self._train(X, targets.reshape(len(y), -1), "squared", weights)
        self._one_target = y.ndim == 1
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the targets of new samples: the mean over the networks.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples, of the shape seen in `fit`.

        Returns
        -------
        ndarray of shape (m,) or (m, n_targets)
            float64.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        return self.predict_networks(X).mean(axis=0)

    def predict_networks(self, X: Any) -> np.ndarray:
        """Predict with every network alone; parameters and errors of `predict`.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples.

        Returns
        -------
        ndarray of shape (n_networks, m) or (n_networks, m, n_targets)
            float64.
        """
        outputs = self._outputs(X)
        if self._one_target:
            outputs = outputs[:, :, 0]
        return outputs * self.y_scale_ + self.y_mean_


def _mean_and_deviation(y: np.ndarray, weights: np.ndarray | None) -> tuple[Any, Any]:
    if weights is None or weights.min() == weights.max():
        return y.mean(axis=0), y.std(axis=0)
    shares = weights / weights.max()  # sums of huge ones overflow
    mean = np.average(y, axis=0, weights=shares)
    return mean, np.sqrt(np.average(np.square(y - mean), axis=0, weights=shares))
