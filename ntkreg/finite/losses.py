"""Losses, what targets they take, and how steep they can be."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.arrays import as_dtype, channels_first_hint, refuse_masked
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.precision import precision

__all__ = ["LOSSES", "Loss", "check_inputs", "check_targets", "check_weights", "losses_of"]


@dataclass(frozen=True)
class Loss:
    """A loss as a mean over examples.

    Attributes
    ----------
    value : callable
        (outputs (n, o), targets (n, o), weights (n,) of mean 1 or None) -> scalar.
    curvature : float
        Largest second derivative of one example's loss in its outputs.
    """

    value: Callable[..., jax.Array]
    curvature: float


def _squared(f: jax.Array, y: jax.Array, weights: jax.Array | None = None) -> jax.Array:
    return 0.5 * _mean(jnp.square(f - y).sum(axis=-1), weights)


def _cross_entropy(f: jax.Array, y: jax.Array, weights: jax.Array | None = None) -> jax.Array:
    return -_mean((y * jax.nn.log_softmax(f)).sum(axis=-1), weights)


def _mean(each: jax.Array, weights: jax.Array | None) -> jax.Array:
    return each.mean() if weights is None else (weights * each).mean()


LOSSES: dict[str, Loss] = {
    "squared": Loss(_squared, 1.0),
    # Hessian diag(p) - p p^T, whose largest eigenvalue is at most 1/2 (two classes, p = 1/2).
    "cross_entropy": Loss(_cross_entropy, 0.5),
}
r"""``squared``: :math:`\frac{1}{2n} \sum_i \|f(x_i) - y_i\|^2`, summed over outputs.
``cross_entropy``: :math:`-\frac{1}{n} \sum_i \sum_o y_{io} \log \mathrm{softmax}(f(x_i))_o`."""


def losses_of(
    network: Network, params: Params, X: Any, y: Any, loss: str, weights: Any = None
) -> np.ndarray:
    """Return the loss (n_seeds,) of stacked parameters over all examples.

    From `Network.predict_seeds`, which is compiled anyway and takes large sets in blocks.
    """
    outputs = network.predict_seeds(params, X)
    with precision(dtype_of(params)):
        return np.asarray(_values(loss)(outputs, y, weights))


@lru_cache
def _values(loss: str) -> Callable[..., jax.Array]:
    return jax.jit(jax.vmap(LOSSES[loss].value, (0, None, None)))


def check_inputs(who: str, name: str, network: Network, X: Any, dtype: Any) -> np.ndarray:
    """Return inputs (n, *shape) as a finite NumPy array of a dtype.

    Raises
    ------
    ShapeError
        If there are no rows, or they do not have the network's shape.
    SpecError
        If they hold NaN, infinities, masked values, what is no number or not one in the dtype.
    """
    wanted = ", ".join(map(str, ("n", *network.shape)))
    X = _numbers(who, name, X)
    if X.ndim != len(network.shape) + 1 or X.shape[1:] != network.shape:
        hint = channels_first_hint(X.shape[1:])
        raise ShapeError(f"{who}: {name} must be ({wanted}) for this network; got {X.shape}.{hint}")
    if len(X) == 0:
        raise ShapeError(f"{who}: {name} has no samples: {X.shape}. Give at least one.")
    return as_dtype(f"{who}: {name}", X, dtype)


def check_targets(
    who: str, network: Network, y: Any, n_samples: int, loss: str, dtype: Any
) -> np.ndarray:
    """Return targets as a NumPy array (n, n_outputs).

    Parameters
    ----------
    y : array (n, n_outputs), (n,) for one output
        With cross-entropy: class probabilities, or integer classes (n,).

    Raises
    ------
    ShapeError, SpecError
        If they do not fit the samples, the outputs or the loss.
    """
    y = _numbers(who, "y", y)
    if y.ndim == 0 or len(y) != n_samples:
        raise ShapeError(f"{who}: X has {n_samples} samples, y has the shape {y.shape}.")
    classes = network.n_outputs
    if loss == "cross_entropy":
        if classes < 2:
            raise SpecError(
                f"{who}: cross-entropy needs a network with an output for each class; got one "
                "output. Pass finite_network(..., n_outputs=...)."
            )
        if y.ndim == 1:
            if not np.array_equal(y, np.round(y)) or y.min() < 0 or y.max() >= classes:
                raise SpecError(
                    f"{who}: y must hold classes 0 to {classes - 1} for cross-entropy; got "
                    f"values from {y.min()} to {y.max()}."
                )
            return np.eye(classes, dtype=dtype)[y.astype(int)]
    elif y.ndim == 1 and classes == 1:
        y = y[:, None]
    if y.shape != (n_samples, classes):
        hint = " or classes (n,)" if loss == "cross_entropy" else ""
        raise ShapeError(
            f"{who}: y must be ({n_samples}, {classes}){hint} for this network; got {y.shape}."
        )
    if loss == "cross_entropy" and (y.min() < 0 or not np.allclose(y.sum(axis=1), 1, atol=1e-5)):
        raise SpecError(
            f"{who}: rows of y must be probabilities for cross-entropy (>= 0, sum 1); got rows "
            f"that sum to {y.sum(axis=1).min():g} up to {y.sum(axis=1).max():g}."
        )
    return as_dtype(f"{who}: y", y, dtype)


def check_weights(who: str, weights: Any, n_samples: int, dtype: Any) -> np.ndarray | None:
    """Return weights of examples over their mean, (n,); None where all are equal.

    Raises
    ------
    ShapeError, SpecError
        If they do not fit the samples, or are not above 0.
    """
    if weights is None:
        return None
    found = _numbers(who, "sample_weight", weights)
    if found.shape != (n_samples,):
        raise ShapeError(f"{who}: sample_weight must be ({n_samples},); got {found.shape}.")
    if found.min() <= 0:
        raise SpecError(
            f"{who}: sample_weight must be above 0; got a least value of {found.min()}. Leave out "
            "samples that do not count."
        )
    if found.min() == found.max():
        return None
    shares = found / found.max()  # sums of huge ones overflow
    return (shares / shares.mean()).astype(dtype)


def _numbers(who: str, name: str, values: Any) -> np.ndarray:
    """Return values as an array of finite numbers."""
    refuse_masked(f"{who}: {name}", values)
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise SpecError(f"{who}: {name} is no array of numbers ({error}).") from None
    if found.dtype.kind not in "biuf":
        raise SpecError(f"{who}: {name} must hold numbers; got dtype {found.dtype}.")
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        raise SpecError(
            f"{who}: {name} holds {len(bad)} values that are NaN or infinite, the first at "
            f"{tuple(map(int, bad[0]))}. Remove or fill them."
        )
    return found
