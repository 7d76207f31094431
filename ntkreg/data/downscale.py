"""Smaller images, by averaging squares of pixels."""

from numbers import Integral

import numpy as np

from ntkreg.arrays import channels_first_hint, refuse_infinite, refuse_masked
from ntkreg.errors import ShapeError, SpecError

__all__ = ["downscale_images"]


def downscale_images(X: np.ndarray, side: int) -> np.ndarray:
    """Average squares of pixels so that images become `side` pixels high and wide.

    Parameters
    ----------
    X : ndarray of shape (n, h, h, c)
        Square images of any dtype.
    side : int
        A divisor of h.

    Returns
    -------
    ndarray of shape (n, side, side, c)
        Means in the range of X, not rounded: float64 if X is, else float32.

    Raises
    ------
    ShapeError
        X holds no square images.
    SpecError
        h is no multiple of `side`, or sums of pixels overflow.

    Examples
    --------
    >>> import numpy as np
    >>> downscale_images(np.arange(16).reshape(1, 4, 4, 1), 2)[0, ..., 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    refuse_masked("downscale_images: X", X)
    if X.ndim != 4 or X.shape[1] != X.shape[2]:
        hint = channels_first_hint(X.shape[1:])
        raise ShapeError(
            f"downscale_images: X must be square images (n, h, h, c); got {X.shape}.{hint}"
        )
    n, h, _, c = X.shape
    if not isinstance(side, Integral) or side is True or not 1 <= side <= h or h % side:
        divisors = [d for d in range(1, h + 1) if h % d == 0]
        raise SpecError(
            f"downscale_images: side must divide the images' {h} pixels "
            f"({', '.join(map(str, divisors))}); got {side!r}."
        )
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    squares = X.reshape(n, side, h // side, side, h // side, c)
    # Sums of a few hundred whole numbers up to 255 are exact in float32.
    with np.errstate(over="ignore"):
        return refuse_infinite(
            "downscale_images: sums of pixels", squares.mean(axis=(2, 4), dtype=dtype)
        )
