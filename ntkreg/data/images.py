"""`ImageData`: training and test arrays that were checked and say where they come from."""

import hashlib
from dataclasses import dataclass

import numpy as np

from ntkreg.arrays import refuse_masked
from ntkreg.errors import DataError

__all__ = ["ImageData", "Provenance", "fingerprint_arrays", "make_image_data"]


@dataclass(frozen=True)
class Provenance:
    """Where arrays come from.

    Attributes
    ----------
    source : str
        Name of the file, folder or data set, without the folders above it.
    sha256 : str
        `fingerprint_arrays` of X_train, y_train, X_test, y_test: the same pixels and
        labels have the same one, whatever file format they came in.
    n_train, n_test : int
    shape : tuple of int
        Of one input: (h, w, c), or (d,) for table rows.
    """

    source: str
    sha256: str
    n_train: int
    n_test: int
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ImageData:
    """Training and test inputs with labels, as read from one source.

    Attributes
    ----------
    X_train : ndarray of shape (n, h, w, c), or (n, d) for table rows
        Channels last; uint8 stays uint8.
    y_train : ndarray of shape (n,)
    X_test : ndarray of shape (m, h, w, c) or (m, d)
    y_test : ndarray of shape (m,)
    class_names : tuple of str or None
        Name of class i at place i; None if the source has none.
    provenance : Provenance
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...] | None
    provenance: Provenance


def fingerprint_arrays(*arrays: np.ndarray) -> str:
    """Return the SHA-256 (hex) of the arrays' dtypes, shapes and values, in C order.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.arange(6.0).reshape(2, 3)
    >>> fingerprint_arrays(a) == fingerprint_arrays(a.copy(order="F"))
    True
    >>> fingerprint_arrays(a) == fingerprint_arrays(a.reshape(3, 2))
    False
    """
    digest = hashlib.sha256()
    for i, a in enumerate(arrays):
        refuse_masked(f"fingerprint_arrays: array {i}", a)
        # Byte order is part of the dtype, so that equal bytes mean equal values.
        digest.update(f"{a.dtype.str}{a.shape}".encode())
        digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()


def make_image_data(
    X_train: np.ndarray,
    y_train: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
    class_names: tuple[str, ...] | None,
    source: str,
) -> ImageData:
    """Check arrays against each other and put them together.

    Parameters
    ----------
    X_train, X_test : ndarray
        (n, h, w, c), (n, h, w) for one channel, or (n, d).
    y_train, y_test : ndarray of shape (n,)
        Numbers or strings; with `class_names`, integers from 0 up to their number.
    class_names : tuple of str or None
    source : str
        What errors and the provenance call it.

    Raises
    ------
    DataError
        Wrong rank or dtype, no training samples, NaN or infinity, lengths or shapes that
        differ, labels out of range.
    """
    named = {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    for name, array in named.items():
        refuse_masked(f"{source}: {name}", array)
    X_train, X_test = _inputs(source, "X_train", X_train), _inputs(source, "X_test", X_test)
    if not len(X_train):
        raise DataError(f"{source}: there are no training samples; X_train is {X_train.shape}.")
    if X_train.shape[1:] != X_test.shape[1:]:
        raise DataError(
            f"{source}: training and test inputs differ in shape: {X_train.shape[1:]} "
            f"and {X_test.shape[1:]}."
        )
    _check_labels(source, "train", y_train, len(X_train), class_names)
    _check_labels(source, "test", y_test, len(X_test), class_names)
    if len(y_test) and (y_train.dtype.kind == "U") != (y_test.dtype.kind == "U"):
        raise DataError(
            f"{source}: y_train and y_test must both be numbers or both strings; found dtypes "
            f"{y_train.dtype} and {y_test.dtype}."
        )
    sha256 = fingerprint_arrays(X_train, y_train, X_test, y_test)
    provenance = Provenance(source, sha256, len(X_train), len(X_test), X_train.shape[1:])
    return ImageData(X_train, y_train, X_test, y_test, class_names, provenance)


def _inputs(source: str, name: str, X: np.ndarray) -> np.ndarray:
    if X.dtype.kind not in "buif":
        raise DataError(f"{source}: {name} must hold real numbers; found dtype {X.dtype}.")
    if X.ndim == 3:
        X = X[..., None]
    if X.ndim not in (2, 4) or 0 in X.shape[1:]:
        raise DataError(
            f"{source}: {name} must be images (n, h, w, c) or (n, h, w), or rows (n, d); "
            f"found shape {X.shape}."
        )
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        bad = int(np.flatnonzero(~np.isfinite(X.reshape(len(X), -1)).all(axis=1))[0])
        raise DataError(f"{source}: {name} holds NaN or infinity, first in row {bad}.")
    return X


def _check_labels(
    source: str, part: str, y: np.ndarray, n: int, class_names: tuple[str, ...] | None
) -> None:
    if y.shape != (n,) or y.dtype.kind not in "buifU":
        raise DataError(
            f"{source}: y_{part} must be {n} numbers or strings, one a row of X_{part}; "
            f"found shape {y.shape}, dtype {y.dtype}."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        bad = int(np.flatnonzero(~np.isfinite(y))[0])
        raise DataError(f"{source}: y_{part} holds NaN or infinity, first in row {bad}.")
    if class_names is None:
        return
    if y.dtype.kind not in "ui":
        raise DataError(
            f"{source}: with class names, y_{part} must hold integers; found dtype {y.dtype}."
        )
    outside = np.flatnonzero((y < 0) | (y >= len(class_names)))
    if len(outside):
        first = outside[0]
        raise DataError(
            f"{source}: label {y[first]} of {part} row {first} is out of range; there are "
            f"{len(class_names)} classes, 0 to {len(class_names) - 1}. The file is damaged or "
            "is another data set."
        )
