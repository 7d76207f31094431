"""How far to believe deviations and probabilities: coverage and calibration on real sets.

python scripts/uncertainty.py --sets FOLDER    # benchmarks/coverage.* and calibration.*, minutes
FOLDER holds UCI sets as npz files with X and y.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from scipy.stats import norm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from ntkreg import NTKClassifier, NTKClassifierCV, NTKRegressorCV, fully_connected

LEVELS = (0.5, 0.683, 0.9, 0.95)
CLASS_SETS = ("contrac", "statlog-german-credit", "statlog-vehicle", "car", "wine-quality-red")
SPLITS = 4
BINS = 10
DENSE = fully_connected(2, bias_std=0.3)
NO_CLASS = 1e-15
"""Least probability in the log-loss: a forest's may be 0."""


def split(X, y, seed, most):
    """Return shuffled X and y to train on, at most `most`, and to test on, X standardised."""
    order = np.random.default_rng(seed).permutation(len(y))
    n = min(most, len(y) * 2 // 3)
    train, test = order[:n], order[n:]
    mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
    scale[scale == 0] = 1
    return (X[train] - mean) / scale, y[train], (X[test] - mean) / scale, y[test]


def deviations(name, X, y, Z):
    """Return mean and deviation of targets, noise included, by one model."""
    if name == "RBF, GaussianProcessRegressor":
        kernel = ConstantKernel() * RBF(np.sqrt(X.shape[1])) + WhiteKernel(0.3)
        return (
            GaussianProcessRegressor(kernel, random_state=0).fit(X, y).predict(Z, return_std=True)
        )
    get = "nngp" if name.startswith("NNGP") else "ntk"
    selection = "marginal_likelihood" if get == "nngp" else "cv"
    model = NTKRegressorCV(DENSE, get=get, selection=selection, store_covariance=True).fit(X, y)
    mean, std = model.predict(Z, return_std=True)
    if name == "NTK ensemble":
        return mean, std
    if get == "ntk":  # what is left of samples left out is noise and deviation together
        return mean, np.full(len(Z), np.sqrt(-model.best_score_))
    alpha = model.solver_result_.alpha
    return mean, np.sqrt(model.output_scale_ * (std**2 + alpha))


DEVIATIONS = (
    "NNGP posterior and noise",
    "NTK ensemble",
    "NTK, error of samples left out",
    "RBF, GaussianProcessRegressor",
)


def coverage(folder: Path) -> pd.DataFrame:
    wine = np.load(folder / "wine-quality-red.npz")
    sets = {"diabetes": load_diabetes(return_X_y=True), "wine-quality-red": (wine["X"], wine["y"])}
    rows = []
    for data, (X, y) in sets.items():
        for seed in range(SPLITS):
            X_train, y_train, X_test, y_test = split(X, y.astype(float), seed, 600)
            mean, scale = y_train.mean(), y_train.std()
            y_train, y_test = (y_train - mean) / scale, (y_test - mean) / scale
            for name in DEVIATIONS:
                found, std = deviations(name, X_train, y_train, X_test)
                off = np.abs(y_test - found)
                row = {"set": data, "n": len(y_train), "split": seed, "model": name}
                for level in LEVELS:
                    row[f"{level:g}"] = np.mean(off < norm.ppf((1 + level) / 2) * std)
                row["log density"] = np.mean(norm.logpdf(y_test, found, std))
                row["rmse"] = np.sqrt(np.mean(off**2))
                rows.append(row)
                print(row, flush=True)
    return pd.DataFrame(rows)


def classifiers():
    """Return classifiers by name, fresh."""
    return {
        "NTKClassifierCV, probability=True": NTKClassifierCV(DENSE, probability=True),
        "NTK, CalibratedClassifierCV(sigmoid)": CalibratedClassifierCV(
            NTKClassifier(DENSE, alpha=0.1)
        ),
        "random forest": RandomForestClassifier(300, random_state=0),
        "logistic regression": LogisticRegression(max_iter=1000),
    }


def calibration(folder: Path) -> pd.DataFrame:
    rows = []
    for data in CLASS_SETS:
        stored = np.load(folder / f"{data}.npz")
        classes, y = np.unique(stored["y"], return_inverse=True)
        for seed in range(SPLITS):
            X_train, y_train, X_test, y_test = split(stored["X"], y, seed, 600)
            known = np.isin(y_test, y_train)  # nobody can name a class that it has not seen
            X_test, y_test = X_test[known], y_test[known]
            for name, model in classifiers().items():
                p = np.zeros((len(y_test), len(classes)))
                rare = np.bincount(y_train)[np.unique(y_train)].min() < 5
                if rare and isinstance(model, CalibratedClassifierCV):
                    model.set_params(cv=2)
                fitted = model.fit(X_train, y_train)
                p[:, fitted.classes_] = fitted.predict_proba(X_test)
                sure, hit = p.max(axis=1), p.argmax(axis=1) == y_test
                row = {"set": data, "n": len(y_train), "split": seed, "model": name}
                clipped = np.maximum(p, NO_CLASS)
                clipped /= clipped.sum(axis=1, keepdims=True)
                row["log loss"] = log_loss(y_test, clipped, labels=np.arange(len(classes)))
                row["accuracy"] = hit.mean()
                row["confidence"] = sure.mean()
                bins = np.minimum((sure * BINS).astype(int), BINS - 1)
                for b in range(BINS):
                    here = bins == b
                    row |= {
                        f"n{b}": here.sum(),
                        f"sure{b}": sure[here].sum(),
                        f"hit{b}": hit[here].sum(),
                    }
                rows.append(row)
                print({k: v for k, v in row.items() if k[-1] not in "0123456789"}, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True, help="folder with UCI sets as npz")
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    command = "python scripts/uncertainty.py --sets FOLDER"
    for name, run in (("coverage", coverage), ("calibration", calibration)):
        keep(arguments.output / name, name, run(arguments.sets), 5, command=command, splits=SPLITS)


if __name__ == "__main__":
    main()
