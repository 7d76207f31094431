"""Compare training that stops early with ridges, over a whole path of either, on real sets.

python scripts/training_time.py --sets FOLDER     # benchmarks/training_time.*, some minutes
FOLDER holds UCI sets as npz files with X and y.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from sklearn.datasets import load_diabetes

from ntkreg import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    fully_connected,
    kernel,
    training_curve,
)
from ntkreg.solvers import SpectralSolver

SETS = ("diabetes", "wine-quality-red", "statlog-vehicle", "contrac")
SPLITS = 6
MOST = 500
"""Rows to train on, and to test on, at most."""
RIDGES = np.logspace(-6, 2, 50)
"""In units of the mean diagonal. Times are n_samples * n_targets over these ridges."""
NETWORK = fully_connected(2, bias_std=0.3)
COST_N, COST_ROUNDS = 2000, 5


def read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return X, y, and whether y are classes; the grade of a wine is a number."""
    if name == "diabetes":
        return *load_diabetes(return_X_y=True), False
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        X, y = file["X"].astype(float), file["y"].ravel()
    return (X, y.astype(float), False) if name.startswith("wine") else (X, y, True)


def paths(X: np.ndarray, y: np.ndarray, classes: bool, seed: int) -> list[dict]:
    """Return the errors of one split along both paths, on test rows and by folds of the others."""
    order = np.random.default_rng(seed).permutation(len(y))
    n = min(MOST, len(y) * 2 // 3)
    order = order[: n + MOST]
    own, other = np.arange(n), np.arange(n, len(order))
    X, y = X[order], y[order]
    mean, scale = X[own].mean(axis=0), X[own].std(axis=0)
    scale[scale == 0] = 1
    K = kernel(NETWORK, (X - mean) / scale, n_jobs=1)
    ridges = RIDGES * np.diagonal(K[:n, :n]).mean()
    n_targets = len(np.unique(y)) if classes else 1
    times = n * n_targets / ridges
    one, many = (NTKClassifier, NTKClassifierCV) if classes else (NTKRegressor, NTKRegressorCV)
    stopped = one(kernel="precomputed", alpha=0.0, n_jobs=1)
    found = {}
    for where, rows, cv in (("fold", own, 5), ("test", np.arange(len(y)), [(own, other)])):
        Kw, yw = K[np.ix_(rows, rows)], y[rows]
        ridge = many(
            kernel="precomputed", alphas=ridges, alpha_scale="absolute", cv=cv, n_jobs=1
        ).fit(Kw, yw)
        found["ridge", where] = 1 - ridge.scores_
        found["time", where] = 1 - training_curve(stopped, Kw, yw, times, cv=cv)[1].mean(axis=1)
    one = {"n": n, "n_test": len(other), "split": seed}
    return [
        {**one, "path": path, "time": t, "ridge": r, "test": test, "fold": fold}
        for path in ("time", "ridge")
        for t, r, test, fold in zip(
            times, RIDGES, found[path, "test"], found[path, "fold"], strict=True
        )
    ]


def costs() -> dict[str, list[float]]:
    """Return the CPU seconds of a ridge fit, of one time and of a path of 50, each round."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(COST_N, 20))
    K, y = kernel(NETWORK, X, n_jobs=1), np.sin(X[:, 0]) + 0.1 * rng.normal(size=COST_N)
    times = COST_N / (RIDGES * np.diagonal(K).mean())
    ridge = NTKRegressor(kernel="precomputed", alpha=0.01, n_jobs=1)
    stopped = NTKRegressor(kernel="precomputed", alpha=0.0, train_time=times[25], n_jobs=1)
    calls = {
        "a ridge": lambda: ridge.fit(K, y),
        "a time": lambda: stopped.fit(K, y),
        "50 times": lambda: SpectralSolver(K).flow(y, times),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(COST_ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            call()
            taken[name].append(round(time.process_time() - start, 4))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True, help="folder with UCI sets as npz")
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    asked = parser.parse_args()
    rows = []
    for name in SETS:
        X, y, classes = read(asked.sets, name)
        task = "wrong" if classes else "unexplained"
        for seed in range(SPLITS):
            rows += [{"set": name, "error": task, **row} for row in paths(X, y, classes, seed)]
            print(name, seed, flush=True)
    record = {
        "command": "python scripts/training_time.py --sets FOLDER",
        "most": MOST,
        "cost_n": COST_N,
        "costs": costs(),
    }
    print(keep(asked.output / "training_time", "training_time", pd.DataFrame(rows), 5, **record))


if __name__ == "__main__":
    main()
