"""The least loss that examples allow, whatever the network: repeated inputs, other targets."""

from typing import Any, NamedTuple

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import ShapeError, SpecError

__all__ = ["Floor", "loss_floor"]


class Floor(NamedTuple):
    """What repeated inputs leave.

    Attributes
    ----------
    loss : float
        No function of the inputs has a lower one (for cross-entropy: an infimum).
    n_distinct : int
        Different inputs.
    """

    loss: float
    n_distinct: int


def loss_floor(X: Any, y: Any, loss: str = "squared") -> Floor:
    r"""Return the least loss of any function on these examples.

    The mean target of each input is the best answer: the squared loss keeps
    :math:`\frac{1}{2n}\sum_i \|y_i - \bar y_{x_i}\|^2`, cross-entropy the entropy of
    :math:`\bar y`.

    Parameters
    ----------
    X : array (n, ...)
    y : array (n,) or (n, n_outputs)
        Class probabilities (n, n_classes) or classes (n,) for cross-entropy.
    loss : {"squared", "cross_entropy"}, default="squared"

    Returns
    -------
    Floor

    Raises
    ------
    SpecError, ShapeError
        If the loss is none, or X and y do not fit each other.

    Examples
    --------
    >>> from ntkreg.landscape import loss_floor
    >>> loss_floor([[1.0], [1.0], [2.0]], [0.0, 2.0, 5.0])
    Floor(loss=0.3333333333333333, n_distinct=2)
    """
    X, y = as_array("loss_floor: X", X), as_array("loss_floor: y", y)
    if loss not in ("squared", "cross_entropy"):
        raise SpecError(f"loss_floor: loss must be squared or cross_entropy; got {loss!r}.")
    if not X.ndim or not y.ndim or not len(X) or len(X) != len(y):
        raise ShapeError(f"loss_floor: X and y need as many rows; got {X.shape} and {y.shape}.")
    if not np.isfinite(X).all() or not np.isfinite(y).all():
        raise SpecError("loss_floor: X or y hold NaN or infinite values. Remove or fill them.")
    if y.ndim > 2:
        raise ShapeError(f"loss_floor: y must be (n,) or (n, n_outputs); got {y.shape}.")
    if y.ndim == 1:
        if loss == "cross_entropy" and (y.min() < 0 or np.any(y != np.round(y))):
            raise SpecError(
                "loss_floor: y must hold classes 0, 1, ... for cross-entropy; got values from "
                f"{y.min()} to {y.max()}."
            )
        y = (y[:, None] == np.unique(y)).astype(float) if loss == "cross_entropy" else y[:, None]
    elif loss == "cross_entropy" and (y.min(initial=0) < 0 or np.any(abs(y.sum(1) - 1) > 1e-6)):
        raise SpecError(
            "loss_floor: rows of y must be class probabilities for cross-entropy, >= 0 and with "
            "the sum 1. Divide them by their sum, or pass classes (n,)."
        )
    _, group, counts = np.unique(
        X.reshape(len(X), -1), axis=0, return_inverse=True, return_counts=True
    )
    mean = np.zeros((len(counts), y.shape[1]))
    np.add.at(mean, group.ravel(), y)
    mean /= counts[:, None]
    if loss == "squared":
        found = 0.5 * np.square(y - mean[group.ravel()]).sum() / len(X)
    else:
        logs = np.log(np.where(mean > 0, mean, 1))
        found = -(counts[:, None] * mean * logs).sum() / len(X)
    return Floor(float(found), len(counts))
