"""What float32, mixed and float64 kernels do to a solve, on real images.

A kernel in float32 is off by some 1e-7 of its diagonal. Whether that harms depends on the least
eigenvalue of K + alpha I, which is small for deep averaging networks and next to nothing
for images that nearly repeat. Here every kernel is computed in each dtype and held against
float64: eigenvalues, errors of the Gram, residuals, predictions and accuracy at several
ridges.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, eigvalsh, solve_triangular

from ntkreg.architecture import Architecture
from ntkreg.cpus import one_blas_thread
from ntkreg.data import balanced_draws, load_npz
from ntkreg.errors import NotPSDError, SpecError
from ntkreg.kernels import KernelSpec
from ntkreg.storage import write_table
from ntkreg.studies.precision.config import PrecisionConfig
from ntkreg.studies.precision.errors import DTYPES, safe_alphas
from ntkreg.studies.shared.kernels import kernel_values
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.regression import regress_classes

__all__ = ["CASES", "PrecisionConfig", "compare_grams", "dtypes_of", "run_precision"]


CASES = ("distinct", "near copies", "copies")
"""Training sets: the images; with some of them again, changed a little; with some twice."""

FIELDS = ("nngp", "ntk")


def run_precision(
    config: PrecisionConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Kernels are stored tile by tile under ``output/kernels``: a killed run goes on where it was,
    and other `alphas` or another `tolerance` cost seconds.

    Parameters
    ----------
    config : PrecisionConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads; None for one a core.
    progress : bool or None
        Progress bars; None for one where the work takes more than two seconds.
    store : path or None
        Folder of kernels that studies and estimators share; then what it holds is not computed
        again, and what it lacks is kept there, not under `output`.

    Returns
    -------
    DataFrame
        The rows: network (name, with the depth where there are several), get, case, n, dtype,
        alpha (in mean diagonals) and what `compare_grams` measures, with the seed. Also in
        ``rows.csv``; beside it ``safe.csv`` (`safe_alphas`), ``config.yaml``, ``record.json``.

    Raises
    ------
    SpecError, DataError, PlanError, StoreMismatchError
        A size that the classes do not divide; a bad file; a kernel too big; a folder with
        another study's kernels.

    Notes
    -----
    Cost: (n_train + 2 n_copies) (.. + 1) / 2 + n_test (n_train + 2 n_copies) kernel values of
    every network in every dtype; float64 takes some four times as long as float32. Networks that
    read vectors have no mixed kernel.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    data = load_npz(config.data)
    classes = np.unique(data.y_train)
    if config.n_train % len(classes):
        raise SpecError(
            f"n_train must be a multiple of the number of classes ({len(classes)}), so that "
            f"the draw is balanced; got {config.n_train}."
        )
    if config.n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {config.n_test}.")
    draw = balanced_draws(data.y_train, config.n_train, 1, config.seed)[0]
    X, again = _with_copies(data.X_train[draw], config)
    y = data.y_train[draw][again]
    X_test, y_test = data.X_test[: config.n_test], data.y_test[: config.n_test]
    X, X_test = _preprocess(config, X, X_test)

    rows: list[dict[str, Any]] = []
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress, "store": store}
    for name in config.networks:
        grams = _kernels(config, name, X, X_test, output / "kernels" / name, **run)
        # The matrices are small: threads inside BLAS would cost more than they save.
        with one_blas_thread():
            rows += _evaluate(config, name, grams, y, y_test, classes)
    frame = pd.DataFrame(rows).assign(seed=config.seed)
    write_table(output / "rows.csv", frame)
    write_table(output / "safe.csv", safe_alphas(frame, config.tolerance))
    write_record(
        output,
        config,
        n_test=len(X_test),
        tolerance=config.tolerance,
        networks={name: repr(config.network(name)[0]) for name in config.networks},
        data=asdict(data.provenance),
    )
    return frame


def _with_copies(X: np.ndarray, config: PrecisionConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return images, changed copies and copies, in float64, and whose copy each is."""
    rng = np.random.default_rng(config.seed)
    chosen = rng.permutation(len(X))[: config.n_copies]
    X = X.astype(np.float64)
    noise = rng.integers(-config.copy_noise, config.copy_noise + 1, X[chosen].shape)
    again = np.concatenate([np.arange(len(X)), chosen, chosen])
    return np.concatenate([X, X[chosen] + noise, X[chosen]]), again


def _training_set(case: str, config: PrecisionConfig) -> np.ndarray:
    """Return the positions of a case among images, changed copies and copies."""
    n, k = config.n_train, config.n_copies
    more = {"near copies": range(n, n + k), "copies": range(n + k, n + 2 * k)}
    return np.array([*range(n), *more.get(case, ())])


