"""`FiniteNetworkClassifier`: trained networks of finite width, averaged."""

from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp
from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ntkreg.estimators.finite_base import FiniteNetworkEstimator
from ntkreg.estimators.labels import code_labels, decode_labels, weigh_classes
from ntkreg.estimators.tasks import Classification

__all__ = ["FiniteNetworkClassifier"]


def _gives_probabilities(estimator: Any) -> bool:
    if estimator.loss == "cross_entropy":
        return True
    raise AttributeError(
        f"{type(estimator).__name__}: only networks trained with loss='cross_entropy' give "
        f"probabilities; got loss={estimator.loss!r}. decision_function has their outputs."
    )


class FiniteNetworkClassifier(Classification, FiniteNetworkEstimator):
    r"""Classification with an ensemble of trained networks of finite width.

    With ``loss="squared"`` what `NTKClassifier` is the limit of: class c of k is coded as
    :math:`e_c - 1/k`, one output a class (two classes: one output, -1/2 and 1/2), and the
    outputs of the networks are averaged. With ``loss="cross_entropy"`` the usual softmax
    networks, whose probabilities are averaged (Lakshminarayanan et al. 2017).

    Parameters
    ----------
    architecture : Architecture or None, default=None
        The network: a recipe such as ``cntk(depth=5)``, or an `Architecture` given layer by
        layer. None stands for ``fully_connected(3)``. Search over a recipe's arguments as
        ``architecture__depth``, ``architecture__readout``, ...
    width : int, sequence of int or None, default=None
        Units or channels of the hidden layers. None: 128 units, or 32 channels in networks
        that read images.
    parametrization : {"ntk", "standard", "mup"}, default="ntk"
        What multiplies weights and how they are drawn.
    loss : {"squared", "cross_entropy"}, default="squared"
        What is trained on; see above.
    optimizer : str, default="momentum"
        As in `FiniteNetworkRegressor`.
    learning_rate : float > 0 or "auto", default="auto"
        "auto": a tenth of the stable rate, as in `FiniteNetworkRegressor`.
    n_steps : int >= 0, default=200
        Steps, not epochs; at most, see `tol`.
    tol : float in [0, 1), default=1e-2
        Training stops when the networks have fitted: at the first step of `loss_steps_` at which
        the training loss of each is below `tol` times that of outputs that are all 0. 0: all
        of `n_steps`.
    batch_size : int or None, default=None
        Samples of a step; None for all.
    optimizer_options : dict or None, default=None
        The optimiser's own settings, e.g. ``{"momentum": 0.95}``.
    class_weight : dict, "balanced" or None, default=None
        What the weight of each sample is multiplied with, by class: of a dict the number, 1 for
        classes it leaves out; "balanced" gives all classes the same sum of weights.
    n_networks : int, default=4
        Networks, each from its own start and with its own batches, trained together.
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
    classes_ : ndarray of shape (n_classes,)
        The labels seen in `fit`, sorted.
    network_, params_, learning_rate_, n_steps_, loss_steps_, loss_curve_, seeds_,
    architecture_, n_features_in_, feature_names_in_
        As in `FiniteNetworkRegressor`; the loss is `loss`.

    See Also
    --------
    NTKClassifier : The limit of infinite width, for the squared loss.
    FiniteNetworkRegressor : Where learning rate, memory and cost are described.

    References
    ----------
    Arora et al. 2019 (arXiv 1904.11955), section 6, for the coding of labels;
    Lakshminarayanan et al. 2017 (arXiv 1612.01474) for averaged probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ntkreg import FiniteNetworkClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X.astype("float32") / 16
    >>> model = FiniteNetworkClassifier(random_state=0).fit(X[:200], y[:200])
    >>> model.score(X[200:300], y[200:300]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FiniteNetworkEstimator._parameter_constraints,
        "loss": [StrOptions({"squared", "cross_entropy"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        width: Any = None,
        parametrization: str = "ntk",
        loss: str = "squared",
        optimizer: str = "momentum",
        learning_rate: Any = "auto",
        n_steps: int = 200,
        tol: float = 1e-2,
        batch_size: int | None = None,
        optimizer_options: dict[str, float] | None = None,
        class_weight: Any = None,
        n_networks: int = 4,
        image_shape: tuple[int, int, int] | None = None,
        dtype: Any = None,
        random_state: Any = None,
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.parametrization = parametrization
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.n_steps = n_steps
        self.tol = tol
        self.batch_size = batch_size
        self.optimizer_options = optimizer_options
        self.class_weight = class_weight
        self.n_networks = n_networks
        self.image_shape = image_shape
        self.dtype = dtype
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "FiniteNetworkClassifier":
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            Training data.
        y : array-like of shape (n_samples,)
            Labels of any kind: integers, strings, booleans; at least two classes.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0 of the samples in the loss, as in `FiniteNetworkRegressor`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Fewer than two classes, parameters out of range, NaN or infinity, shapes that
            do not fit (`ShapeError`).
        DivergenceError
            If the learning rate is too high; names the stable one.
        """
        X, codes, weights = self._read_labelled(X, y, sample_weight)
        n_classes, name = len(self.classes_), type(self).__name__
        weights = weigh_classes(name, self.class_weight, self.classes_, codes, weights)
        if self.loss == "squared":
            targets = code_labels(codes, n_classes).reshape(len(X), -1)
        else:
            targets = np.eye(n_classes)[codes]
        self._train(X, targets, self.loss, weights)
        self._fitted_loss = self.loss
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return how much the networks together are for each class.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples, of the shape seen in `fit`.

        Returns
        -------
        ndarray of shape (m,) for two classes, positive for ``classes_[1]``; else (m, n_classes)
            float64. Squared loss: the mean output. Cross-entropy: the logarithm of the mean
            probability, for two classes the log odds.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        outputs = self._outputs(X)
        if self._fitted_loss == "squared":
            values = outputs.mean(axis=0)
            return values[:, 0] if len(self.classes_) == 2 else values
        values = _log_probabilities(outputs)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def predict_networks(self, X: Any) -> np.ndarray:
        """Predict with every network alone; parameters and errors of `decision_function`.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples.

        Returns
        -------
        ndarray of shape (n_networks, m)
            Labels out of ``classes_``.
        """
        return decode_labels(self._outputs(X), self.classes_)

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, the mean of the networks'; with cross-entropy only.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples.

        Returns
        -------
        ndarray of shape (m, n_classes)
            float64, rows sum to 1.
        """
        return np.exp(self.predict_log_proba(X))

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, exact where that underflows.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples.

        Returns
        -------
        ndarray of shape (m, n_classes)
            float64.
        """
        check_is_fitted(self)
        if self._fitted_loss != "cross_entropy":
            raise ValueError(
                f"{type(self).__name__}: was fitted with loss={self._fitted_loss!r}, which gives "
                "no probabilities. Fit again."
            )
        return _log_probabilities(self._outputs(X))


def _log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return the log of the mean softmax over the first axis."""
    logs = outputs - logsumexp(outputs, axis=-1, keepdims=True)
    return logsumexp(logs, axis=0) - np.log(len(logs))
