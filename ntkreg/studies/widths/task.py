"""What all networks of the width study share: data, analytic kernels, learning rate."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.data import ImageData, balanced_draws, downscale_images, load_data
from ntkreg.errors import SpecError
from ntkreg.finite.scaling import Parametrization
from ntkreg.kernels import KernelSpec
from ntkreg.studies.shared.kernels import kernel_values
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.widths.config import WidthsConfig, network_of

__all__ = ["Ensemble", "WidthData", "WidthTask", "load_width_data", "make_task"]

REFERENCE_WIDTH = 256
"""Width at which the stable rate of `mup` is looked up: it has no analytic kernel."""

REFERENCE_DRAWS = 4

_EVER = 1e10
"""Time, in units of the fastest direction's, after which training is over: directions that are
slower by more than that are rounding."""


@dataclass(frozen=True, eq=False)
class WidthData:
    """Inputs as networks of one study get them.

    Attributes
    ----------
    X, X_test : ndarray (n, *shape), (m, *shape), float64
    y, y_test : ndarray (n,), (m,)
        +1 and -1.
    source : ImageData
        Where they come from.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    source: ImageData


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Mean and variance over starts, (m,) each, that a formula predicts for test outputs."""

    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False)
class WidthTask:
    """One depth and parametrisation of the study.

    Attributes
    ----------
    data : WidthData
    depth : int
    parametrization : {"ntk", "mup"}
    training : Training
    nngp, ntk : ndarray (n + m, n) or None
        Analytic kernels of training and test inputs with training inputs; None in `mup`,
        whose limit they are not.
    ensembles : dict of str to Ensemble
        "ntk": the NTK-GP after `training`; "nngp": the NNGP's posterior; "nngp stopped":
        the NNGP at the time at which its mean is nearest to that of "ntk". Empty in `mup`.
    """

    data: WidthData
    depth: int
    parametrization: Parametrization
    training: Any
    nngp: np.ndarray | None
    ntk: np.ndarray | None
    ensembles: dict[str, Ensemble]


def load_width_data(config: WidthsConfig) -> WidthData:
    """Load, downscale, draw and standardise the data of a study.

    Raises
    ------
    SpecError, DataError
        If labels, numbers of images or sizes are not there.
    """
    data = load_data(config.data)
    labels = np.unique(data.y_train)
    missing = sorted(set(config.positive) - set(labels.tolist()))
    if missing or len(config.positive) == len(labels):
        raise SpecError(
            f"positive must be some, not all, of the labels {labels.tolist()} of {config.data}; "
            f"got {list(config.positive)}."
        )
    if config.n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {config.n_test}.")
    y, y_test = (
        np.where(np.isin(t, config.positive), 1.0, -1.0) for t in (data.y_train, data.y_test)
    )
    chosen = balanced_draws(y, config.n_train, 1, config.seed)[0]
    # In random order: heads of the training set are used too.
    chosen = np.random.default_rng(config.seed).permutation(chosen)
    X, X_test = data.X_train[chosen], data.X_test[: config.n_test]
    if config.downscale is not None:
        X, X_test = (downscale_images(A, config.downscale) for A in (X, X_test))
    X, X_test = X.astype(float), X_test.astype(float)
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is not None:
        X, X_test = scaler.fit_transform(X), scaler.transform(X_test)
    if network_of(config, config.depths[0]).reads == "vector":
        X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    return WidthData(X, y[chosen], X_test, y_test[: config.n_test], data)


def make_task(
    config: WidthsConfig,
    data: WidthData,
    depth: int,
    parametrization: Any,
    store: str | os.PathLike[str] | None = None,
) -> WidthTask:
    """Compute the analytic kernels of one depth, its learning rate and its ensembles.

    With a `store` kernels are found or kept there.
    """
    n = len(data.X)
    if parametrization == "mup":
        rate = config.rate * _stable_rate_of_mup(config, data, depth)
        training = finite.Training(rate, config.n_steps)
        return WidthTask(data, depth, parametrization, training, None, None, {})
    everything = np.concatenate([data.X, data.X_test])
    network = network_of(config, depth)
    # Test with test inputs too: their variances need them.
    spec = KernelSpec(network, get=("nngp", "ntk"), dtype="float64")
    kernels = kernel_values(spec, everything, store=store)
    nngp, ntk = kernels["nngp"], kernels["ntk"]
    rate = config.rate * 2 * n / float(np.linalg.eigvalsh(ntk[:n, :n])[-1])
    ensembles = _ensembles(nngp, ntk, data.y, rate, config.n_steps)
    training = finite.Training(rate, config.n_steps)
    return WidthTask(data, depth, parametrization, training, nngp[:, :n], ntk[:, :n], ensembles)


def _stable_rate_of_mup(config: WidthsConfig, data: WidthData, depth: int) -> float:
    network = finite.finite_network(
        network_of(config, depth), data.X.shape[1:], width=REFERENCE_WIDTH, parametrization="mup"
    )
    once = finite.Training(1.0, 1)
    return float(
        np.mean(
            [
                finite.stable_learning_rate(network, network.init(seed), data.X, once)
                for seed in range(REFERENCE_DRAWS)
            ]
        )
    )


def _ensembles(
    nngp: np.ndarray, ntk: np.ndarray, y: np.ndarray, rate: float, n_steps: int
) -> dict[str, Ensemble]:
    r"""Return the formulas for the test outputs of networks trained from random starts.

    Outputs after training are :math:`f^* + A (y - f)` with a matrix A of the kernel that
    training follows, and :math:`(f, f^*)` is a Gaussian with the NNGP as covariance, so
    that the mean is A y and the variance :math:`(K^{**} - A K^{*T} - K^* A^T + A K A^T)_{ii}`
    (Lee et al. 2019, arXiv 1902.06720, eqs. 14 to 16). With A of the NNGP the read-out
    alone is trained; for ever, that samples the posterior of the NNGP.
    """
    n = len(y)
    K, K_cross, variance = nngp[:n, :n], nngp[n:, :n], np.diagonal(nngp)[n:]

    def ensemble(A: np.ndarray) -> Ensemble:
        moved = variance - 2 * (A * K_cross).sum(axis=1) + ((A @ K) * A).sum(axis=1)
        return Ensemble(A @ y, moved)

    everything = np.eye(n)
    dynamics = finite.kernel_dynamics(ntk[:n, :n], everything, K_test=ntk[n:, :n])
    wanted = ensemble(dynamics.at_steps([n_steps], rate)[1][0])
    other = finite.kernel_dynamics(K, everything, K_test=K_cross)
    ever = ensemble(other.at_times([_EVER * n / other.eigenvalues[-1]])[1][0])
    times = rate * n_steps * np.logspace(-2, 4, 121)
    nearest = min(
        (ensemble(other.at_times([t])[1][0]) for t in times),
        key=lambda e: float(np.square(e.mean - wanted.mean).sum()),
    )
    return {"ntk": wanted, "nngp": ever, "nngp stopped": nearest}
