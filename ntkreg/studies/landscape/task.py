"""What all pieces of the landscape study share: data, networks, learning rates."""

import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.architecture import Architecture, Dense, Erf, Identity, Residual, fully_connected
from ntkreg.data import balanced_draws, fingerprint_arrays, load_data
from ntkreg.errors import SpecError
from ntkreg.gram import kernel_in_store
from ntkreg.kernels import KernelSpec
from ntkreg.studies.landscape.config import GAUSSIAN, LandscapeConfig

__all__ = ["Task", "load_task", "network_of"]

_TEACHER_WIDTH = 4
_DEEPEST = 3
"""Hidden layers of questions beside the grid."""

PER_DECADE = 32
"""Observations of a decade of steps: losses at a level scatter by the distance of two."""

_ODD_DIGITS = (1, 3, 5, 7, 9)


@dataclass(frozen=True, eq=False)
class Task:
    """Data of one study, in float64.

    Attributes
    ----------
    config : LandscapeConfig
    X, X_test : ndarray (n, d), (m, d)
    y, y_test : ndarray (n,), (m,)
    source : str
        Where they come from.
    store : path or None
        Folder in which analytic kernels are found or kept.
    """

    config: LandscapeConfig
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    source: str
    store: str | os.PathLike[str] | None = None

    @property
    def sha256(self) -> str:
        """Of all data."""
        parts = (self.X, self.y, self.X_test, self.y_test)
        return fingerprint_arrays(*parts)

    def kernel(self, depth: int, X: np.ndarray, Z: np.ndarray | None = None) -> np.ndarray:
        """Return the analytic NTK of a depth, whose inputs need not be the task's."""
        return np.asarray(kernel_in_store(KernelSpec(network_of(depth)), X, Z, store=self.store))

    @cached_property
    def kernel_eigenvalues(self) -> dict[int, float]:
        """Largest eigenvalue of the analytic NTK over the number of points, by depth."""
        found = {}
        for depth in {*range(1, _DEEPEST + 1), *self.config.depths}:
            top = np.linalg.eigvalsh(self.kernel(depth, self.X))[-1]
            found[depth] = float(top) / len(self.X)
        return found

    def rate(self, depth: int) -> float:
        """Return the learning rate of a depth, the same for all widths."""
        return self.config.rate * 2 / self.kernel_eigenvalues[depth]

    @cached_property
    def inverse_kernels(self) -> dict[int, np.ndarray]:
        """Inverses of the analytic NTK, by depth."""
        found = {}
        for depth in self.config.depths:
            found[depth] = np.linalg.inv(self.kernel(depth, self.X))
        return found

    @property
    def middle(self) -> int:
        """Width of questions at one width."""
        return self.config.widths[len(self.config.widths) // 2]

    @cached_property
    def kernel_test_losses(self) -> dict[int, float]:
        """Test loss of the analytic NTK's interpolation, over that of zero outputs, by depth."""
        found = {}
        for depth in self.config.depths:
            cross = self.kernel(depth, self.X_test, self.X)
            left = self.y_test - cross @ self.inverse_kernels[depth] @ self.y
            found[depth] = float(np.square(left).mean() / np.square(self.y_test).mean())
        return found

    def network(self, depth: int, width: Any, *, n_outputs: int = 1) -> Any:
        """Return the finite network of a depth and a width, or widths by layer."""
        return finite.finite_network(
            network_of(depth), self.X.shape[1:], width=width, n_outputs=n_outputs
        )

    def descend(
        self,
        network: Any,
        rate: float,
        *,
        X: Any = None,
        y: Any = None,
        params: Any = None,
        seeds: Any = None,
        **training: Any,
    ) -> tuple[Any, Any]:
        """Train until every network is at the least level; return the run and all its levels.

        Parameters
        ----------
        network : Network
        rate : float
        X, y : array, default=None
            None for the task's own.
        params : stacked parameters, default=None
            Starts; None for those of the seeds.
        seeds : sequence of int, default=None
            None for the first ones, as many as the configuration says.
        training : of `ntkreg.finite.Training`
        """
        from ntkreg.landscape import ObserveLevels

        config = self.config
        watch = ObserveLevels(config.levels)
        run = finite.train(
            network,
            finite.Training(rate, config.max_steps, **training),
            self.X if X is None else X,
            self.y if y is None else y,
            seeds=range(config.n_seeds) if seeds is None else seeds,
            params=params,
            dtype="float64",
            observers={"loss": watch},
            observe_at=finite.log_steps(config.max_steps, PER_DECADE),
            progress=False,
        )
        return run, watch.found

    def surface(self, network: Any, params: Any) -> Any:
        """Return the training surface of stacked parameters."""
        from ntkreg.landscape import LossSurface

        return LossSurface(network, params, self.X, self.y)


@lru_cache
def network_of(depth: int, kind: str = "erf") -> Architecture:
    """Return a network of a number of hidden layers.

    Parameters
    ----------
    depth : int
    kind : {"erf", "linear", "skip", "scaled skip"}
        skip: every hidden layer but the first is the body of a residual block; scaled: bodies
        count one over the square root of their number, as layers do that leave sizes as they are.
    """
    if kind == "linear":
        return fully_connected(depth, weight_std=1.0, activation=Identity())
    if kind == "erf":
        return fully_connected(depth, bias_std=0.1, activation=Erf())
    scale = 1.0 if kind == "skip" else (depth - 1) ** -0.5
    body = Dense(scale * Dense().weight_std, 0.1)
    blocks = [Residual((Erf(), body)) for _ in range(depth - 1)]
    return Architecture((Dense(bias_std=0.1), *blocks, Erf(), Dense(1.0)))


def load_task(config: LandscapeConfig, store: str | os.PathLike[str] | None = None) -> Task:
    """Draw or read the data; with a `store` kernels are found or kept there.

    Raises
    ------
    SpecError, DataError
        If labels, numbers of inputs or sizes are not there.
    """
    if config.surface == GAUSSIAN:
        return _drawn(config, store)
    data = load_data(config.surface)
    positive = config.positive or _ODD_DIGITS
    labels = np.unique(data.y_train)
    if set(labels.tolist()) <= set(positive) or not set(positive) & set(labels.tolist()):
        raise SpecError(
            f"positive must be some, not all, of the labels {labels.tolist()} of {config.surface}, "
            f"so that targets are of two classes; got {list(positive)}."
        )
    if config.n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {config.n_test}.")
    y, y_test = (np.where(np.isin(t, positive), 1.0, -1.0) for t in (data.y_train, data.y_test))
    rows = balanced_draws(y, config.n_train - config.n_train % 2, 1, config.seed)[0]
    X, X_test = data.X_train.reshape(len(y), -1), data.X_test.reshape(len(y_test), -1)
    X, X_test = X[rows].astype(float), X_test[: config.n_test].astype(float)
    if config.n_features > min(X.shape):
        raise SpecError(
            f"n_features must be at most {min(X.shape)} here, the principal components of "
            f"{X.shape[0]} inputs of {X.shape[1]} numbers; got {config.n_features}."
        )
    centre = X.mean(axis=0)
    axes = np.linalg.svd(X - centre, full_matrices=False)[2][: config.n_features]
    X, X_test = (X - centre) @ axes.T, (X_test - centre) @ axes.T
    size = np.sqrt(np.square(X).mean())
    tests = X_test / size, y_test[: config.n_test]
    return Task(config, X / size, y[rows], *tests, config.surface, store)


def _drawn(config: LandscapeConfig, store: str | os.PathLike[str] | None) -> Task:
    rng = np.random.default_rng(config.seed)
    X = rng.normal(size=(config.n_train + config.n_test, config.n_features))
    network = finite.finite_network(network_of(1), X.shape[1:], width=_TEACHER_WIDTH)
    y = network.predict(network.init(config.seed, "float64"), X)[:, 0]
    n = config.n_train
    y = (y - y[:n].mean()) / y[:n].std()
    return Task(config, X[:n], y[:n], X[n:], y[n:], GAUSSIAN, store)
