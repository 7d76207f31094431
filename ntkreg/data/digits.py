"""scikit-learn's handwritten digits: real images that need no download."""

import numpy as np

from ntkreg.data.images import ImageData, make_image_data

__all__ = ["load_digits_images", "load_digits_split"]

N_TEST = 500


def load_digits_images() -> tuple[np.ndarray, np.ndarray]:
    """Load scikit-learn's digits as images.

    Returns
    -------
    X : ndarray of shape (1797, 8, 8, 1), float32
        Grey values in [0, 1]: counts 0 to 16, divided by 16.
    y : ndarray of shape (1797,), int64
        The digit.

    Examples
    --------
    >>> X, y = load_digits_images()
    >>> X.shape, X.dtype, float(X.max())
    ((1797, 8, 8, 1), dtype('float32'), 1.0)
    """
    from sklearn.datasets import load_digits  # here, so that `ntkreg.data` loads without it

    digits = load_digits()
    # Sixteenths are exact in float32.
    return (digits.images[..., None] / 16).astype(np.float32), digits.target.astype(np.int64)


def load_digits_split() -> ImageData:
    """Load the digits in a fixed split: the first 1297 to train, the last 500 to test.

    The data set is in the order of its 13 writers, so most test digits are by writers
    that the training set has not seen: harder than a random split.
    """
    X, y = load_digits_images()
    train, test = slice(0, len(X) - N_TEST), slice(len(X) - N_TEST, None)
    names = tuple(str(i) for i in range(10))
    return make_image_data(X[train], y[train], X[test], y[test], names, "digits")
