"""Data by one word or path, as configurations and commands give it."""

from pathlib import Path

import numpy as np

from ntkreg.data.archive import read_arrays
from ntkreg.data.cifar10 import load_cifar10
from ntkreg.data.csv import holds_tables, load_tables
from ntkreg.data.digits import load_digits_split
from ntkreg.data.idx import holds_mnist, load_mnist
from ntkreg.data.images import ImageData
from ntkreg.data.npz import load_npz
from ntkreg.data.tar import is_archive
from ntkreg.errors import DataError, SpecError

__all__ = ["load_data", "load_inputs"]


def load_data(source: str | Path) -> ImageData:
    """Load training and test data from the place that `source` names.

    Parameters
    ----------
    source : str or path
        ``digits`` for scikit-learn's digits (`load_digits_split`); a path that ends in
        ``.npz`` (`load_npz`); a folder of MNIST's idx files (`load_mnist`), or of ``train.csv``
        and ``test.csv`` (`load_tables`); else a path of CIFAR-10's official files
        (`load_cifar10`).

    Raises
    ------
    FileNotFoundError, DataError
        As the loader raises them.
    SpecError
        `source` is neither text nor a path.
    """
    source = _text(source)
    if source == "digits":
        return load_digits_split()
    if _is_npz(source):
        return load_npz(source)
    if holds_mnist(Path(source)):
        return load_mnist(source)
    if holds_tables(Path(source)):
        return load_tables(source)
    if Path(source).is_file() and not is_archive(Path(source)):
        raise DataError(
            f"{source}: data come as an .npz file of x_train, y_train, x_test and y_test "
            "(numpy.savez), a folder of train.csv and test.csv or of MNIST's idx files, or as "
            "CIFAR-10's official files. Save it as the first."
        )
    return load_cifar10(source)


def load_inputs(
    source: str | Path, key: str = "x_test"
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Load inputs alone, to predict, and their labels if there are any.

    Parameters
    ----------
    source : str or path
        As in `load_data`.
    key : str
        Array to read: any of an npz archive; elsewhere ``x_train`` or ``x_test``. Labels
        are those of the same name with y for x.

    Returns
    -------
    X : ndarray of shape (n, h, w, c) or (n, d)
    y : ndarray of shape (n,) or None
    name : str
        Of the source, without the folders above it.

    Raises
    ------
    FileNotFoundError, DataError
        No such file, a damaged one, or no such array.
    SpecError
        `source` is neither text nor a path.
    """
    source = _text(source)
    labels = f"y{key[1:]}" if key[:1] in "xX" else ""
    if _is_npz(source):
        found = read_arrays(source, (key,), optional=(labels,))
        X = found[key]
        return X[..., None] if X.ndim == 3 else X, found.get(labels), Path(source).name
    if key not in ("x_train", "x_test"):
        raise DataError(f"{source}: has x_train and x_test only; got key {key!r}.")
    data = load_data(source)
    if key == "x_train":
        return data.X_train, data.y_train, data.provenance.source
    return data.X_test, data.y_test, data.provenance.source


def _is_npz(source: str) -> bool:
    return source.lower().endswith(".npz")


def _text(source: str | Path) -> str:
    if not isinstance(source, str | Path) or not str(source):
        raise SpecError(f"data must be 'digits' or a path; got {source!r}.")
    return str(source)
