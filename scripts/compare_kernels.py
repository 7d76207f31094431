"""Kernels of infinitely wide networks against an RBF-SVM on scikit-learn's digits.

Run it: python scripts/compare_kernels.py (under a minute). Copy it and change what you like.
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.svm import SVC

from ntkreg import NTKClassifier, cntk, fully_connected

N_TRAIN, N_TEST, N_SPLITS, ALPHA = 150, 150, 3, 1e-4

digits = load_digits()
X = (digits.images / 16).astype(np.float32)[..., None]  # (1797, 8, 8, 1)
y = digits.target

networks = {
    "dense, 3 hidden layers": fully_connected(depth=3),
    "CNTK flatten, 5": cntk(depth=5, readout="flatten"),
    "CNTK GAP, 5": cntk(depth=5, readout="gap"),
    "CNTK LAP, 5": cntk(depth=5, readout="lap", half_width=2),
}
methods = {
    f"{name}, {get.upper()}": NTKClassifier(
        architecture=network, get=get, alpha=ALPHA, alpha_scale="mean_diagonal"
    )
    for name, network in networks.items()
    for get in ("nngp", "ntk")
}
grid = {"C": [0.1, 1, 10, 100], "gamma": [0.01, 0.03, 0.1, 0.3]}
methods["RBF-SVM, tuned"] = GridSearchCV(SVC(), grid)

splits = list(
    StratifiedShuffleSplit(N_SPLITS, train_size=N_TRAIN, test_size=N_TEST, random_state=0).split(
        X, y
    )
)
print(f"{N_TRAIN} digits to train on, {N_TEST} to test on, {N_SPLITS} random splits")
print(f"{'method':32} accuracy, %     seconds")
for name, model in methods.items():
    start = time.perf_counter()
    data = X.reshape(len(X), -1) if name.startswith("RBF") else X
    accuracies = [
        100 * model.fit(data[train], y[train]).score(data[test], y[test]) for train, test in splits
    ]
    seconds = time.perf_counter() - start
    print(
        f"{name:32} {np.mean(accuracies):5.1f} ± {np.std(accuracies, ddof=1):3.1f} {seconds:14.1f}"
    )