def _preprocess(
    config: PrecisionConfig, X: np.ndarray, X_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    X_test = X_test.astype(np.float64)
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is None:
        return X, X_test
    scaler.fit(X[: config.n_train] / 255)
    return scaler.transform(X / 255), scaler.transform(X_test / 255)


def dtypes_of(network: Architecture) -> tuple[str, ...]:
    """Return the dtypes in which a network has kernels: none that reads vectors is mixed."""
    return tuple(d for d in DTYPES if d != "mixed" or network.reads != "vector")


def _kernels(
    config: PrecisionConfig,
    name: str,
    X: np.ndarray,
    X_test: np.ndarray,
    folder: Path,
    **run: Any,
) -> dict[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Return for each dtype the fields (depths, n, n) and (depths, m, n)."""
    network, depths = config.network(name)
    grams = {}
    for dtype in dtypes_of(network):
        spec = KernelSpec(network, get=FIELDS, depths=depths, dtype=dtype)
        found = (
            kernel_values(spec, X, folder=folder / f"{dtype}_train", **run),
            kernel_values(spec, X_test, X, folder=folder / f"{dtype}_test", **run),
        )
        K, K_test = (
            {f: V.reshape(-1, *V.shape[-2:]) for f, V in values.items()} for values in found
        )
        grams[dtype] = K, K_test
    return grams


def _evaluate(
    config: PrecisionConfig,
    name: str,
    grams: Mapping[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]],
    y: np.ndarray,
    y_test: np.ndarray,
    classes: np.ndarray,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one network."""
    depths = config.network(name)[1]
    for k, depth in enumerate(depths or (None,)):
        label = name if depth is None else f"{name} {depth}"
        for get in FIELDS:
            for case in CASES:
                index = _training_set(case, config)
                exact, exact_test = (K[get][k] for K in grams["float64"])
                part = np.ix_(index, index)
                for dtype, (K, K_test) in grams.items():
                    measured = compare_grams(
                        (K[get][k][part], K_test[get][k][:, index]),
                        (exact[part], exact_test[:, index]),
                        y[index],
                        y_test,
                        classes,
                        config.alphas,
                    )
                    for row in measured:
                        yield {
                            "network": label, "get": get, "case": case, "n": len(index),
                            "dtype": dtype, **row,
                        }  # fmt: skip


def compare_grams(
    kernels: tuple[np.ndarray, np.ndarray],
    exact: tuple[np.ndarray, np.ndarray],
    y: np.ndarray,
    y_test: np.ndarray,
    classes: np.ndarray,
    alphas: tuple[float, ...],
) -> Iterator[dict[str, Any]]:
    r"""Hold a kernel against an exact one: errors of the Gram, then of what it predicts.

    Parameters
    ----------
    kernels, exact : (ndarray of shape (n, n), ndarray of shape (m, n))
        Training Gram and test rows; `exact` in float64.
    y, y_test : ndarray of shape (n,), (m,)
        Labels.
    classes : ndarray
    alphas : tuple of float
        In units of the mean of the exact diagonal, d.

    Yields
    ------
    dict
        A row for each alpha. Of the Gram: min_eigenvalue, over d; negative, the number of
        eigenvalues below what float64 rounds; max_error, the largest
        :math:`|\Delta_{ij}| / \sqrt{K_{ii} K_{jj}}`; norm_error, the operator norm of
        :math:`\Delta` over d. Of K + alpha I: relative_error, the operator norm of
        :math:`L^{-1} \Delta L^{-T}` where :math:`L L^T = K + \alpha I` exactly (at 1 the
        matrix can be indefinite; below, no quadratic form changes by more than that part);
        residual, of the solution in the exact system, over :math:`\|y\|`;
        prediction_difference, root mean square over that of exact predictions; changed,
        percent of test images with another class; accuracy in percent. What does not exist
        because a matrix is not positive definite is NaN.
    """
    (K, K_test), (R, R_test) = kernels, exact
    K = K.astype(np.float64)
    d = float(np.mean(np.diagonal(R)))
    difference, values = K - R, eigvalsh(K)
    root = np.sqrt(np.diagonal(R))
    rounding = len(K) * np.finfo(np.float64).eps * values[-1]
    of_gram = {
        "min_eigenvalue": values[0] / d,
        "negative": int((values < -rounding).sum()),
        "max_error": float((abs(difference) / np.outer(root, root)).max()),
        "norm_error": float(abs(eigvalsh(difference)).max()) / d,
    }
    every = np.arange(len(K))
    targets = (y[:, None] == classes) - 1 / len(classes)
    nothing = dict.fromkeys(
        ("residual", "prediction_difference", "changed", "accuracy"), float("nan")
    )
    for alpha in alphas:
        regularised = R + alpha * d * np.eye(len(R))
        row = {"alpha": alpha, **of_gram, "relative_error": _relative(difference, regularised)}
        solved = {**nothing}
        options: dict[str, Any] = {"alpha": alpha * d, "alpha_scale": "absolute"}
        try:
            scores, solution = regress_classes(K, K_test, every, y, classes, **options)
        except NotPSDError:
            yield {**row, **nothing}
            continue
        left = regularised @ solution.dual_coef - targets
        predicted = scores.argmax(axis=1)
        solved["residual"] = float(np.linalg.norm(left) / np.linalg.norm(targets))
        solved["accuracy"] = 100 * float(np.mean(classes[predicted] == y_test))
        try:
            wanted, _ = regress_classes(R, R_test, every, y, classes, **options)
        except NotPSDError:
            pass
        else:
            off = np.linalg.norm(scores - wanted) / np.linalg.norm(wanted)
            solved["prediction_difference"] = float(off)
            solved["changed"] = 100 * float(np.mean(predicted != wanted.argmax(axis=1)))
        yield {**row, **solved}


def _relative(difference: np.ndarray, regularised: np.ndarray) -> float:
    """Operator norm of the difference as the regularised matrix sees it; NaN if singular."""
    values = eigvalsh(regularised)
    # Ten times what the decomposition rounds: copies leave eigenvalues of that size.
    if values[0] <= 10 * len(values) * np.finfo(np.float64).eps * values[-1]:
        return float("nan")
    lower = cholesky(regularised, lower=True)
    half = solve_triangular(lower, difference, lower=True)
    return float(abs(eigvalsh(solve_triangular(lower, half.T, lower=True))).max())
