"""Class-balanced random draws of indices."""

from numbers import Integral
from typing import Any

import numpy as np

from ntkreg.arrays import refuse_masked
from ntkreg.errors import ShapeError, SpecError

__all__ = ["balanced_draws"]


def balanced_draws(y: Any, n: int, n_draws: int, seed: int) -> np.ndarray:
    """Draw sets of n indices with as many of each class, without replacement in a set.

    With the same y and seed, draw i of a smaller n is part of draw i of a larger one
    (learning curves are nested), and draw i does not depend on `n_draws`.

    Parameters
    ----------
    y : array-like of shape (n_pool,)
        Labels of the pool, of any kind.
    n : int
        Indices a draw; a multiple of the number of classes in y.
    n_draws : int
    seed : int

    Returns
    -------
    ndarray of shape (n_draws, n), int64
        Positions in y, class by class in sorted order of the labels.

    Raises
    ------
    ShapeError
        y is not one-dimensional or is empty.
    SpecError
        n or n_draws below 1, n not a multiple of the number of classes, or a class with
        too few members.

    Examples
    --------
    >>> y = ["cat", "dog", "dog", "cat", "dog"]
    >>> draws = balanced_draws(y, n=4, n_draws=3, seed=0)
    >>> draws.shape, sorted(draws[0][:2].tolist())
    ((3, 4), [0, 3])
    """
    refuse_masked("balanced_draws: y", y)
    y = np.asarray(y)
    if y.ndim != 1 or not len(y):
        raise ShapeError(f"balanced_draws: y must be one label a sample; got shape {y.shape}.")
    for name, value, least in (("n", n, 1), ("n_draws", n_draws, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise SpecError(
                f"balanced_draws: {name} must be >= {least}, an integer; got {value!r}."
            )
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if n % len(classes):
        below = n - n % len(classes)
        raise SpecError(
            f"balanced_draws: n must be a multiple of the number of classes, {len(classes)}; "
            f"got {n}. The nearest are {below} and {below + len(classes)}."
        )
    per_class = n // len(classes)
    if counts.min() < per_class:
        raise SpecError(
            f"balanced_draws: n = {n} needs {per_class} of each of {len(classes)} classes; class "
            f"{classes[counts.argmin()]!s} has {counts.min()}. "
            f"n can be at most {counts.min() * len(classes)}."
        )
    members = [np.flatnonzero(codes == c) for c in range(len(classes))]
    rng = np.random.default_rng(seed)
    # Whole permutations, of which the head is used: what is drawn for one class or draw
    # then does not move the random stream of the next, and smaller draws are nested.
    draws = [
        np.concatenate([rng.permutation(m)[:per_class] for m in members]) for _ in range(n_draws)
    ]
    return np.array(draws, dtype=np.int64)
