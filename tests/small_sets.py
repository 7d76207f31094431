"""Data sets and models so small that a comparison takes a second."""

import numpy as np
import sklearn.ensemble  # noqa: F401 (what brings OpenMP)
from threadpoolctl import threadpool_info

SMALL = {
    "NTK": {"kind": "ntk", "network": [[0, 0], [2, 1]], "C": [0.1, 10]},
    "RBF": {"kind": "rbf", "gamma": [0.25, 1.0], "C": [0.1, 10]},
    "forest": {
        "kind": "random_forest",
        "max_features": ["sqrt", 1.0],
        "min_samples_leaf": [1, 3],
        "criterion": ["gini"],
    },
}


def write_set(path, n=40, d=3, classes=2, seed=0, splits=True, **other):
    """Write a data set in which the first column's sign is most of the label."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = np.digitize(X[:, 0] + 0.3 * rng.normal(size=n), np.linspace(-1, 1, classes + 1)[1:-1])
    arrays = {"X": X, "y": y}
    if splits:
        order = rng.permutation(n)
        arrays |= {"tune_train": order[: n // 2], "tune_val": order[n // 2 :]}
        for i in range(4):
            order = rng.permutation(n)
            arrays |= {f"fold{i}_train": order[: 3 * n // 4], f"fold{i}_test": order[3 * n // 4 :]}
    np.savez(path, **{**arrays, **other})


def threads():
    """Return the number of threads of each library of this process."""
    return [library["num_threads"] for library in threadpool_info()]
