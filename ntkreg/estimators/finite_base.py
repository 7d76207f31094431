"""What the two estimators of finite networks share: parameters, training, outputs."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ntkreg import finite
from ntkreg.architecture import Architecture
from ntkreg.arrays import refuse_infinite
from ntkreg.errors import DivergenceError, ShapeError
from ntkreg.estimators.network_base import NetworkEstimator
from ntkreg.kernels import kernel_dtype

__all__ = ["BOUND_ROWS", "OPTIMIZERS", "FiniteNetworkEstimator"]

OPTIMIZERS = {
    "gradient_descent": True,
    "sgd": True,
    "momentum": True,
    "nesterov": True,
    "rmsprop": False,
    "adam": False,
    "adagrad": False,
    "adadelta": False,
}
"""Every optimiser of `ntkreg.finite.Training`, and whether "auto" knows a rate for it."""

WIDTHS = {"vector": 128, "image": 32}
"""Default width by what a network reads. A channel has weights for each pair of channels that
act on every pixel of every image: 128 of them take a minute where 32 take seconds."""

BOUND_ROWS = 128
"""Samples, at most, from which "auto" finds the stable learning rate."""

_FRACTION = 0.1
"""Of the stable learning rate: the kernel of a narrow network grows several times in training.
With 16 units in one hidden layer half of the bound diverged in 6 of 12 cases, a quarter in 1."""


class FiniteNetworkEstimator(NetworkEstimator):
    """Base of `FiniteNetworkRegressor` and `FiniteNetworkClassifier`, documented there."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **NetworkEstimator._parameter_constraints,
        "architecture": [Architecture, None],
        "width": [Interval(Integral, 1, None, closed="left"), list, tuple, None],
        "parametrization": [StrOptions({"ntk", "standard", "mup"})],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "optimizer_options": [dict, None],
        "n_networks": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "dtype": [StrOptions({"float32", "float64"}), type, np.dtype, None],
        "random_state": ["random_state"],
    }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Models pickled before there was a `tol` were trained to the end.
        super().__setstate__({"tol": 0.0, **state})

    def _train(
        self, X: np.ndarray, targets: np.ndarray, loss: str, weights: np.ndarray | None
    ) -> None:
        """Train the networks on targets (n, n_outputs) and keep them as NumPy arrays."""
        name = type(self).__name__
        if weights is not None:
            counts = weights > 0
            X, targets, weights = X[counts], targets[counts], weights[counts]
            if self.batch_size is not None and self.batch_size > len(X):
                raise ValueError(
                    f"{name}: batch_size is {self.batch_size}, but {len(X)} of {len(counts)} "
                    "samples have a positive sample_weight. Use smaller batches, or None."
                )
            if weights.min() == weights.max():
                weights = None
        self.architecture_ = self._network(self.architecture)
        auto = self.learning_rate == "auto"
        # With the rate still unknown, so that wrong settings are refused before any work.
        training = self._training(1.0 if auto else self.learning_rate, loss)
        X = self._samples(X)
        dtype = kernel_dtype(X, self.dtype)
        self.network_ = finite.finite_network(
            self.architecture_,
            X.shape[1:],
            width=WIDTHS[self.architecture_.reads] if self.width is None else self.width,
            n_outputs=targets.shape[1],
            parametrization=self.parametrization,
        )
        # Before their seeds are listed.
        self.network_.check_memory(name, self.n_networks, dtype, 1)
        rng = check_random_state(self.random_state)
        # Neighbours have streams as different as any two seeds.
        first = int(rng.randint(2**31 - self.n_networks))
        seeds = range(first, first + self.n_networks)
        self.seeds_ = np.array(seeds)
        if auto:
            distinct, repeats = _distinct(X, weights)
            rows = rng.permutation(len(distinct))[:BOUND_ROWS]
            repeats = None if repeats is None else repeats[rows]
            rate = self._stable_rate(distinct[rows], repeats, seeds, dtype, training)
            training = self._training(rate, loss)
        try:
            run = finite.train(
                self.network_,
                training,
                X,
                targets,
                sample_weight=weights,
                seeds=seeds,
                dtype=dtype,
                observers={"loss": finite.ObserveLossUntil(float(self.tol))},
            )
        except DivergenceError as error:
            raise DivergenceError(f"{name}: {error}") from None
        self.learning_rate_ = training.learning_rate
        self.params_ = _as_numpy(run.params)
        self.n_steps_ = int(run.steps[-1])
        self.loss_steps_ = run.steps
        self.loss_curve_ = run.observed["loss"].astype(np.float64)

    def _training(self, rate: float, loss: str) -> Any:
        if self.learning_rate == "auto" and not OPTIMIZERS[self.optimizer]:
            raise ValueError(
                f'{type(self).__name__}: learning_rate="auto" is a fraction of the stable rate of '
                f"gradient descent; {self.optimizer} divides by the size of gradients and has "
                "none. Give a number, such as 1e-3 (standard, mup) or 1e-2 (ntk)."
            )
        return finite.Training(
            rate,
            self.n_steps,
            self.optimizer,
            loss,
            self.batch_size,
            self.optimizer_options or {},
        )

    def _stable_rate(
        self,
        X: np.ndarray,
        weights: np.ndarray | None,
        seeds: Sequence[int],
        dtype: np.dtype,
        training: Any,
    ) -> float:
        """Return the learning rate that is safe for every network at its start."""
        params = _as_numpy(self.network_.init_seeds(seeds, dtype))
        bound = min(
            finite.stable_learning_rate(self.network_, _pick(params, i), X, training, weights)
            for i in range(self.n_networks)
        )
        # Infinite if outputs do not depend on any parameter, such as on black images.
        return _FRACTION * bound if math.isfinite(bound) else 1.0

    def _samples(self, X: np.ndarray) -> np.ndarray:
        """Return X as the network reads it: images, or rows."""
        if self.architecture_.reads == "vector":
            return X.reshape(len(X), -1)
        if X.ndim != 4:
            raise ShapeError(
                f"{type(self).__name__}: {self.architecture_!r} reads images (n, h, w, c); got X "
                f"of shape {X.shape}. Pass image_shape=(h, w, c), or X in four dimensions."
            )
        return X

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what every network gives, (n_networks, m, n_outputs), as float64."""
        check_is_fitted(self)
        X = self._samples(self._read(X, reset=False))
        self._check_like_fit(X, self.network_.shape)
        outputs = self.network_.predict_seeds(self.params_, X)
        return refuse_infinite(f"{type(self).__name__}: outputs", outputs).astype(np.float64)


def _distinct(X: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows that differ, and the sum of weights of each; None if all sums are equal.

    The power iteration behind the stable rate starts at random and ends near the eigenvalue: of
    a row that stands twice and one of twice the weight it would give two numbers.
    """
    flat = np.ascontiguousarray(X.reshape(len(X), -1)) + X.dtype.type(0)  # -0 is 0
    rows = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    sums = np.bincount(which.ravel(), weights).astype(float)
    if sums.min() == sums.max():
        return X[np.sort(first)], None
    return X[first], sums


def _as_numpy(params: Any) -> Any:
    """Return nested parameters with NumPy arrays as leaves, which pickle without JAX."""
    if isinstance(params, dict):
        return {name: np.asarray(value) for name, value in params.items()}
    return tuple(_as_numpy(part) for part in params)


def _pick(params: Any, index: int) -> Any:
    """Return the parameters of one network out of stacked ones."""
    if isinstance(params, dict):
        return {name: value[index] for name, value in params.items()}
    return tuple(_pick(part, index) for part in params)
