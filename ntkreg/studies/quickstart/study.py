"""Exact network kernels against a tuned RBF-SVM on a few hundred digits.

scikit-learn's 8 x 8 digits ship with it, so nothing is downloaded. NTK and NNGP of four
networks, each kernel computed once and sliced by split, against an RBF-SVM whose C and
gamma are tuned inside each training split. The kernels are not tuned at all.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit
from sklearn.svm import SVC

from ntkreg.architecture import Architecture, cntk, fully_connected
from ntkreg.cpus import one_blas_thread
from ntkreg.data import balanced_draws, load_digits_images
from ntkreg.kernels import KernelSpec
from ntkreg.storage import write_arrays, write_table
from ntkreg.studies.quickstart.config import N_CLASSES, QuickstartConfig
from ntkreg.studies.quickstart.hardest import Hardest
from ntkreg.studies.shared.kernels import kernel_values
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.regression import regress_classes

__all__ = [
    "FIELDS",
    "QuickstartConfig",
    "digits",
    "kernel_rows",
    "networks_of",
    "run_quickstart",
    "splits_of",
    "svm_rows",
]

FIELDS = ("nngp", "ntk")
SVM = "RBF-SVM (tuned)"
SVM_GRID = {"C": [0.1, 1, 10, 100], "gamma": [0.01, 0.03, 0.1, 0.3]}


def networks_of(config: QuickstartConfig) -> dict[str, Architecture]:
    """Return the networks by the name that rows and figures use."""
    return {
        "dense": fully_connected(config.dense_depth),
        "CNTK flatten": cntk(config.conv_depth, "flatten"),
        "CNTK GAP": cntk(config.conv_depth, "gap"),
        "CNTK LAP": cntk(config.conv_depth, "lap", half_width=config.half_width),
    }


def run_quickstart(
    config: QuickstartConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the comparison and write everything that its page is made of.

    Parameters
    ----------
    config : QuickstartConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads; None for one a core.
    progress : bool or None
        Progress bars; None for one where the work takes more than two seconds.
    store : path or None
        Folder of kernels that studies and estimators share; None: kernels are not kept.

    Returns
    -------
    DataFrame
        The rows: method, network, get, n_train, split, accuracy (percent), seed. Also in
        ``rows.csv``; beside it ``eigenvalues.csv``, ``timings.csv``, ``kernels.npz``
        (unit-diagonal NTKs, images in the order of their classes), ``hardest.npz``,
        ``config.yaml`` and ``record.json``.

    Notes
    -----
    Pixels are divided by 16 and not standardised: statistics of a training split would
    make every kernel depend on the split. The SVM sees the same pixels.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    X, y = digits(config)
    splits = list(splits_of(config, y))
    timings: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    shown: dict[str, Any] = {}
    eigenvalues = []
    hardest = Hardest(len(y), N_CLASSES)

    for name, network in networks_of(config).items():
        start = time.perf_counter()
        spec = KernelSpec(network, get=FIELDS)
        kernels = kernel_values(spec, X, store=store, n_jobs=n_jobs, progress=progress)
        timings[f"kernels of {name} (NNGP and NTK)"] = time.perf_counter() - start
        shown[name] = _unit_diagonal(kernels["ntk"])[: config.n_shown, : config.n_shown]
        start = time.perf_counter()
        # The matrices are small: threads inside BLAS would cost more than they save.
        with one_blas_thread():
            for get, K in kernels.items():
                eigenvalues.append(_spectrum(f"{name} {get.upper()}", K))
                rows += kernel_rows(config, name, get, K, y, splits, hardest)
        timings[f"regression with {name}, spectrum"] = time.perf_counter() - start

    start = time.perf_counter()
    rows += svm_rows(config, X.reshape(len(X), -1), y, splits)
    timings["RBF-SVM, all splits with their grid searches"] = time.perf_counter() - start

    table = pd.DataFrame(rows).assign(seed=config.seed)
    write_table(output / "rows.csv", table)
    write_table(output / "eigenvalues.csv", pd.concat(eigenvalues))
    steps = pd.DataFrame(timings.items(), columns=["step", "seconds"])
    write_table(output / "timings.csv", steps)
    matrices = {"labels": y[: config.n_shown], **shown}
    write_arrays(output / "kernels.npz", matrices, compressed=True)
    hardest.save(output / "hardest.npz", X, y, config.n_hardest)
    networks = {name: repr(network) for name, network in networks_of(config).items()}
    write_record(output, config, networks=networks, n_test=config.n_images - max(config.n_train))
    return table


def digits(config: QuickstartConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 8, 8, 1) in [0, 1] and labels.

    The first `n_shown` are class-balanced and in the order of their classes: heat maps
    are a corner of the kernel.
    """
    X, y = load_digits_images()
    # Class by class, in the order of the labels.
    chosen = balanced_draws(y, config.n_images, 1, config.seed)[0]
    place = np.tile(np.arange(config.n_images // N_CLASSES), N_CLASSES)
    is_shown = place < config.n_shown // N_CLASSES
    chosen = np.concatenate([chosen[is_shown], chosen[~is_shown]])
    return X[chosen], y[chosen]


def splits_of(
    config: QuickstartConfig, y: np.ndarray
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Yield (split, n_train, train, test); smaller training sets lie in larger ones."""
    largest = max(config.n_train)
    splitter = StratifiedShuffleSplit(
        config.n_splits,
        train_size=largest,
        test_size=config.n_images - largest,
        random_state=config.seed,
    )
    for split, (train, test) in enumerate(splitter.split(y, y)):
        # One image of each class after the other, so that every head is balanced too.
        order = np.argsort(_rank_in_class(y[train]), kind="stable")
        for n in config.n_train:
            yield split, n, train[order][:n], test


def _rank_in_class(y: np.ndarray) -> np.ndarray:
    """Count, for each entry, earlier entries with the same label."""
    rank = np.empty(len(y), dtype=int)
    for label in np.unique(y):
        here = np.flatnonzero(y == label)
        rank[here] = np.arange(len(here))
    return rank


def kernel_rows(
    config: QuickstartConfig,
    name: str,
    get: str,
    K: np.ndarray,
    y: np.ndarray,
    splits: list[tuple[int, int, np.ndarray, np.ndarray]],
    hardest: Hardest,
) -> Iterator[dict[str, Any]]:
    """Yield the accuracy of one kernel (n, n) on each split; `hardest` is told the errors."""
    for split, n, train, test in splits:
        scores, _ = regress_classes(
            K,
            K[test],
            train,
            y[train],
            np.arange(N_CLASSES),
            alpha=config.alpha,
            alpha_scale=config.alpha_scale,
        )
        if n == max(config.n_train):
            hardest.add(test, y[test], scores)
        yield _row(f"{name} {get.upper()}", name, get, n, split, y[test], scores)


def svm_rows(
    config: QuickstartConfig,
    X: np.ndarray,
    y: np.ndarray,
    splits: list[tuple[int, int, np.ndarray, np.ndarray]],
) -> Iterator[dict[str, Any]]:
    """Yield the accuracy of a tuned RBF-SVM on pixels (n, d) of each split."""
    for split, n, train, test in splits:
        folds = StratifiedKFold(2 if n < 5 * N_CLASSES else 5, shuffle=True, random_state=split)
        search = GridSearchCV(SVC(kernel="rbf"), SVM_GRID, cv=folds).fit(X[train], y[train])
        scores = search.predict(X[test])[:, None] == np.arange(N_CLASSES)
        yield _row(SVM, SVM, "", n, split, y[test], scores)


def _row(
    method: str, network: str, get: str, n: int, split: int, y: np.ndarray, scores: np.ndarray
) -> dict[str, Any]:
    accuracy = 100 * float(np.mean(scores.argmax(axis=1) == y))
    return {
        "method": method,
        "network": network,
        "get": get,
        "n_train": n,
        "split": split,
        "accuracy": accuracy,
    }


def _unit_diagonal(K: np.ndarray) -> np.ndarray:
    root = np.sqrt(np.diagonal(K))
    return K / root[:, None] / root


def _spectrum(method: str, K: np.ndarray) -> pd.DataFrame:
    """Eigenvalues of K over its mean diagonal, greatest first."""
    values = np.linalg.eigvalsh(K.astype(np.float64))[::-1] / np.diagonal(K).mean()
    return pd.DataFrame({"method": method, "index": np.arange(1, len(values) + 1), "value": values})
